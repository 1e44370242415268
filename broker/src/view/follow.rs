//! Keeping the view current: the metadata by change sequence, announcements by version.
//!
//! A query finds the view current without asking anybody, unless something was committed or
//! announced meanwhile. All that is new is applied to a copy, which then takes the view's place: a
//! publication is seen whole or not at all.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::discovery::inventory::InventoryVersion;
use henge_platform::discovery::{Discovery, Followed};
use henge_platform::metadata::{
    BufferedSegment, MetadataError, MetadataStore, PublishedSegment, READ_WITHIN, SegmentChange,
    SegmentSnapshot, TaskFilter, TaskRecord, buffering_servers,
};
use henge_platform::runtime::{spawn, watch};
use henge_types::SegmentId;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::pulse::{BEAT, Pulse};
use super::{Away, ClusterView, MetadataPosition};
use crate::error::{BrokerError, Result};

/// How long a segment that just lost its last server, or that was just published, is waited for
/// before queries fail.
const GRACE: Duration = Duration::from_secs(5);
/// The same at the start: nearly all that nobody serves then was tried, and failed.
const GRACE_AT_START: Duration = Duration::from_secs(3);
/// The longest time between two reads of the metadata: finds what other processes committed.
const PERIOD: Duration = Duration::from_secs(2);
/// How long a query waits for the metadata before it goes on with what was known last.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long somebody waits who asks for all that the metadata have.
const LONG_PATIENCE: Duration = Duration::from_secs(30);
/// While the metadata are away they are tried again after so long.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether a process was followed far enough.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Changes asked for in one go.
const CHANGES_PER_READ: usize = 10_000;
/// How often reading starts over because something was committed meanwhile.
const ROUNDS: usize = 8;

/// Keeps the newest view.
#[derive(Debug)]
pub(crate) struct ClusterViews {
    discovery: Arc<dyn Discovery>,
    metadata: Arc<dyn MetadataStore>,
    versions: watch::Receiver<u64>,
    commits: watch::Receiver<u64>,
    current: Mutex<Arc<ClusterView>>,
    pulse: Pulse,
    /// Held by the one who brings the view up to date.
    catching_up: tokio::sync::Mutex<()>,
}

/// What was read of the metadata.
struct Read {
    /// The count of commits before it was read.
    commits: u64,
    began: Instant,
    outcome: Result<Found, MetadataError>,
}

struct Found {
    /// Servers that may buffer rows.
    buffering: Vec<String>,
    buffered: Vec<BufferedSegment>,
    used: Used,
}

enum Used {
    All(SegmentSnapshot),
    Changes(Vec<SegmentChange>, u64),
}

impl Read {
    fn apply(self, view: &mut ClusterView) {
        let now = Instant::now();
        let is_first = view.metadata.sequence.is_none();
        let awaited_until = now + if is_first { GRACE_AT_START } else { GRACE };
        let used = match self.outcome {
            Ok(Found { buffering, buffered, used }) => {
                view.replace_buffered(&buffered, awaited_until);
                view.replace_buffering(buffering);
                used
            }
            Err(error) => {
                let since = view.metadata.away.as_ref().map_or(now, |away| away.since);
                tracing::warn!(%error, "cannot read the metadata, the last complete view is used");
                let reason = error.to_string().into();
                view.metadata.away = Some(Away { since, tried: now, reason });
                return;
            }
        };
        // Read after what is buffered: what was published in between is used now.
        let sequence = match used {
            Used::All(snapshot) => {
                view.replace_used(&snapshot.segments, awaited_until);
                snapshot.sequence
            }
            Used::Changes(changes, sequence) => {
                view.apply_used(&changes, awaited_until);
                sequence
            }
        };
        view.metadata = MetadataPosition {
            sequence: Some(sequence),
            commits: self.commits,
            read_at: Some(self.began),
            away: None,
        };
    }
}

impl ClusterViews {
    /// Follows both.
    #[must_use]
    pub(crate) fn new(discovery: Arc<dyn Discovery>, metadata: Arc<dyn MetadataStore>) -> Self {
        Self {
            versions: discovery.watch(),
            commits: metadata.commits(),
            discovery,
            metadata,
            current: Mutex::default(),
            pulse: Pulse::default(),
            catching_up: tokio::sync::Mutex::default(),
        }
    }

    /// The view that includes every change committed and announced so far. While the metadata are
    /// away it is the last complete one, and says so.
    ///
    /// # Errors
    /// `MetadataAway` when the metadata were never read.
    pub(crate) async fn current(&self) -> Result<Arc<ClusterView>> {
        let view = self.latest();
        if self.is_current(&view, None) {
            return Ok(view);
        }
        self.catch_up(None).await
    }

