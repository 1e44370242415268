//! Segments that are not used. Every function runs within the caller's transaction.

use async_trait::async_trait;
use henge_types::SegmentId;

use super::convert::{payload_checksum, segment, to_i64, to_json};
use super::database::{Access, Connection};
use super::manifests::enqueue;
use super::segments::next_counter;
use super::statement::Row;
use super::{SqlMetadataStore, leases};
use crate::metadata::error::Result;
use crate::metadata::leases::Fence;
use crate::metadata::manifest::Manifest;
use crate::metadata::records::PublishedSegment;
use crate::metadata::unused::{
    Deletion, UnusedFilter, UnusedSegment, UnusedSegments, provably_unreferenced, remains,
};

#[async_trait]
impl UnusedSegments for SqlMetadataStore {
    async fn unused_segments(&self, filter: &UnusedFilter) -> Result<Vec<UnusedSegment>> {
        let filter = filter.clone();
        self.run(Access::Read, move |connection| {
            Box::pin(async move { list(connection, &filter).await })
        })
        .await
    }

    async fn mark_used(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        let (ids, fence) = (ids.to_vec(), fence.cloned());
        self.run(Access::WriteObserved, move |connection| {
            Box::pin(async move {
                leases::check(connection, fence.as_ref()).await?;
                mark_used(connection, &ids).await
            })
        })
        .await
    }

    async fn condemn_segments(
        &self,
        ids: &[SegmentId],
        unused_before_ms: i64,
        fence: Option<&Fence>,
    ) -> Result<Vec<PublishedSegment>> {
        let (ids, fence) = (ids.to_vec(), fence.cloned());
        self.run(Access::WriteObserved, move |connection| {
            Box::pin(async move {
                leases::check(connection, fence.as_ref()).await?;
                condemn(connection, &ids, unused_before_ms).await
            })
        })
        .await
    }

    async fn forget_condemned(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        let (ids, fence) = (ids.to_vec(), fence.cloned());
        self.run(Access::WriteObserved, move |connection| {
            Box::pin(async move {
                leases::check(connection, fence.as_ref()).await?;
                forget(connection, &ids).await
            })
        })
        .await
    }

    async fn unnamed_objects(&self, keys: &[String]) -> Result<Vec<String>> {
        let keys = keys.to_vec();
        self.run(Access::Read, move |connection| {
            Box::pin(async move { unnamed(connection, keys).await })
        })
        .await
    }
}

async fn list(connection: &mut Connection, filter: &UnusedFilter) -> Result<Vec<UnusedSegment>> {
    let least = if filter.condemned == Some(true) { Deletion::Condemned } else { Deletion::None };
    let below = match filter.condemned {
        Some(false) => Deletion::Condemned,
        _ => Deletion::Forgotten,
    };
    // Both dialects lack arrays that the other one has. No name holds a slash.
    let names: String = filter.datasources.iter().map(|name| format!("/{name}/")).collect();
    let after = filter.after.as_ref().map(ToString::to_string).unwrap_or_default();
    let rows = connection
        .statement(
            "SELECT id, payload, payload_checksum, unused_ms, deletion FROM segments \
             WHERE used = 0 AND deletion >= $1 AND deletion < $2 AND start_ms >= $3 AND end_ms <= $4 \
             AND unused_ms < $5 AND id > $6 \
             AND ($7 = '' OR replace($7, '/' || datasource || '/', '') <> $7) ORDER BY id LIMIT $8",
        )
        .bind(least as i64)
        .bind(below as i64)
        .bind(filter.within.start_ms)
        .bind(filter.within.end_ms)
        .bind(filter.before_ms)
        .bind(after)
        .bind(names)
        .bind(i64::try_from(filter.limit).unwrap_or(i64::MAX))
        .fetch_all()
        .await?;
    rows.iter().map(unused).collect()
}

fn unused(row: &Row) -> Result<UnusedSegment> {
    Ok(UnusedSegment {
        segment: segment(row)?,
        since_ms: row.i64("unused_ms")?,
        is_condemned: row.i64("deletion")? > 0,
    })
}

/// An unused segment that is not forgotten.
async fn find(connection: &mut Connection, id: &SegmentId) -> Result<Option<UnusedSegment>> {
    let row = connection
        .statement(
            "SELECT id, payload, payload_checksum, unused_ms, deletion FROM segments \
             WHERE id = $1 AND used = 0 AND deletion < $2",
        )
        .bind(id.to_string())
        .bind(Deletion::Forgotten as i64)
        .fetch_optional()
        .await?;
    row.as_ref().map(unused).transpose()
}

