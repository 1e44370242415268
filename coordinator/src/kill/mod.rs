//! Deleting for good: segments that nobody has used for long go from deep storage and from the metadata.
//!
//! What is not used stays until a grace is over, and can be used again until then. After that a segment is
//! condemned, in a transaction under the leader's fence that proves that no other segment names its object; its
//! object is deleted; it is forgotten. Whoever dies in between is followed by somebody who goes on (F-43).

mod judge;
mod replaced;
#[cfg(test)]
mod tests;

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

/// The time between two looks for what may go.
const PERIOD: Duration = Duration::from_secs(1_800);
/// Segments condemned in one transaction.
const AT_ONCE: usize = 100;
/// Segments looked at in one run, at most: a mistake is noticed before it is through.
pub(crate) const MOST: usize = 10_000;

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
    pub stays: Vec<(UnusedSegment, String)>,
    /// Condemned before, and perhaps not deleted yet.
    pub condemned: Vec<UnusedSegment>,
    /// There are more segments than were looked at.
    pub more: bool,
}

/// What went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Killed {
    pub segments: Vec<SegmentId>,
    pub bytes: u64,
    /// Why the others did not, as far as that is not known beforehand.
    pub failed: Vec<(SegmentId, String)>,
}

impl Coordinator {
    /// Deletes what may go, now and then, while it leads. Never returns.
    pub(crate) async fn kill_now_and_then(&self) {
        let Some(storage) = &self.storage else { return std::future::pending().await };
        let mut leads_since = None;
        loop {
            tokio::time::sleep(PERIOD).await;
            match self.kill_if_due(storage, &mut leads_since).await {
                Ok(None) => {}
                Ok(Some(killed)) => tracing::info!(
                    segments = killed.segments.len(),
                    bytes = killed.bytes,
                    failed = killed.failed.len(),
                    "deleted segments that nobody used for long"
                ),
                Err(error) => {
                    tracing::warn!(%error, "deleting unused segments failed, and goes on later");
                }
            }
        }
    }

    /// `None` when it is not for this coordinator to do, or not yet.
    async fn kill_if_due(
        &self,
        storage: &Arc<dyn DeepStorage>,
        leads_since: &mut Option<(u64, u64)>,
    ) -> Result<Option<Killed>> {
        let Some(term) = self.shared.leadership.term() else { return Ok(None) };
        let now_ms = self.shared.clock.running_ms();
        let (epoch, since_ms) = *leads_since.get_or_insert((term.epoch, now_ms));
        if epoch != term.epoch {
            *leads_since = Some((term.epoch, now_ms));
            return Ok(None);
        }
        let set = self.config.read().await?;
        let waits_ms = set.wait_before_deleting_ms();
        let may_kill = set.kills() && !set.config.pause_coordination.unwrap_or(false);
        if !may_kill || now_ms < since_ms + waits_ms || !self.shared.sight.is_complete() {
            return Ok(None);
        }
        let judged = self.judge_unused(&Scope::GraceIsOver, MOST).await?;
        let killed = self.kill_judged(storage, judged, &term, set.unused_before_ms(self.now_ms()));
        let killed = killed.await?;
        Ok((killed != Killed::default()).then_some(killed))
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

    /// What would go, and what would stay. Changes nothing.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub(crate) async fn judge_unused(&self, scope: &Scope, most: usize) -> Result<Judged> {
        let set = self.config.read().await?;
        let filter = match scope {
            Scope::GraceIsOver => UnusedFilter::default(),
            Scope::Named { datasource, within } => UnusedFilter {
                datasource: Some(datasource.clone()),
                within: *within,
                ..UnusedFilter::default()
            },
        };
        let filter = UnusedFilter { limit: most.saturating_add(1), ..filter };
        let mut unused = self.metadata.unused_segments(&self.aged(filter, scope, &set)).await?;
        let more = unused.len() > most;
        unused.truncate(most);
        let facts = self.facts(scope, set, &unused).await?;
        let mut judged = Judged { more, ..Judged::default() };
        for one in unused {
            match judge(&one, &facts) {
                Verdict::Condemned => judged.condemned.push(one),
                Verdict::Goes => judged.goes.push(one),
                Verdict::Stays(why) => judged.stays.push((one, why)),
            }
        }
        Ok(judged)
    }

    /// Without those that are sure to stay for long.
    fn aged(&self, filter: UnusedFilter, scope: &Scope, set: &OperatorSettings) -> UnusedFilter {
        let before_ms = match scope {
            Scope::GraceIsOver => set.unused_before_ms(self.now_ms()),
            Scope::Named { .. } => i64::MAX,
        };
        UnusedFilter { before_ms, ..filter }
    }

    async fn facts(
        &self,
        scope: &Scope,
        set: OperatorSettings,
        unused: &[UnusedSegment],
    ) -> Result<Facts> {
        let running = TaskFilter {
            status: Some(TaskStatus::Running),
            limit: i64::MAX as usize,
            ..TaskFilter::default()
        };
        let tasks = self.metadata.list_tasks(&running).await?;
        let oldest = tasks.into_iter().min_by_key(|task| task.created_ms);
        let servers = self.discovery.snapshot();
        let used = self.used_now().await?;
        let storage = self.storage.as_deref();
        let without_replacement =
            replaced::without_replacement(unused, used, &servers, storage).await?;
        let now_ms = self.now_ms();
        let is_named = matches!(scope, Scope::Named { .. });
        Ok(Facts {
            ends_before_ms: if is_named { i64::MAX } else { set.ends_before_ms(now_ms) },
            only: set
                .config
                .kill_data_source_whitelist
                .filter(|names| !is_named && !names.is_empty()),
            oldest_task: oldest.map(|task| (task.id, task.created_ms)),
            without_replacement,
            servers,
        })
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