    /// As [`ClusterViews::current`], with all that any process committed before `moment`: asks the metadata
    /// unless that was done since, or they were away a moment ago.
    ///
    /// # Errors
    /// As [`ClusterViews::current`].
    pub(crate) async fn as_of(&self, moment: Instant) -> Result<Arc<ClusterView>> {
        self.catch_up(Some(moment)).await
    }

    /// All used segments with what the metadata keep of each, which the view does not.
    ///
    /// # Errors
    /// `MetadataAway` when the metadata cannot be read.
    pub(crate) async fn used_segments(&self) -> Result<Vec<PublishedSegment>> {
        let snapshot = self.ask_metadata(self.metadata.used_segments()).await?;
        match snapshot.complete {
            true => Ok(snapshot.segments),
            false => Err(away(&MetadataError::Unavailable("its list of segments is cut".into()))),
        }
    }

    /// Tasks as the metadata keep them, the newest first.
    ///
    /// # Errors
    /// `MetadataAway` when the metadata cannot be read.
    pub(crate) async fn tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
        self.ask_metadata(self.metadata.list_tasks(filter)).await
    }

    async fn ask_metadata<T>(
        &self,
        asked: impl Future<Output = Result<T, MetadataError>>,
    ) -> Result<T> {
        match tokio::time::timeout(LONG_PATIENCE, asked).await {
            Ok(answered) => answered.map_err(|error| away(&error)),
            Err(_) => Err(away(&MetadataError::Unavailable("it does not answer".into()))),
        }
    }

    /// How far other processes were followed; all of that is in views that are taken from now on.
    pub(crate) fn followed(&self) -> Arc<Followed> {
        self.discovery.followed()
    }

    /// Waits until a process was followed so far; false when that was not before `deadline`.
    pub(crate) async fn is_followed_before(
        &self,
        address: &Arc<str>,
        at: &InventoryVersion,
        deadline: Instant,
    ) -> bool {
        let mut versions = self.versions.clone();
        let is_followed = || {
            let followed = self.discovery.followed();
            followed.get(address).is_some_and(|followed| followed.covers(at))
        };
        while !is_followed() {
            if Instant::now() >= deadline {
                return false;
            }
            versions.borrow_and_update();
            // That a change was taken whole is noted an instant after it.
            let _ = tokio::time::timeout(LOOK_AGAIN, versions.changed()).await;
        }
        true
    }

    /// What was known last.
    #[must_use]
    pub(crate) fn latest(&self) -> Arc<ClusterView> {
        Arc::clone(&self.current.lock())
    }

    /// Why nobody serves a segment: what servers reported, or who should have its rows.
    #[must_use]
    pub(crate) fn trouble(&self, id: &SegmentId) -> Option<String> {
        let away = || {
            let view = self.latest();
            let owner = view.tables.get(&id.datasource)?.holder(id)?;
            Some(format!("buffered by '{owner}', which is away or still replays its log"))
        };
        self.discovery.trouble(id).or_else(away)
    }

    /// Waits until something is newer than `view`; false when nothing came before `deadline`.
    pub(crate) async fn is_outdated_before(&self, view: &ClusterView, deadline: Instant) -> bool {
        let (mut versions, mut commits) = (self.versions.clone(), self.commits.clone());
        let newer = async {
            let is_away = view.metadata.away.is_some();
            tokio::select! {
                biased;
                _ = versions.wait_for(|version| *version != view.version) => {}
                _ = commits.wait_for(|count| *count != view.metadata.commits), if !is_away => {}
            }
        };
        tokio::time::timeout_at(deadline, newer).await.is_ok()
    }

    /// Notices from now on whether the process stands still.
    pub(crate) fn keep_pulse(self: &Arc<Self>) {
        self.pulse.start();
        let views = Arc::downgrade(self);
        spawn(async move {
            while let Some(views) = views.upgrade() {
                views.pulse.beat();
                drop(views);
                tokio::time::sleep(BEAT).await;
            }
        });
    }

    /// Waits for a commit, or for as long as the metadata may go unread.
    pub(crate) async fn wake(&self) {
        let mut commits = self.commits.clone();
        let known = self.latest();
        if known.metadata.away.is_some() {
            tokio::time::sleep(RETRY).await;
            return;
        }
        let newer = commits.wait_for(|count| *count != known.metadata.commits);
        let _ = tokio::time::timeout(PERIOD, newer).await;
    }

    fn is_current(&self, view: &ClusterView, as_of: Option<Instant>) -> bool {
        *self.versions.borrow() == view.version && !self.wants_metadata(view, as_of)
    }

    fn wants_metadata(&self, view: &ClusterView, as_of: Option<Instant>) -> bool {
        let position = &view.metadata;
        match &position.away {
            Some(away) => away.tried.elapsed() >= RETRY,
            None => {
                position.sequence.is_none()
                    || position.commits != *self.commits.borrow()
                    || as_of.is_some_and(|moment| !position.was_read_after(moment))
                    // Who begins to buffer counts on it.
                    || position.read_at.is_some_and(|at| at.elapsed() >= READ_WITHIN)
                    || self.stood_still_since(position.read_at)
            }
        }
    }

    fn stood_still_since(&self, moment: Option<Instant>) -> bool {
        self.pulse.beat().is_some_and(|running_since| moment < Some(running_since))
    }

    async fn catch_up(&self, as_of: Option<Instant>) -> Result<Arc<ClusterView>> {
        let _turn = self.catching_up.lock().await;
        let before = self.latest();
        if self.is_current(&before, as_of) {
            return Ok(before);
        }
        let mut view = ClusterView::clone(&before);
        let mut ask_metadata = self.wants_metadata(&view, as_of);
        let mut is_excused = false;
        for _ in 0..ROUNDS {
            let read = match ask_metadata {
                true => Some(self.read_metadata(&view).await),
                false => None,
            };
            // A segment that the metadata know of was announced as buffered before.
            let must_ask = self.follow_discovery(&mut view);
            match read {
                // That no answer came while the process stood still says nothing of the metadata.
                Some(Read { outcome: Err(_), began, .. })
                    if !is_excused && self.stood_still_since(Some(began)) =>
                {
                    is_excused = true;
                }
                Some(read) => read.apply(&mut view),
                None => {}
            }
            // Announcements are never shown without the commits before them.
            ask_metadata = self.wants_metadata(&view, None);
            // What a server had buffered may be noted by now, or published, or replayed; and who loaded a
            // segment knew that another process had published it.
            ask_metadata |= must_ask && view.metadata.away.is_none();
            if !ask_metadata {
                break;
            }
        }
        if view.metadata.sequence.is_none() {
            let away = view.metadata.away.as_ref();
            let reason = away.map(|away| away.reason.to_string()).unwrap_or_default();
            return Err(BrokerError::MetadataAway { reason });
        }
        let view = Arc::new(view);
        *self.current.lock() = Arc::clone(&view);
        Ok(view)
    }

    async fn read_metadata(&self, view: &ClusterView) -> Read {
        let (commits, began) = (*self.commits.borrow(), Instant::now());
        let read = self.read(view.metadata.sequence);
        let outcome = match tokio::time::timeout(PATIENCE, read).await {
            Ok(outcome) => outcome,
            Err(_) => Err(MetadataError::Unavailable("it does not answer".into())),
        };
        Read { commits, began, outcome }
    }

    async fn read(&self, sequence: Option<u64>) -> Result<Found, MetadataError> {
        let buffering = buffering_servers(&*self.metadata).await?;
        let buffered = self.metadata.buffered_segments().await?;
        Ok(Found { buffering, buffered, used: self.read_used(sequence).await? })
    }

    async fn read_used(&self, sequence: Option<u64>) -> Result<Used, MetadataError> {
        let Some(mut sequence) = sequence else {
            let snapshot = self.metadata.used_segments().await?;
            return match snapshot.complete {
                true => Ok(Used::All(snapshot)),
                false => Err(MetadataError::Unavailable("its list of segments is cut".into())),
            };
        };
        let mut all = Vec::new();
        loop {
            let batch = self.metadata.segment_changes(sequence, CHANGES_PER_READ).await?;
            all.extend(batch.changes);
            sequence = batch.sequence;
            if !batch.more {
                return Ok(Used::Changes(all, sequence));
            }
        }
    }

    /// True when the metadata have to say what became of rows: a server left, or withdrew what it buffered, or
    /// tells all that it has now, and nobody saw what came and went before; or one announces a published segment
    /// that is not known.
    fn follow_discovery(&self, view: &mut ClusterView) -> bool {
        let awaited_until = Instant::now() + GRACE;
        // Without metadata so far, only what is announced now says what is buffered now.
        let is_first = view.metadata.sequence.is_none();
        match self.discovery.changes_since(view.version).filter(|_| !is_first) {
            Some(changes) => {
                let mut must_ask = changes.iter().any(|change| change.left || change.is_whole);
                for change in changes {
                    if change.left {
                        view.servers.remove(&change.server);
                        view.lose(&change.server, &change.changes.remove, awaited_until);
                    } else {
                        let description = Arc::clone(&change.description);
                        view.servers.insert(change.server.clone(), description);
                        must_ask |= change.changes.add.iter().any(|added| view.is_news(added));
                        must_ask |=
                            view.apply_ahead(&change.server, &change.changes, awaited_until);
                    }
                    view.version = change.version;
                }
                must_ask
            }
            None => {
                view.apply_snapshot(&self.discovery.snapshot(), awaited_until);
                true
            }
        }
    }
}

fn away(error: &MetadataError) -> BrokerError {
    BrokerError::MetadataAway { reason: error.to_string() }
}