async fn mark_used(connection: &mut Connection, ids: &[SegmentId]) -> Result<usize> {
    let mut marked = Vec::new();
    for id in ids {
        let found = find(connection, id).await?.filter(|found| !found.is_condemned);
        let Some(found) = found else { continue };
        let sequence = next_counter(connection, "sequence").await?;
        connection
            .statement(
                "UPDATE segments SET used = 1, unused_ms = NULL, sequence = $1 WHERE id = $2",
            )
            .bind(to_i64(sequence, "sequence")?)
            .bind(id.to_string())
            .execute()
            .await?;
        marked.push(found.segment);
    }
    let count = marked.len();
    if count > 0 {
        enqueue(connection, Manifest { segments: marked, ..Manifest::default() }).await?;
    }
    Ok(count)
}

async fn condemn(
    connection: &mut Connection,
    ids: &[SegmentId],
    unused_before_ms: i64,
) -> Result<Vec<PublishedSegment>> {
    let (mut eligible, mut condemned) = (Vec::new(), Vec::new());
    for id in ids {
        match find(connection, id).await? {
            Some(found) if found.is_condemned => condemned.push(found.segment),
            Some(found) if found.since_ms < unused_before_ms => eligible.push(found.segment),
            _ => {}
        }
    }
    let mut sharing = Vec::new();
    for segment in &eligible {
        sharing.extend(naming(connection, &segment.object_key).await?);
    }
    let new = provably_unreferenced(&eligible, &sharing);
    for id in &new {
        set_deletion(connection, id, Deletion::Condemned).await?;
    }
    if !new.is_empty() {
        let condemned = new.clone();
        enqueue(connection, Manifest { condemned, ..Manifest::default() }).await?;
    }
    eligible.retain(|segment| new.contains(&segment.id));
    condemned.extend(eligible);
    Ok(condemned)
}

/// All segments that name an object and are not forgotten.
async fn naming(
    connection: &mut Connection,
    object_key: &str,
) -> Result<Vec<(SegmentId, String, Deletion)>> {
    let rows = connection
        .statement(
            "SELECT id, payload, payload_checksum, deletion FROM segments \
             WHERE object_key = $1 AND deletion < $2",
        )
        .bind(object_key)
        .bind(Deletion::Forgotten as i64)
        .fetch_all()
        .await?;
    let sharing = |row: &Row| {
        let deletion = if row.i64("deletion")? > 0 { Deletion::Condemned } else { Deletion::None };
        Ok((segment(row)?.id, object_key.to_owned(), deletion))
    };
    rows.iter().map(sharing).collect()
}

async fn unnamed(connection: &mut Connection, keys: Vec<String>) -> Result<Vec<String>> {
    let mut unnamed = Vec::new();
    for key in keys {
        let named = connection
            .statement("SELECT id FROM segments WHERE object_key = $1 AND deletion < $2 LIMIT 1")
            .bind(key.as_str())
            .bind(Deletion::Forgotten as i64)
            .fetch_optional()
            .await?;
        if named.is_none() {
            unnamed.push(key);
        }
    }
    Ok(unnamed)
}

pub(super) async fn set_deletion(
    connection: &mut Connection,
    id: &SegmentId,
    deletion: Deletion,
) -> Result<()> {
    connection
        .statement("UPDATE segments SET deletion = $1 WHERE id = $2")
        .bind(deletion as i64)
        .bind(id.to_string())
        .execute()
        .await?;
    Ok(())
}

async fn forget(connection: &mut Connection, ids: &[SegmentId]) -> Result<usize> {
    let mut forgotten = Vec::new();
    for id in ids {
        let found = find(connection, id).await?.filter(|found| found.is_condemned);
        let Some(found) = found else { continue };
        let segment = remains(found.segment);
        let payload = to_json(&segment)?;
        connection
            .statement(
                "UPDATE segments SET deletion = $1, payload = $2, payload_checksum = $3 \
                 WHERE id = $4",
            )
            .bind(Deletion::Forgotten as i64)
            .bind(&payload)
            .bind(payload_checksum(&payload))
            .bind(id.to_string())
            .execute()
            .await?;
        forgotten.push(segment);
    }
    let count = forgotten.len();
    if count > 0 {
        enqueue(connection, Manifest::of_forgotten(forgotten)).await?;
    }
    Ok(count)
}
