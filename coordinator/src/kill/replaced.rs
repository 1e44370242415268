//! What hides a segment must be there before the hidden one goes: served by some node, or whole in deep
//! storage. Else the old rows are all that is left of that time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use henge_platform::discovery::DiscoverySnapshot;
use henge_platform::metadata::{PublishedSegment, UnusedSegment};
use henge_platform::runtime::blocking;
use henge_platform::storage::DeepStorage;
use henge_types::{SegmentId, Timeline};

use crate::error::{CoordinatorError, Result};
use crate::inventory::{Used, of_datasource};

/// A segment, and newer ones that hide some of it and that nobody serves.
type Replaced = (SegmentId, Vec<Arc<PublishedSegment>>);

/// Unused segments that are to stay, by the first of those that hide them and are nowhere.
pub(super) async fn without_replacement(
    unused: &[UnusedSegment],
    used: Arc<Used>,
    servers: &DiscoverySnapshot,
    storage: Option<&dyn DeepStorage>,
) -> Result<BTreeMap<SegmentId, SegmentId>> {
    let ids: Vec<SegmentId> = unused.iter().map(|one| one.segment.id.clone()).collect();
    let servers = servers.clone();
    let replaced = blocking(move || served_by_nobody(ids, &used, &servers)).await;
    let replaced = replaced.map_err(CoordinatorError::from)?;
    let new: BTreeMap<&SegmentId, &Arc<PublishedSegment>> =
        replaced.iter().flat_map(|(_, new)| new).map(|segment| (&segment.id, segment)).collect();
    let mut lacking: BTreeSet<&SegmentId> = BTreeSet::new();
    for (id, segment) in new {
        let is_there = match storage {
            Some(storage) => is_whole(storage, segment).await,
            None => false,
        };
        if !is_there {
            lacking.insert(id);
        }
    }
    let stays = replaced.iter().filter_map(|(old, new)| {
        let lacks = new.iter().find(|segment| lacking.contains(&segment.id))?;
        Some((old.clone(), lacks.id.clone()))
    });
    Ok(stays.collect())
}

/// Its object has the size that was recorded; when that cannot be told, it has not.
async fn is_whole(storage: &dyn DeepStorage, segment: &PublishedSegment) -> bool {
    let found = storage.head(&segment.object_key).await;
    matches!(found, Ok(Some(found)) if found.size_bytes == segment.size_bytes)
}

fn served_by_nobody(
    unused: Vec<SegmentId>,
    used: &Used,
    servers: &DiscoverySnapshot,
) -> Vec<Replaced> {
    let mut timelines: BTreeMap<Arc<str>, Timeline<Arc<PublishedSegment>>> = BTreeMap::new();
    let is_served =
        |id: &SegmentId| servers.servers.values().any(|server| server.segments.contains_key(id));
    let mut replaced = Vec::new();
    for old in unused {
        let timeline = timelines.entry(Arc::clone(&old.datasource)).or_insert_with(|| {
            let mut timeline = Timeline::new();
            for (id, segment) in of_datasource(used, &old.datasource) {
                timeline.add(id.clone(), segment.shard_spec, Arc::clone(segment));
            }
            timeline
        });
        let visible = timeline.lookup(old.interval).into_iter();
        let newer = visible.filter(|holder| holder.version > old.version);
        let chunks = newer.flat_map(|holder| holder.chunks);
        let lacking: Vec<Arc<PublishedSegment>> =
            chunks.filter(|chunk| !is_served(&chunk.id)).map(|chunk| chunk.payload).collect();
        if !lacking.is_empty() {
            replaced.push((old, lacking));
        }
    }
    replaced
}
