//! What rules would do to today's segments, before they are kept: pure, over the same rule books that plans
//! are made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use henge_placement::rules::{DEFAULT_TIER, RuleBook, Wanted};
use henge_platform::metadata::PublishedSegment;
use serde::Serialize;

use crate::snapshot::ServerState;

/// Nodes by tier.
pub(crate) type NodesByTier = BTreeMap<Arc<str>, u32>;

/// The tiers of these nodes.
pub(crate) fn nodes_by_tier<'s>(servers: impl Iterator<Item = &'s ServerState>) -> NodesByTier {
    let mut nodes = NodesByTier::new();
    for server in servers {
        *nodes.entry(tier_name(&server.tier)).or_default() += 1;
    }
    nodes
}

/// The name of a tier, also of nodes that name none.
pub(crate) fn tier_name(tier: &Arc<str>) -> Arc<str> {
    match tier.is_empty() {
        true => DEFAULT_TIER.into(),
        false => Arc::clone(tier),
    }
}

/// Copies by tier that are asked for, those on every node included.
pub(crate) fn copies(wanted: &Wanted, nodes: &NodesByTier) -> BTreeMap<Arc<str>, u32> {
    match wanted {
        Wanted::Load(replicants) => {
            let some = replicants.iter().filter(|(_, copies)| **copies > 0);
            some.map(|(tier, copies)| (tier.as_str().into(), *copies)).collect()
        }
        Wanted::Broadcast => nodes.clone(),
        Wanted::Drop | Wanted::Unruled => BTreeMap::new(),
    }
}

/// Segments and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Amount {
    pub segments: u64,
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.segments += 1;
        self.bytes += bytes;
    }
}

/// What a tier would hold in so many copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TierLoad {
    pub tier: Arc<str>,
    pub replicas: u32,
    pub segments: u64,
    /// Of all copies.
    pub bytes: u64,
}

/// Segments that would be treated otherwise than now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Changed {
    pub load_more: u64,
    pub load_less: u64,
    pub drop: u64,
}

/// What rules would do to one datasource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DatasourcePreview {
    pub datasource: Arc<str>,
    pub segments: u64,
    pub bytes: u64,
    pub load: Vec<TierLoad>,
    pub dropped: Amount,
    pub changed: Changed,
}

/// What rules would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Preview {
    pub datasources: Vec<DatasourcePreview>,
    pub tiers_without_nodes: BTreeSet<Arc<str>>,
}

/// The rules as they are, and as they would be.
#[derive(Debug)]
pub(crate) struct Books {
    pub now: RuleBook,
    pub then: RuleBook,
}

impl Preview {
    /// Over segments in the order of their ids.
    pub(crate) fn of<'s>(
        segments: impl Iterator<Item = &'s Arc<PublishedSegment>>,
        books: &Books,
        nodes: &NodesByTier,
        now_ms: i64,
    ) -> Self {
        let mut preview = Self::default();
        let mut counted: Option<Counted> = None;
        for segment in segments {
            let name = &segment.id.datasource;
            if counted.as_ref().is_none_or(|counted| counted.total.datasource != *name) {
                preview.datasources.extend(counted.take().map(Counted::finish));
                counted = Some(Counted::new(name));
            }
            let Some(counted) = &mut counted else { continue };
            let wanted = |book: &RuleBook| book.wanted(name, segment.id.interval, now_ms);
            let (before, after) = (wanted(&books.now), wanted(&books.then));
            let copies_after = copies(&after, nodes);
            let lacking = copies_after.keys().filter(|tier| !nodes.contains_key(*tier));
            preview.tiers_without_nodes.extend(lacking.cloned());
            counted.add(segment.size_bytes, &copies_after);
            counted.compare((&before, &copies(&before, nodes)), (&after, &copies_after), segment);
        }
        preview.datasources.extend(counted.map(Counted::finish));
        preview
    }
}

/// One datasource, being counted.
struct Counted {
    total: DatasourcePreview,
    load: BTreeMap<(Arc<str>, u32), Amount>,
}

impl Counted {
    fn new(datasource: &Arc<str>) -> Self {
        let total = DatasourcePreview {
            datasource: Arc::clone(datasource),
            segments: 0,
            bytes: 0,
            load: Vec::new(),
            dropped: Amount::default(),
            changed: Changed::default(),
        };
        Self { total, load: BTreeMap::new() }
    }

    fn add(&mut self, bytes: u64, copies: &BTreeMap<Arc<str>, u32>) {
        self.total.segments += 1;
        self.total.bytes += bytes;
        for (tier, copies) in copies {
            let load = self.load.entry((Arc::clone(tier), *copies)).or_default();
            load.add(bytes * u64::from(*copies));
        }
    }

    fn compare(
        &mut self,
        (before, copies_before): (&Wanted, &BTreeMap<Arc<str>, u32>),
        (after, copies_after): (&Wanted, &BTreeMap<Arc<str>, u32>),
        segment: &PublishedSegment,
    ) {
        let changed = &mut self.total.changed;
        if *after == Wanted::Drop {
            self.total.dropped.add(segment.size_bytes);
            changed.drop += u64::from(*before != Wanted::Drop);
            return;
        }
        let more = |more: &BTreeMap<Arc<str>, u32>, than: &BTreeMap<Arc<str>, u32>| {
            more.iter().any(|(tier, copies)| *copies > than.get(tier).copied().unwrap_or(0))
        };
        changed.load_more += u64::from(more(copies_after, copies_before));
        changed.load_less += u64::from(more(copies_before, copies_after));
    }

    fn finish(self) -> DatasourcePreview {
        let load = self.load.into_iter().map(|((tier, replicas), amount)| TierLoad {
            tier,
            replicas,
            segments: amount.segments,
            bytes: amount.bytes,
        });
        DatasourcePreview { load: load.collect(), ..self.total }
    }
}
