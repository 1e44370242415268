//! Publishing the chunks that are ready, whatever else of their generations waits, with what is
//! published of the log from then on, in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use henge_platform::metadata::{
    IdempotencyRecord, MetadataError, PublishOutcome, PublishRequest, SourceAdvance,
};
use henge_platform::runtime::{blocking, crash_point, random};
use henge_types::{ErrorClass, Interval, SegmentId};
use tokio::time::Instant;

use super::retry::Retry;
use super::{Worker, prepare};
use crate::commit::commit;
use crate::error::{RealtimeError, Result};
use crate::publication::{files, published};
use crate::push::PushDatasource;
use crate::push::published::PublishedLog;
use crate::release::release_when_served;

/// Chunks by the index of their generation and their own.
type Chunks = BTreeSet<(usize, usize)>;

/// What one transaction publishes.
struct Publication {
    chunks: Chunks,
    /// Generations, from the first, of which nothing waits afterwards.
    finished: usize,
    /// What is published of the log then.
    log: PublishedLog,
}

impl Worker {
    /// Publishes what is ready and due.
    pub(super) async fn publish_ready(&mut self) {
        loop {
            let ready = self.ready(Instant::now());
            let Some(publication) = self.publication(ready) else { return };
            match self.commit(&publication).await {
                Ok(outcome) => self.settle(publication, outcome).await,
                Err(RealtimeError::Metadata(MetadataError::VersionConflict { ids })) => {
                    // They have to be pushed again before they are ready.
                    self.place_anew(&publication.chunks, &ids).await;
                    return;
                }
                // One of them may be at fault: it must not hold up the others.
                Err(error) if publication.chunks.len() > 1 && is_of_the_request(&error) => {
                    return self.publish_one_by_one().await;
                }
                Err(error) => return self.note_failures(&publication, &error),
            }
        }
    }

    async fn publish_one_by_one(&mut self) {
        let now = Instant::now();
        while let Some(first) = self.ready(now).first().copied() {
            let Some(publication) = self.publication(BTreeSet::from([first])) else { return };
            match self.commit(&publication).await {
                Ok(outcome) => self.settle(publication, outcome).await,
                Err(RealtimeError::Metadata(MetadataError::VersionConflict { ids })) => {
                    self.place_anew(&publication.chunks, &ids).await;
                }
                Err(error) => self.note_failures(&publication, &error),
            }
        }
    }

    fn ready(&self, now: Instant) -> Chunks {
        let mut ready = Chunks::new();
        for (at, closed) in self.closed.iter().enumerate() {
            let chunks = closed.chunks.iter().enumerate();
            let due = chunks.filter(|(_, chunk)| chunk.is_ready() && chunk.retry.is_due(now));
            ready.extend(due.map(|(number, _)| (at, number)));
        }
        ready
    }

    /// What publishing these chunks says; `None` when there is nothing to say, or when it is not time
    /// to try again.
    fn publication(&self, chunks: Chunks) -> Option<Publication> {
        let mut ahead = self.published.ahead().clone();
        let mut finished = 0;
        for (at, closed) in self.closed.iter().enumerate() {
            let generation = &closed.generation;
            let waits = closed.chunks.iter().enumerate();
            let waits = waits.filter(|(number, _)| !chunks.contains(&(at, *number)));
            let waiting: Vec<Interval> = waits.map(|(_, chunk)| chunk.interval).collect();
            if waiting.len() < closed.chunks.len() || closed.chunks.is_empty() {
                ahead.settle(generation.start_position, generation.end_position, &waiting);
            }
            if waiting.is_empty() && finished == at {
                finished = at + 1;
            }
        }
        let moves = finished > 0 && self.closed[0].retry.is_due(Instant::now());
        if chunks.is_empty() && !moves {
            return None;
        }
        let last = finished.checked_sub(1).map(|last| &self.closed[last].generation);
        let log = match last {
            None => self.published.with_ahead(ahead),
            Some(last) => {
                PublishedLog::at(last.end_position, last.schema.version, &last.known, ahead)
            }
        };
        Some(Publication { chunks, finished, log })
    }

