//! What is used again and what is deleted is in deep storage's manifests before it is answered: the metadata
//! may be lost right after, and nothing restored from the manifests asks for an object that is gone.

use async_trait::async_trait;
use henge_types::SegmentId;

use super::written::ManifestedStore;
use crate::metadata::error::Result;
use crate::metadata::leases::Fence;
use crate::metadata::records::PublishedSegment;
use crate::metadata::unused::{UnusedFilter, UnusedSegment, UnusedSegments};

#[async_trait]
impl UnusedSegments for ManifestedStore {
    async fn unused_segments(&self, filter: &UnusedFilter) -> Result<Vec<UnusedSegment>> {
        self.inner.unused_segments(filter).await
    }

    async fn mark_used(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        let marked = self.inner.mark_used(ids, fence).await?;
        self.write_manifests().await?;
        Ok(marked)
    }

    async fn condemn_segments(
        &self,
        ids: &[SegmentId],
        unused_before_ms: i64,
        fence: Option<&Fence>,
    ) -> Result<Vec<PublishedSegment>> {
        let condemned = self.inner.condemn_segments(ids, unused_before_ms, fence).await?;
        self.write_manifests().await?;
        Ok(condemned)
    }

    async fn forget_condemned(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        let forgotten = self.inner.forget_condemned(ids, fence).await?;
        self.write_manifests().await?;
        Ok(forgotten)
    }

    async fn unnamed_objects(&self, keys: &[String]) -> Result<Vec<String>> {
        self.inner.unnamed_objects(keys).await
    }
}
