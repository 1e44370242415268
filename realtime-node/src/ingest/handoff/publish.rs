//! Publishing the chunks that are ready, whatever else of their generations waits, with what is
//! published of the source from then on, in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use henge_platform::metadata::{IdempotencyRecord, MetadataError, PublishOutcome, PublishRequest};
use henge_platform::runtime::{crash_point, random, spawn};
use henge_types::{ErrorClass, Interval, SegmentId};
use tokio::time::Instant;

use super::closed::{Closed, ClosedChunk};
use super::retry::Retry;
use super::{Worker, prepare};
use crate::commit::commit;
use crate::error::{RealtimeError, Result};
use crate::ingest::generation::Generation;
use crate::ingest::published::Published;
use crate::publication::{files, published};
use crate::release::{let_go, release_when_served};

/// Chunks by the index of their generation and their own.
type Chunks = BTreeSet<(usize, usize)>;

/// What one transaction publishes.
struct Publication {
    chunks: Chunks,
    /// Generations, from the first, of which nothing waits afterwards.
    finished: usize,
    /// What is published of the source then.
    published: Published,
}

impl Worker {
    /// Publishes what is ready and due.
    pub(super) async fn publish_ready(&mut self) {
        loop {
            let ready = self.ready(Instant::now());
            let Some(publication) = self.publication(ready) else { return };
            match self.commit(&publication).await {
                Ok(outcome) => self.settle(publication, outcome).await,
                // One of them may be at fault: it must not hold up the others.
                Err(error) if publication.chunks.len() > 1 && is_of_a_chunk(&error) => {
                    return self.publish_one_by_one().await;
                }
                Err(error) => return self.give_way(&publication, error).await,
            }
        }
    }

    async fn publish_one_by_one(&mut self) {
        let now = Instant::now();
        while let Some(first) = self.ready(now).first().copied() {
            let Some(publication) = self.publication(BTreeSet::from([first])) else { return };
            match self.commit(&publication).await {
                Ok(outcome) => self.settle(publication, outcome).await,
                Err(error) => self.give_way(&publication, error).await,
            }
        }
    }

