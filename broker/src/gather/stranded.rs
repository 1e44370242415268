//! Segments that have no server left to ask: on a newer view there may be one, or one of those that were
//! asked may be back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use henge_data_node::SegmentDescriptor;
use henge_types::ErrorClass;
use tokio::time::Instant;

use super::Gathering;
use super::calls::Reason;
use crate::error::Result;
use crate::route::Place;
use crate::view::ClusterView;

/// The time before those that failed are asked again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Segments that nobody is asked for.
#[derive(Debug, Default)]
pub(super) struct Stranded {
    pub(super) places: Vec<Place>,
    /// Since one of them had no server left.
    waiting: Option<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    pause: Duration,
    /// When those that failed are asked again.
    next_try: Instant,
    give_up: Instant,
}

impl Waiting {
    fn since(now: Instant, patience: Duration) -> Self {
        Self { pause: FIRST_PAUSE, next_try: now + FIRST_PAUSE, give_up: now + patience }
    }
}

impl Stranded {
    /// A reply counted: patience begins anew.
    pub(super) fn has_progressed(&mut self) {
        self.waiting = None;
    }
}

impl Gathering<'_> {
    /// Asks for what is stranded again, on the newest view.
    pub(super) fn look_again(&mut self) {
        let broker = self.broker;
        self.looking = Some(Box::pin(broker.views.current()));
    }

    /// Here it is.
    ///
    /// # Errors
    /// When a segment failed on all of its servers, and one of them was there.
    pub(super) fn look(&mut self, view: Arc<ClusterView>) -> Result<()> {
        self.looking = None;
        self.view = view;
        let now = Instant::now();
        let places = std::mem::take(&mut self.stranded.places);
        if let Some(waiting) = &mut self.stranded.waiting
            && now >= waiting.next_try
        {
            let again: HashSet<Place> = places.iter().copied().collect();
            self.avoided.retain(|(_, place)| !again.contains(place));
            waiting.pause = (waiting.pause * 2).min(LONGEST_PAUSE);
            waiting.next_try = now + waiting.pause;
        }
        self.stranded.places = self.ask(&places, Reason::Retry);
        if self.stranded.places.is_empty() {
            return Ok(());
        }
        self.judge(now)
    }

    /// What becomes of segments that nobody can be asked for on the newest view.
    fn judge(&mut self, now: Instant) -> Result<()> {
        let stranded = &self.stranded.places;
        let is_final = |place: &Place| {
            let trouble = self.troubles.get(place)?;
            (trouble.class() != ErrorClass::Unavailable).then(|| trouble.clone())
        };
        if let Some(error) = stranded.iter().find_map(is_final) {
            return Err(error.into());
        }
        let descriptor = |place: &Place| self.segments.get(*place);
        let is_served = |segment: &&SegmentDescriptor| self.view.is_served(&segment.id);
        let all = stranded.iter().filter_map(descriptor);
        let vanished: Vec<_> = all.filter(|segment| !is_served(segment)).cloned().collect();
        if !vanished.is_empty() {
            self.gathered.vanished = vanished;
            return Ok(());
        }
        let patience = self.broker.options.unreached_patience;
        let waiting = self.stranded.waiting.get_or_insert(Waiting::since(now, patience));
        if now >= waiting.give_up {
            self.give_up();
            return Ok(());
        }
        let until = waiting.next_try.min(waiting.give_up);
        let (broker, view) = (self.broker, Arc::clone(&self.view));
        self.looking = Some(Box::pin(async move {
            broker.views.is_outdated_before(&view, until).await;
            broker.views.current().await
        }));
        Ok(())
    }

    /// The answer is without them, if it may be partial.
    fn give_up(&mut self) {
        let places = std::mem::take(&mut self.stranded.places);
        self.ledger.give_up(&places);
        for place in places {
            let Some(segment) = self.segments.get(place) else { continue };
            let unreached = &mut self.gathered.unreached;
            if let Some(trouble) = self.troubles.get(&place) {
                unreached.reasons.insert(segment.id.clone(), trouble.to_string());
            }
            unreached.segments.push(segment.clone());
        }
    }
}
