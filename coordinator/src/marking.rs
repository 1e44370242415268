//! Marking segments used and unused because somebody asked for it: only as the leader, noted with who and why.

use henge_placement::rules::Wanted;
use henge_platform::metadata::{MetadataError, UnusedFilter, UnusedSegment};
use henge_types::{Interval, SegmentId, Timeline};

use crate::Coordinator;
use crate::audit::AuditEntry;
use crate::error::{CoordinatorError, Result};
use crate::inventory::of_datasource;

/// Segments marked in one transaction.
const AT_ONCE: usize = 1_000;

/// Who asks for what, and why.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub author: String,
    pub comment: String,
    pub payload: serde_json::Value,
}

/// Some segments of a datasource.
#[derive(Debug, Clone)]
pub(crate) enum Selection {
    /// Those that lie within an interval, of these versions only when any are named.
    Within(Interval, Option<Vec<String>>),
    /// These; of other datasources none.
    These(Vec<SegmentId>),
}

impl Selection {
    /// All of them.
    pub(crate) fn all() -> Self {
        Self::Within(Interval::ETERNITY, None)
    }

    fn has(&self, id: &SegmentId) -> bool {
        match self {
            Self::Within(interval, versions) => {
                let is_named = |versions: &Vec<String>| versions.contains(&id.version.to_string());
                interval.contains_interval(&id.interval) && versions.as_ref().is_none_or(is_named)
            }
            Self::These(ids) => ids.contains(id),
        }
    }
}

/// What was marked used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsedAgain {
    pub segments: usize,
    /// What was left as it is, because rules would drop it again in the next run.
    pub dropped_by_rules: usize,
}

impl Coordinator {
    /// Marks used segments of a datasource unused; gives how many.
    ///
    /// # Errors
    /// When the metadata cannot be changed, or somebody else leads by now.
    pub(crate) async fn unuse(
        &self,
        datasource: &str,
        selection: &Selection,
        request: Request,
    ) -> Result<usize> {
        let used = self.used_now().await?;
        let asked = of_datasource(&used, datasource).filter(|(id, _)| selection.has(id));
        let ids: Vec<SegmentId> = asked.map(|(id, _)| id.clone()).collect();
        self.mark(datasource, &ids, Mark::Unused, request).await
    }

    /// Marks unused segments of a datasource used again, unless newer ones hide them, or rules drop them: they
    /// would be loaded and dropped again in a moment, each time that somebody asks.
    ///
    /// # Errors
    /// As [`unuse`](Self::unuse).
    pub(crate) async fn use_again(
        &self,
        datasource: &str,
        selection: &Selection,
        request: Request,
    ) -> Result<UsedAgain> {
        let within = match selection {
            Selection::Within(interval, _) => *interval,
            Selection::These(_) => Interval::ETERNITY,
        };
        let unused = self.unused_of(datasource, within).await?;
        let asked = unused.iter().filter(|unused| !unused.is_condemned);
        let asked = asked.filter(|unused| selection.has(&unused.segment.id));
        let asked: Vec<&UnusedSegment> = asked.collect();
        let mut timeline: Timeline<()> = Timeline::new();
        let used = self.used_now().await?;
        for (id, segment) in of_datasource(&used, datasource) {
            timeline.add(id.clone(), segment.shard_spec, ());
        }
        for unused in &asked {
            timeline.add(unused.segment.id.clone(), unused.segment.shard_spec, ());
        }
        let visible = asked.iter().map(|unused| &unused.segment.id);
        let visible = visible.filter(|id| !timeline.is_overshadowed(id)).cloned();
        let book = self.rules.book(self.replicas()).await?.book;
        let now_ms = self.shared.clock.now_ms();
        let (dropped, stay): (Vec<SegmentId>, Vec<SegmentId>) = visible.partition(|id| {
            matches!(book.wanted(&id.datasource, id.interval, now_ms), Wanted::Drop)
        });
        let segments = self.mark(datasource, &stay, Mark::Used, request).await?;
        Ok(UsedAgain { segments, dropped_by_rules: dropped.len() })
    }

    /// Unused segments of a datasource that lie within an interval.
    pub(crate) async fn unused_of(
        &self,
        datasource: &str,
        within: Interval,
    ) -> Result<Vec<UnusedSegment>> {
        let filter = UnusedFilter { within, ..UnusedFilter::of(datasource) };
        Ok(self.metadata.unused_segments(&filter).await?)
    }

    async fn mark(
        &self,
        datasource: &str,
        ids: &[SegmentId],
        mark: Mark,
        request: Request,
    ) -> Result<usize> {
        let term = self.leading()?;
        let mut marked = 0;
        for some in ids.chunks(AT_ONCE) {
            let done = match mark {
                Mark::Used => self.metadata.mark_used(some, term.fence.as_ref()).await,
                Mark::Unused => self.metadata.mark_unused(some, term.fence.as_ref()).await,
            };
            marked += self.of_term(done, term.epoch)?;
        }
        if marked > 0 {
            let Request { author, comment, payload } = request;
            tracing::info!(datasource, marked, author, comment, "{}", mark.action());
            let entry = AuditEntry {
                action: mark.action().to_owned(),
                author,
                comment,
                payload,
                segments: marked as u64,
                time_ms: self.shared.clock.now_ms(),
            };
            self.audit.note(datasource, &entry).await?;
            self.shared.wake.notify_one();
        }
        Ok(marked)
    }

    /// The outcome of a write of the leader; it leads no more when a fence refused it.
    pub(crate) fn of_term<T>(
        &self,
        outcome: std::result::Result<T, MetadataError>,
        epoch: u64,
    ) -> Result<T> {
        match outcome {
            Err(MetadataError::Fenced { .. }) => {
                self.shared.leadership.lost(epoch);
                Err(CoordinatorError::LeadsNoMore)
            }
            outcome => Ok(outcome?),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Mark {
    Used,
    Unused,
}

impl Mark {
    /// As Druid calls it.
    fn action(self) -> &'static str {
        match self {
            Self::Used => "segment.markUsed",
            Self::Unused => "segment.markUnused",
        }
    }
}