    /// What to do after a publication that did not happen.
    async fn give_way(&mut self, publication: &Publication, error: RealtimeError) {
        match &error {
            // They have to be pushed again before they are ready.
            RealtimeError::Metadata(MetadataError::VersionConflict { ids }) => {
                self.place_anew(&publication.chunks, ids).await;
            }
            RealtimeError::Metadata(MetadataError::SourceConflict { .. })
                if !self.source.is_answered_here() =>
            {
                self.note_failures(publication, &error);
                self.verify_published().await;
            }
            RealtimeError::Metadata(MetadataError::Fenced { .. }) => {
                self.shared.lease.note_fenced();
                self.halt.fail(&error.to_string());
                self.note_failures(publication, &error);
            }
            _ => self.note_failures(publication, &error),
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
        let mut published = self.published.clone();
        let beginning = self.source.beginning();
        let mut finished = 0;
        for (at, closed) in self.closed.iter().enumerate() {
            let Generation { start, end, .. } = &closed.generation;
            let waits = closed.chunks.iter().enumerate();
            let waits = waits.filter(|(number, _)| !chunks.contains(&(at, *number)));
            let waiting: Vec<Interval> = waits.map(|(_, chunk)| chunk.interval).collect();
            if waiting.len() < closed.chunks.len() || closed.chunks.is_empty() {
                published.settle(start, end, &beginning, &waiting);
            }
            if waiting.is_empty() && finished == at {
                finished = at + 1;
            }
        }
        let moves = finished > 0 && self.closed[0].retry.is_due(Instant::now());
        if chunks.is_empty() && !moves {
            return None;
        }
        if let Some(Closed { generation, .. }) = self.closed[..finished].last() {
            published.move_to(&generation.end, generation.schema.version, &generation.known);
        }
        Some(Publication { chunks, finished, published })
    }

    async fn commit(&self, publication: &Publication) -> Result<PublishOutcome> {
        crash_point("handoff/pushed");
        let source_id = self.source.id();
        let source = self.published.advance(source_id, &publication.published)?;
        if source.is_none() && publication.chunks.is_empty() {
            // Nothing came since the last one.
            return Ok(PublishOutcome::default());
        }
        let last =
            publication.chunks.last().map(|(at, _)| *at).max(publication.finished.checked_sub(1));
        if let Some(last) = last.and_then(|last| self.closed.get(last)) {
            self.source.may_publish(&last.generation.end)?;
        }
        let outgoing =
            publication.chunks.iter().map(|(at, chunk)| &self.closed[*at].chunks[*chunk]);
        let request = PublishRequest {
            // Random, because a restart may publish the same rows in other segments.
            transaction_id: format!("{source_id}:{:032x}", random::<u128>()),
            segments: outgoing.flat_map(|chunk| published(&chunk.outgoing)).collect(),
            source,
            idempotency: self.finished_records(publication).cloned().collect(),
            replace: None,
            fence: self.source.is_answered_here().then(|| self.shared.lease.fence()).transpose()?,
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

    /// What is remembered of generations that are wholly published: until then their source has it.
    fn finished_records(
        &self,
        publication: &Publication,
    ) -> impl Iterator<Item = &IdempotencyRecord> {
        let finished = self.closed[..publication.finished].iter();
        finished.flat_map(|closed| &closed.generation.remembered).map(|one| &one.record)
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
        self.published = publication.published;
        let finished: Vec<_> = self.closed.drain(..publication.finished).collect();
        self.show();
        self.shared.published.notify_one();
        let ids: Vec<SegmentId> = segments.iter().map(|s| s.published.id.clone()).collect();
        spawn(release_when_served(Arc::clone(&self.shared), ids, outcome.sequence));
        if !finished.is_empty() {
            self.shared.uptime.prune_keys(self.shared.options.idempotency_retention_ms).await;
            self.tell_source().await;
        }
        for done in finished.into_iter().filter_map(|closed| closed.done) {
            let _ = done.send(());
        }
    }

    async fn tell_source(&self) {
        if let Err(error) = self.source.commit(&self.published.positions()).await {
            tracing::warn!(datasource = %self.datasource, %error, "a source was not told what is published, will be at the next hand-off");
        }
    }

    /// Somebody else published from the source. What is buffered here may be what they published: it is
    /// let go and read again behind that. That positions went back is no work of a reader.
    async fn verify_published(&self) {
        let id = self.source.id();
        let marks = match self.shared.metadata.source(id).await {
            Ok(marks) => marks,
            // It is found out at the next attempt.
            Err(error) => return tracing::warn!(source = id, %error, "failed to read positions"),
        };
        match Published::read(self.published.order(), &marks) {
            Ok(now) => match now.moved_since(&self.published) {
                None => {}
                Some((partition, false)) => {
                    tracing::warn!(source = id, %partition, "somebody else published from a source");
                    self.halt.supersede();
                }
                Some((partition, true)) => self.halt.fail(&format!(
                    "the metadata have an earlier position of partition '{partition}' of source \
                     '{id}' than was published: they were put back from a copy"
                )),
            },
            Err(error) => self.halt.fail(&error.to_string()),
        }
    }

    /// Lets go of all that is buffered.
    pub(super) async fn let_all_go(&mut self) {
        let closed = std::mem::take(&mut self.closed);
        let chunks = closed.iter().flat_map(|closed| &closed.chunks);
        let ids: Vec<SegmentId> = chunks.flat_map(ClosedChunk::ids).collect();
        let_go(&self.shared, &ids).await;
        self.show();
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

/// True when the store understood the request and does not do it, and other chunks alone it may.
fn is_of_a_chunk(error: &RealtimeError) -> bool {
    let is_of_all = matches!(
        error,
        RealtimeError::Metadata(
            MetadataError::VersionConflict { .. }
                | MetadataError::SourceConflict { .. }
                | MetadataError::Fenced { .. }
        )
    );
    !is_of_all && !matches!(error.class(), ErrorClass::Unavailable | ErrorClass::Capacity)
}
