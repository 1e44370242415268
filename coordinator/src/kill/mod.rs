//! Deleting for good: segments that nobody has used for long go from deep storage and from the metadata.
//!
//! What is not used stays until a grace is over, and can be used again until then. After that a segment is
//! condemned, in a transaction under the leader's fence that proves that no other segment names its object; its
//! object is deleted; it is forgotten. Whoever dies in between is followed by somebody who goes on (F-43).

mod judge;
mod replaced;
#[cfg(test)]
pub(crate) mod tests;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use henge_platform::metadata::manifest::MANIFEST_FOLDER;
use henge_platform::metadata::{
    PublishedSegment, TaskFilter, TaskStatus, UnusedFilter, UnusedSegment,
};
use henge_platform::storage::DeepStorage;
use henge_types::{Interval, SegmentId};

use crate::Coordinator;
use crate::audit::AuditEntry;
use crate::config::OperatorSettings;
use crate::error::{CoordinatorError, Result};
use crate::leadership::Term;
use crate::marking::Request;
pub(crate) use judge::Verdict;
use judge::{Facts, judge};

/// The time between two runs.
const PERIOD: Duration = Duration::from_secs(1_800);
/// The time until it is asked again whether a run is due.
const LOOK: Duration = Duration::from_secs(60);
/// Segments condemned in one transaction.
const AT_ONCE: usize = 100;
/// Segments that go in one run, at most: a mistake is noticed before it is through.
pub(crate) const MOST: usize = 10_000;
/// Segments judged at a time.
const PAGE: usize = 10_000;

/// Which unused segments are to go.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    /// All whose grace is over, as far as operators let them.
    GraceIsOver,
    /// Those that somebody named: what lies in this time of a datasource, whenever it became unused.
    Named { datasource: String, within: Interval },
}

/// What would go, and what stays and why.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judged {
    pub goes: Vec<UnusedSegment>,
    /// The first of them.
    pub stays: Vec<(UnusedSegment, String)>,
    /// Condemned before, and perhaps not deleted yet.
    pub condemned: Vec<UnusedSegment>,
    /// There are more segments than were looked at.
    pub more: bool,
}

impl Judged {
    fn going(&self) -> usize {
        self.goes.len() + self.condemned.len()
    }

    fn add(&mut self, one: UnusedSegment, verdict: Verdict) {
        match verdict {
            Verdict::Condemned => self.condemned.push(one),
            Verdict::Goes => self.goes.push(one),
            Verdict::Stays(why) if self.stays.len() < MOST => self.stays.push((one, why)),
            Verdict::Stays(_) => {}
        }
    }
}

/// What went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Killed {
    pub segments: Vec<SegmentId>,
    pub bytes: u64,
    /// Why the others did not, as far as that is not known beforehand.
    pub failed: Vec<(SegmentId, String)>,
}

impl Killed {
    fn tell(&self) {
        if *self != Self::default() {
            tracing::info!(
                segments = self.segments.len(),
                bytes = self.bytes,
                failed = self.failed.len(),
                "deleted segments that nobody used for long"
            );
        }
    }
}