    async fn commit(&self, publication: &Publication) -> Result<PublishOutcome> {
        crash_point("handoff/pushed");
        let source_id = PushDatasource::source_id(&self.datasource);
        let outgoing =
            publication.chunks.iter().map(|(at, chunk)| &self.closed[*at].chunks[*chunk]);
        let request = PublishRequest {
            // Random, because a restart may publish the same rows in other segments.
            transaction_id: format!(
                "{source_id}:{}-{}:{:x}",
                self.published.position(),
                publication.log.position(),
                random::<u64>()
            ),
            segments: outgoing.flat_map(|chunk| published(&chunk.outgoing)).collect(),
            source: Some(SourceAdvance {
                source_id,
                expected: self.published.mark().clone(),
                next: publication.log.mark().clone(),
            }),
            idempotency: self.finished_keys(publication).cloned().collect(),
            replace: None,
        };
        // The age of the keys is counted from here.
        self.shared.uptime.advance().await?;
        let mut retry = Retry::new();
        let outcome = commit(&*self.shared.metadata, &request, |error| {
            let failure = retry.failed(None, error, self.shared.clock.now_ms());
            self.backlog.show_commit(Some(failure.clone()));
        });
        let outcome = outcome.await;
        self.backlog.show_commit(None);
        let outcome = outcome?;
        crash_point("handoff/published");
        Ok(outcome)
    }

    /// The keys of generations that are wholly published: until then the log has them.
    fn finished_keys(&self, publication: &Publication) -> impl Iterator<Item = &IdempotencyRecord> {
        self.closed[..publication.finished].iter().flat_map(|closed| &closed.generation.keys)
    }

    /// It is committed: segments are served as published ones from now on, and what is published
    /// wholly is forgotten.
    async fn settle(&mut self, publication: Publication, outcome: PublishOutcome) {
        let mut segments = Vec::new();
        // From the back, so that the indexes of the others stay.
        for (at, chunk) in publication.chunks.iter().rev() {
            let chunk = self.closed[*at].chunks.remove(*chunk);
            segments.extend(files(&chunk.outgoing));
        }
        if let Err(error) = self.shared.serving.announce_published(&segments) {
            tracing::error!(datasource = %self.datasource, %error, "failed to announce segments as published");
        }
        let keys = self.finished_keys(&publication).map(|record| record.key.as_str());
        self.keys.forget(keys);
        self.published = publication.log;
        let finished: Vec<_> = self.closed.drain(..publication.finished).collect();
        self.show();
        self.shared.published.notify_one();
        let ids: Vec<SegmentId> = segments.iter().map(|s| s.published.id.clone()).collect();
        tokio::spawn(release_when_served(Arc::clone(&self.shared), ids, outcome.sequence));
        if !finished.is_empty() {
            self.shared.uptime.prune_keys(self.shared.options.idempotency_retention_ms).await;
            self.cut_log().await;
        }
        for done in finished.into_iter().filter_map(|closed| closed.done) {
            let _ = done.send(());
        }
    }

    async fn cut_log(&self) {
        let (wal, next) = (self.wal.clone(), self.published.position() + 1);
        let truncated = blocking(move || wal.truncate_before(next)).await;
        if let Ok(Err(error)) = truncated {
            tracing::warn!(datasource = %self.datasource, %error, "failed to cut the log, will try again at the next hand-off");
        }
    }

    async fn place_anew(&mut self, chunks: &Chunks, ids: &[SegmentId]) {
        for (at, number) in chunks {
            let mut taken = self.closed[*at].chunks.remove(*number);
            let closed = &self.closed[*at];
            let placing = self.placing(&closed.generation, &closed.files);
            let placed = prepare::place_anew(&placing, &mut taken, ids).await;
            if let Err(error) = placed {
                self.note_failure(&mut taken.retry, Some(taken.interval), &error);
            }
            self.closed[*at].chunks.insert(*number, taken);
        }
    }

    fn note_failures(&mut self, publication: &Publication, error: &RealtimeError) {
        let mut closed = std::mem::take(&mut self.closed);
        for (at, number) in &publication.chunks {
            let chunk = &mut closed[*at].chunks[*number];
            self.note_failure(&mut chunk.retry, Some(chunk.interval), error);
        }
        if let (true, Some(first)) = (publication.chunks.is_empty(), closed.first_mut()) {
            self.note_failure(&mut first.retry, None, error);
        }
        self.closed = closed;
        self.show();
    }
}

/// True when the store understood the request and does not do it.
fn is_of_the_request(error: &RealtimeError) -> bool {
    !matches!(error.class(), ErrorClass::Unavailable | ErrorClass::Capacity)
}
