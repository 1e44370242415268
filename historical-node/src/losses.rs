//! What other nodes lost of the segments that this one serves too. A node that found its file damaged fetches it
//! again; where the object in deep storage is damaged as well, it cannot, and answers for the segment no longer.
//! Whoever has a good copy sees that, and looks at the object before its turn: mended from there, it is what the
//! other node loads when its coordinator asks it again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use henge_platform::discovery::{AnnouncedSegment, DiscoverySnapshot, ServerId};
use henge_types::SegmentId;
use tokio::time::Instant;

use crate::HistoricalNode;
use crate::scrub::time_for;

/// How often it is looked at what others announce.
const LOOK_EVERY: Duration = Duration::from_secs(10);

type Announced = Arc<BTreeMap<SegmentId, AnnouncedSegment>>;

/// What others announced when it was looked at last.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    seen: HashMap<ServerId, Announced>,
    looked: Option<Instant>,
}

impl Losses {
    /// The segments that servers do not announce any more, as far as they still announce others: who left, or
    /// starts again, lost nothing.
    fn since(&mut self, view: &DiscoverySnapshot, own: &ServerId) -> Vec<SegmentId> {
        let mut lost = Vec::new();
        for (server, before) in &self.seen {
            let now = view.servers.get(server).map(|server| &server.segments);
            let Some(now) = now.filter(|now| !now.is_empty() && !Arc::ptr_eq(now, before)) else {
                continue;
            };
            lost.extend(before.keys().filter(|id| !now.contains_key(*id)).cloned());
        }
        let others = view.servers.iter().filter(|(server, _)| *server != own);
        self.seen = others
            .map(|(server, announced)| (Arc::clone(server), Arc::clone(&announced.segments)))
            .collect();
        lost
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due =
            self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_EVERY);
        if is_due {
            self.looked = Some(now);
        }
        is_due
    }
}

impl HistoricalNode {
    /// Looks at the objects of segments that others lost, and mends them; now and then, and as slowly as
    /// everything else is read again.
    pub(crate) async fn heed_losses(&self, bytes_per_second: u64) {
        let lost = {
            let mut losses = self.care.losses.lock();
            if !losses.is_due() {
                return;
            }
            losses.since(&self.discovery.snapshot(), &self.options.server_id)
        };
        for id in lost {
            let loaded = self.serving.loaded.read().get(&id).cloned();
            // What is served on demand is no copy.
            let Some(loaded) = loaded.filter(|loaded| loaded.blocks.is_none()) else { continue };
            if let Err(error) = self.care_for_object(&loaded).await {
                tracing::warn!(segment = %id, %error, "another node lost a segment, and its object cannot be mended");
            }
            let size_bytes = loaded.segment.size_bytes;
            self.care.scrubbed_bytes.add(size_bytes);
            tokio::time::sleep(time_for(size_bytes, bytes_per_second)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use henge_data_node::{DataNode, Instruction, SegmentHost};
    use henge_platform::discovery::{AnnouncedSchema, Discovery, InProcessDiscovery};
    use henge_platform::metadata::PublishedSegment;
    use henge_platform::storage::{DeepStorage, Payload};
    use henge_types::{Interval, ShardSpec, Version};

    use super::*;
    use crate::hot::tests::{KEY, Setup, segment_file, setup};
    use crate::mend::tests::{UNLIMITED, answered, flip, sum_of};
    use crate::{HistoricalOptions, ServedForm};

    fn node(setup: &Setup, name: &str, discovery: &Arc<InProcessDiscovery>) -> HistoricalNode {
        let options = setup.options(ServedForm::AsStored, 1 << 30);
        let cache_dir = setup.dir.path().join(name);
        let options = HistoricalOptions { server_id: name.into(), cache_dir, ..options };
        setup.node_in(options, Arc::clone(discovery))
    }

    /// F-46: the file of one node and the object are damaged; the file of another mends both.
    #[tokio::test]
    async fn f_46_a_segment_is_repaired_from_a_replica_when_deep_storage_has_a_damaged_object() {
        let setup = setup().await;
        let discovery = Arc::new(InProcessDiscovery::new());
        let (one, other) = (node(&setup, "one", &discovery), node(&setup, "other", &discovery));
        // Something that stays, of a node that loses something.
        let kept = {
            let mut id = setup.segment.id.clone();
            id.partition = 1;
            let bytes = segment_file(&id, 2);
            let pushed = setup.storage.push("kept", Payload::Bytes(bytes.into())).await.unwrap();
            let (size_bytes, checksum) = (pushed.size_bytes, pushed.checksum);
            let object_key = "kept".into();
            PublishedSegment { id, object_key, size_bytes, checksum, ..setup.segment.clone() }
        };
        for node in [&one, &other] {
            node.load(&setup.segment, Instruction::default()).await.unwrap();
        }
        one.load(&kept, Instruction::default()).await.unwrap();
        other.heed_losses(UNLIMITED).await;
        let damaged = segment_file(&kept.id, 3);
        setup.storage.overwrite(KEY, Payload::Bytes(damaged.into())).await.unwrap();
        let file = one.serving.loaded.read()[&setup.segment.id].file.path.clone();
        flip(&file);
        one.scrub_once(UNLIMITED).await;
        assert!(!answered(&one.run(sum_of(&setup)).await.unwrap()), "it has none that is right");
        assert!(one.load(&setup.segment, Instruction::default()).await.is_err());
        other.care.losses.lock().looked = None;
        other.heed_losses(UNLIMITED).await;
        one.load(&setup.segment, Instruction::default()).await.unwrap();
        assert!(answered(&one.run(sum_of(&setup)).await.unwrap()));
        assert_eq!(other.care.repaired.get(), 1);
    }

    #[test]
    fn who_left_or_starts_again_lost_nothing() {
        let discovery = InProcessDiscovery::new();
        let (a, own): (ServerId, ServerId) = ("a".into(), "own".into());
        let mut losses = Losses::default();
        let mut look = |discovery: &InProcessDiscovery| losses.since(&discovery.snapshot(), &own);
        let announced = |partition| AnnouncedSegment {
            id: SegmentId::new("wiki", Interval::new(0, 1).unwrap(), Version(1), partition),
            shard_spec: ShardSpec::Numbered { partition, core_partitions: 0 },
            tier: "".into(),
            priority: 0,
            realtime: false,
            size_bytes: 1,
            schema: Arc::new(AnnouncedSchema::of([])),
        };
        let (one, two) = (announced(0), announced(1));
        discovery.announce(&a, vec![one.clone(), two.clone()]).unwrap();
        assert_eq!(look(&discovery), []);
        discovery.unannounce(&a, vec![one.id.clone()]).unwrap();
        assert_eq!(look(&discovery), std::slice::from_ref(&one.id));
        assert_eq!(look(&discovery), []);
        discovery.unannounce(&a, vec![two.id.clone()]).unwrap();
        assert_eq!(look(&discovery), [], "it may be starting again");
    }
}