impl Coordinator {
    /// Deletes what may go, now and then, while it leads. Never returns.
    pub(crate) async fn kill_now_and_then(&self) {
        let Some(storage) = &self.storage else { return std::future::pending().await };
        let mut leads_since = None;
        loop {
            let wait = match self.kill_if_due(storage, &mut leads_since).await {
                Ok(None) => LOOK,
                Ok(Some(killed)) => {
                    killed.tell();
                    PERIOD
                }
                Err(error) => {
                    tracing::warn!(%error, "deleting unused segments failed, and goes on later");
                    PERIOD
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// `None` when it is not for this coordinator to do, or not yet.
    async fn kill_if_due(
        &self,
        storage: &Arc<dyn DeepStorage>,
        leads_since: &mut Option<(u64, u64)>,
    ) -> Result<Option<Killed>> {
        let Some((term, leads_for_ms)) = self.leads_for(leads_since) else { return Ok(None) };
        let set = self.config.read().await?;
        let is_due = set.kills()
            && !set.config.pause_coordination.unwrap_or(false)
            && leads_for_ms >= set.wait_before_deleting_ms()
            && self.shared.sight.is_complete();
        if !is_due {
            return Ok(None);
        }
        let judged = self.judge_unused(&Scope::GraceIsOver, MOST).await?;
        let killed = self.kill_judged(storage, judged, &term, set.unused_before_ms(self.now_ms()));
        killed.await.map(Some)
    }

    /// The term, and for how long it lasts as far as was seen; `since` is the epoch that was seen last, and when.
    fn leads_for(&self, since: &mut Option<(u64, u64)>) -> Option<(Term, u64)> {
        let term = self.shared.leadership.term()?;
        let now_ms = self.shared.clock.running_ms();
        let (_, since_ms) = match *since {
            Some(seen) if seen.0 == term.epoch => seen,
            _ => *since.insert((term.epoch, now_ms)),
        };
        Some((term, now_ms.saturating_sub(since_ms)))
    }

    /// Deletes what somebody named, as far as nothing uses it.
    ///
    /// # Errors
    /// When not all of the cluster is seen, the metadata cannot be changed, or somebody else leads by now.
    pub(crate) async fn kill_named(
        &self,
        datasource: &str,
        within: Interval,
        most: usize,
        request: Request,
    ) -> Result<(Killed, Judged)> {
        let term = self.leading()?;
        let Some(storage) = &self.storage else { return Err(CoordinatorError::NoStorage) };
        if !self.shared.sight.is_complete() {
            return Err(CoordinatorError::NotAllSeen);
        }
        let scope = Scope::Named { datasource: datasource.to_owned(), within };
        let judged = self.judge_unused(&scope, most).await?;
        let killed = self.kill_judged(storage, judged.clone(), &term, i64::MAX).await?;
        if !killed.segments.is_empty() {
            let Request { author, comment, payload } = request;
            let entry = AuditEntry {
                action: "segment.kill".to_owned(),
                author,
                comment,
                payload,
                segments: killed.segments.len() as u64,
                time_ms: self.now_ms(),
            };
            self.audit.note(datasource, &entry).await?;
        }
        Ok((killed, judged))
    }

    /// What would go, at most `most` segments, and what would stay. Changes nothing.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub(crate) async fn judge_unused(&self, scope: &Scope, most: usize) -> Result<Judged> {
        let set = self.config.read().await?;
        let (facts, used) = (self.facts().await?, self.used_now().await?);
        let mut judged = Judged::default();
        for is_condemned in [true, false] {
            let mut filter = self.filter(scope, &set, is_condemned);
            loop {
                let page = self.metadata.unused_segments(&filter).await?;
                let is_last = page.len() < filter.limit;
                filter.after = page.last().map(|one| one.segment.id.clone());
                let storage = self.storage.as_deref();
                let used = Arc::clone(&used);
                let lacking =
                    replaced::without_replacement(&page, used, &facts.servers, storage).await?;
                for one in page {
                    if judged.going() >= most {
                        judged.more = true;
                        return Ok(judged);
                    }
                    let verdict = judge(&one, &facts, lacking.get(&one.segment.id));
                    judged.add(one, verdict);
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(judged)
    }

    /// What to look at: without those that are sure to stay for long. A deletion that was begun is finished
    /// whatever was set since.
    fn filter(&self, scope: &Scope, set: &OperatorSettings, is_condemned: bool) -> UnusedFilter {
        let all =
            UnusedFilter { condemned: Some(is_condemned), limit: PAGE, ..UnusedFilter::default() };
        match scope {
            Scope::Named { datasource, within } => {
                UnusedFilter { within: *within, datasources: [datasource.clone()].into(), ..all }
            }
            Scope::GraceIsOver if is_condemned => all,
            Scope::GraceIsOver => {
                let now_ms = self.now_ms();
                let end_ms = set.ends_before_ms(now_ms);
                UnusedFilter {
                    datasources: set.kill_whitelist(),
                    within: Interval { end_ms, ..Interval::ETERNITY },
                    before_ms: set.unused_before_ms(now_ms),
                    ..all
                }
            }
        }
    }

    async fn facts(&self) -> Result<Facts> {
        let oldest_task = self.oldest_task().await?;
        Ok(Facts { oldest_task, servers: self.discovery.snapshot() })
    }

    /// The task that has run for longest, with when it was accepted.
    async fn oldest_task(&self) -> Result<Option<(String, i64)>> {
        let running = TaskFilter {
            status: Some(TaskStatus::Running),
            limit: i64::MAX as usize,
            ..TaskFilter::default()
        };
        let tasks = self.metadata.list_tasks(&running).await?;
        let oldest = tasks.into_iter().min_by_key(|task| task.created_ms);
        Ok(oldest.map(|task| (task.id, task.created_ms)))
    }

    /// First what was condemned before, then what goes now.
    async fn kill_judged(
        &self,
        storage: &Arc<dyn DeepStorage>,
        judged: Judged,
        term: &Term,
        unused_before_ms: i64,
    ) -> Result<Killed> {
        let mut killed = Killed::default();
        let before: Vec<PublishedSegment> =
            judged.condemned.into_iter().map(|one| one.segment).collect();
        self.delete(storage, before, term, &mut killed).await?;
        let ids: Vec<SegmentId> = judged.goes.into_iter().map(|one| one.segment.id).collect();
        for some in ids.chunks(AT_ONCE) {
            if !self.shared.leadership.leads_under(term.epoch) || !self.shared.sight.is_complete() {
                break;
            }
            let fence = term.fence.as_ref();
            let condemned = self.metadata.condemn_segments(some, unused_before_ms, fence).await;
            let condemned = self.of_term(condemned, term.epoch)?;
            let is_condemned = |id: &&SegmentId| condemned.iter().any(|one| one.id == **id);
            let named = some.iter().filter(|id| !is_condemned(id)).cloned();
            let why = "it is used again, or another segment names its object";
            killed.failed.extend(named.map(|id| (id, why.to_owned())));
            self.delete(storage, condemned, term, &mut killed).await?;
        }
        Ok(killed)
    }

    /// Deletes the objects of condemned segments, and forgets those that are gone.
    async fn delete(
        &self,
        storage: &Arc<dyn DeepStorage>,
        condemned: Vec<PublishedSegment>,
        term: &Term,
        killed: &mut Killed,
    ) -> Result<()> {
        let mut gone = Vec::new();
        for segment in condemned {
            match delete_object(&**storage, &segment.object_key).await {
                Ok(()) => {
                    killed.bytes += segment.size_bytes;
                    gone.push(segment.id);
                }
                Err(why) => {
                    tracing::warn!(segment = %segment.id, why, "an object stays in deep storage for now");
                    killed.failed.push((segment.id, why));
                }
            }
        }
        for some in gone.chunks(AT_ONCE) {
            let forgotten = self.metadata.forget_condemned(some, term.fence.as_ref()).await;
            self.of_term(forgotten, term.epoch)?;
        }
        killed.segments.extend(gone);
        Ok(())
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.shared.clock.now_ms()
    }
}

async fn delete_object(storage: &dyn DeepStorage, key: &str) -> std::result::Result<(), String> {
    // Records are checked when they are written; what says how to find all others is never deleted here.
    if key.is_empty() || key.starts_with(MANIFEST_FOLDER) {
        return Err(format!("'{key}' is no object of a segment"));
    }
    storage.delete(key).await.map_err(|error| error.to_string())
}
