//! The sums over a cluster, and the changes that a copy makes to them.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::cost::{Cost, Weights};
use super::field::{self, Field};
use super::lanes::Lanes;
use super::moves::Sweep;
use super::places::{self, Laid, Places};
use super::scan::Scratch;
use super::share::{Share, Total};
use super::together::Chunks;
use crate::cluster::{
    Cluster, Segment, SegmentIndex, Server, ServerIndex, ServerState, Tier, Wish,
};

/// A cluster with the sums that placing and moving copies needs. Each change of a copy changes them at once.
#[derive(Debug, Clone)]
pub struct Balancer {
    pub(super) cluster: Cluster,
    pub(super) weights: Weights,
    pub(super) places: Places,
    pub(super) all: Field,
    pub(super) datasources: Field,
    pub(super) chunks: Chunks,
    pub(super) nodes: Vec<Node>,
    pub(super) lanes: Lanes,
    /// Bytes of an average segment, by tier.
    pub(super) mean_bytes: Vec<f64>,
    /// Tiers of which a node is away: the others do not share its copies among them, since it will be back, or
    /// it is gone, and then there is a time for that.
    pub(super) has_away: Vec<bool>,
    /// Copies that a tier is to have, by wish and tier; `None` when that is not for a plan to change.
    wanted: Vec<Vec<Option<u32>>>,
    /// Who is not to be asked for what.
    pub(super) barred: FxHashSet<(SegmentIndex, ServerIndex)>,
    /// Who has what on its disk already.
    pub(super) on_disk: FxHashSet<(SegmentIndex, ServerIndex)>,
    /// Zones, when there are several.
    pub(super) zones: usize,
    pub(super) scratch: Scratch,
    /// Where looking for moves goes on, when there was no time for all segments.
    pub(super) cut_sweep: Option<Sweep>,
}

/// What a node has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub tier: u16,
    pub zone: u16,
    /// It may be asked to load.
    pub takes: bool,
    pub is_draining: bool,
    pub capacity_bytes: u64,
    pub used_bytes: u64,
    pub load: u64,
    pub share_of_bytes: Share,
    pub share_of_load: Share,
}

impl Node {
    /// What a segment that it has costs it.
    pub(super) fn cost_with(&self, segment: &Segment) -> f64 {
        let without = self.without(segment);
        self.share_of_bytes.cost_of(without.used_bytes, segment.size_bytes)
            + self.share_of_load.cost_of(without.load, u64::from(segment.load))
    }

    pub(super) fn without(&self, segment: &Segment) -> Self {
        Self {
            used_bytes: self.used_bytes.saturating_sub(segment.size_bytes),
            load: self.load.saturating_sub(u64::from(segment.load)),
            ..*self
        }
    }

    /// True when the segment fits below its cap.
    pub(super) fn has_room(&self, segment: &Segment) -> bool {
        self.used_bytes.saturating_add(segment.size_bytes) <= self.capacity_bytes
    }
}

impl Balancer {
    /// Over a cluster; all that its segments say of who holds them is in the sums.
    #[must_use]
    pub fn new(mut cluster: Cluster, weights: Weights) -> Self {
        let Laid { places, all, datasources } =
            places::lay(cluster.segments(), cluster.servers().len());
        let chunks = Chunks::of(&cluster);
        let totals: Vec<Totals> =
            cluster.tiers().iter().map(|tier| totals(&cluster, tier)).collect();
        let mean_bytes = totals.iter().map(|totals| totals.bytes.mean()).collect();
        let (nodes, zones) = nodes(&cluster, &totals, &weights);
        let is_away = |server: &Server| server.state == ServerState::Away;
        let has_away = |tier: &Tier| cluster.servers()[tier.servers.clone()].iter().any(is_away);
        let has_away = cluster.tiers().iter().map(has_away).collect();
        let of_wish =
            |wish| cluster.tiers().iter().map(|tier| wanted(wish, tier, &cluster)).collect();
        let wanted = cluster.wishes().iter().map(of_wish).collect();
        let held: Vec<Vec<ServerIndex>> = (0..cluster.segments().len() as SegmentIndex)
            .map(|segment| std::mem::take(cluster.holders_mut(segment)))
            .collect();
        let scratch = Scratch::new(cluster.servers().len(), zones);
        let mut balancer = Self {
            cluster,
            weights,
            places,
            all,
            datasources,
            chunks,
            lanes: Lanes::of(&nodes),
            nodes,
            mean_bytes,
            has_away,
            wanted,
            barred: FxHashSet::default(),
            on_disk: FxHashSet::default(),
            zones,
            scratch,
            cut_sweep: None,
        };
        for (segment, holders) in (0..).zip(held) {
            for server in holders {
                balancer.add(segment, server);
            }
        }
        balancer
    }

    /// A node is not to be asked for a copy of a segment: it failed just now, or drops one.
    pub fn bar(&mut self, segment: SegmentIndex, server: ServerIndex) {
        self.barred.insert((segment, server));
    }

    /// A node has a segment on its disk that it does not announce: it is asked before others.
    pub fn found_on_disk(&mut self, segment: SegmentIndex, server: ServerIndex) {
        self.on_disk.insert((segment, server));
    }

    /// The cluster as it is with all changes.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The cluster as it is with all changes, to make another of.
    #[must_use]
    pub fn into_cluster(self) -> Cluster {
        self.cluster
    }

    /// Bytes on a node.
    #[must_use]
    pub fn used_bytes(&self, server: ServerIndex) -> u64 {
        self.nodes[usize::from(server)].used_bytes
    }

    /// Work of queries on a node.
    #[must_use]
    pub fn load(&self, server: ServerIndex) -> u64 {
        self.nodes[usize::from(server)].load
    }

    /// A node has a segment from now on; nothing when it had it.
    pub fn add(&mut self, segment: SegmentIndex, server: ServerIndex) {
        let holders = self.cluster.holders_mut(segment);
        if holders.contains(&server) {
            return;
        }
        holders.push(server);
        self.change(segment, server, true);
    }

    /// A node has a segment no more; nothing when it did not have it.
    pub fn remove(&mut self, segment: SegmentIndex, server: ServerIndex) {
        let holders = self.cluster.holders_mut(segment);
        let Some(at) = holders.iter().position(|holder| *holder == server) else { return };
        holders.remove(at);
        self.change(segment, server, false);
    }

    fn change(&mut self, segment: SegmentIndex, server: ServerIndex, comes: bool) {
        let (rows, weight) = self.places.of(segment);
        let signed = if comes { weight } else { -weight };
        for row in rows {
            self.all.add(row.in_all, usize::from(server), signed);
            self.datasources.add(row.in_datasource, usize::from(server), signed);
        }
        self.chunks.count(segment, server, comes);
        let Segment { size_bytes, load, .. } = *self.cluster.segment(segment);
        let node = &mut self.nodes[usize::from(server)];
        let changed = |sum: u64, by: u64| if comes { sum + by } else { sum.saturating_sub(by) };
        node.used_bytes = changed(node.used_bytes, size_bytes);
        node.load = changed(node.load, u64::from(load));
        self.lanes.set(usize::from(server), node);
    }

    /// What a copy of a segment costs on a node, or would cost there.
    #[must_use]
    pub fn cost(&self, segment: SegmentIndex, server: ServerIndex) -> Cost {
        let is_there = self.cluster.segment(segment).holders.contains(&server);
        let (near, same_datasource) = self.nearness(segment, server, is_there);
        let mut together = 0;
        self.chunks.others(&self.cluster, segment, |other, count| {
            together += if other == server { count } else { 0 };
        });
        let described = self.cluster.segment(segment);
        let mut node = self.nodes[usize::from(server)];
        if is_there {
            node = node.without(described);
        }
        Cost {
            near: self.weights.near * near,
            same_datasource: self.weights.same_datasource * same_datasource,
            together: self.weights.together * f64::from(together),
            bytes: node.share_of_bytes.cost_of(node.used_bytes, described.size_bytes),
            load: node.share_of_load.cost_of(node.load, u64::from(described.load)),
            zone: self.weights.zone * f64::from(self.crowd(&described.holders, server)),
        }
    }

    /// What lies near a segment on a node, itself left out: of all, and of its datasource.
    fn nearness(&self, segment: SegmentIndex, server: ServerIndex, is_there: bool) -> (f64, f64) {
        let (rows, weight) = self.places.of(segment);
        let at = usize::from(server);
        let (mut all, mut own) = (0_i64, 0_i64);
        for row in rows {
            all += i64::from(self.all.row(row.in_all)[at]);
            own += i64::from(self.datasources.row(row.in_datasource)[at]);
        }
        if is_there {
            let (of_all, of_own) = self.itself(segment);
            all -= of_all;
            own -= of_own;
        }
        let scale = f64::from(weight) / scale();
        (all as f64 * scale, own as f64 * scale)
    }

    /// What a copy itself has added to the sums of its rows.
    pub(super) fn itself(&self, segment: SegmentIndex) -> (i64, i64) {
        let (rows, weight) = self.places.of(segment);
        let (mut all, mut own) = (0_i64, 0_i64);
        for left in rows {
            for right in rows {
                all += i64::from(self.all.between(left.in_all, right.in_all));
                own += i64::from(self.datasources.between(left.in_datasource, right.in_datasource));
            }
        }
        (all * i64::from(weight), own * i64::from(weight))
    }

    /// Other copies in the zone of a node.
    pub(super) fn crowd(&self, holders: &[ServerIndex], server: ServerIndex) -> u32 {
        if self.zones < 2 {
            return 0;
        }
        let zone = self.nodes[usize::from(server)].zone;
        let others = holders.iter().filter(|other| **other != server);
        others.filter(|other| self.nodes[usize::from(**other)].zone == zone).count() as u32
    }

    /// How many copies a tier is to have of a segment; `None` when that is not for a plan to change.
    pub(super) fn wanted(&self, segment: SegmentIndex, tier: usize) -> Option<u32> {
        self.wanted[usize::from(self.cluster.segment(segment).wish)][tier]
    }

    /// How many copies rules ask for in a tier, also when it has too few nodes for them that stay.
    pub(super) fn asked(&self, segment: SegmentIndex, tier: usize) -> u32 {
        let wish = self.cluster.segment(segment).wish;
        match &self.cluster.wishes()[usize::from(wish)] {
            Wish::Copies(copies) => {
                let name = &self.cluster.tiers()[tier].name;
                copies.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
            }
            // Of what is on every node, every node that stays has one.
            Wish::Everywhere => self.wanted(segment, tier).unwrap_or(0).max(1),
            Wish::Untouched => u32::MAX,
        }
    }

    /// Copies in a tier, by whether they stay.
    pub(super) fn here(&self, segment: SegmentIndex, tier: usize) -> Here {
        let mut here = Here { staying: 0, draining: 0 };
        for holder in &self.cluster.segment(segment).holders {
            let node = &self.nodes[usize::from(*holder)];
            if usize::from(node.tier) == tier {
                match node.is_draining {
                    true => here.draining += 1,
                    false => here.staying += 1,
                }
            }
        }
        here
    }
}

/// Copies in a tier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here {
    /// On nodes that stay, those included that are away for a while.
    pub staying: u32,
    /// On nodes that are to be empty.
    pub draining: u32,
}

/// What the weight of a segment counts beside that of another.
pub(super) fn scale() -> f64 {
    field::scale() * places::weight() * places::weight()
}

fn wanted(wish: &Wish, tier: &Tier, cluster: &Cluster) -> Option<u32> {
    let takes = || {
        let servers = &cluster.servers()[tier.servers.clone()];
        servers.iter().filter(|server| server.state != ServerState::Draining).count() as u32
    };
    match wish {
        Wish::Copies(copies) => {
            let asked = copies.iter().find(|(name, _)| *name == tier.name);
            Some(asked.map_or(0, |(_, count)| (*count).min(takes())))
        }
        Wish::Everywhere => Some(takes()),
        Wish::Untouched => None,
    }
}

/// What a tier is to have: that does not change while copies come and go.
struct Totals {
    bytes: Total,
    load: Total,
}

fn totals(cluster: &Cluster, tier: &Tier) -> Totals {
    let by_wish: Vec<Option<u32>> =
        cluster.wishes().iter().map(|wish| wanted(wish, tier, cluster)).collect();
    let (mut copies, mut bytes, mut load) = (0_u64, 0_u128, 0_u128);
    for segment in cluster.segments() {
        let is_here = |server: &&ServerIndex| tier.servers.contains(&usize::from(**server));
        let here = || segment.holders.iter().filter(is_here).count() as u64;
        let wanted = by_wish[usize::from(segment.wish)].map_or_else(here, u64::from);
        copies += wanted;
        bytes += u128::from(wanted) * u128::from(segment.size_bytes);
        load += u128::from(wanted) * u128::from(segment.load);
    }
    let servers = active(cluster, tier).count();
    let total = |amount| Total { amount, copies, servers };
    Totals { bytes: total(bytes), load: total(load) }
}

fn active<'c>(cluster: &'c Cluster, tier: &Tier) -> impl Iterator<Item = &'c Server> + Clone {
    let servers = cluster.servers()[tier.servers.clone()].iter();
    servers.filter(|server| server.state == ServerState::Active)
}

/// The nodes, and how many zones there are.
fn nodes(cluster: &Cluster, totals: &[Totals], weights: &Weights) -> (Vec<Node>, usize) {
    let mut zones: Vec<Arc<str>> = cluster.servers().iter().map(|s| Arc::clone(&s.zone)).collect();
    zones.sort_unstable();
    zones.dedup();
    let mut nodes = Vec::with_capacity(cluster.servers().len());
    for ((tier, of_tier), totals) in (0..).zip(cluster.tiers()).zip(totals) {
        let active = active(cluster, of_tier);
        let count = active.clone().count().max(1) as u128;
        let is_told = active.clone().all(|server| server.capacity_bytes != u64::MAX);
        let mean = active.map(|server| u128::from(server.capacity_bytes)).sum::<u128>() / count;
        for server in &cluster.servers()[of_tier.servers.clone()] {
            let part = match is_told && mean > 0 {
                true => server.capacity_bytes as f64 / mean as f64,
                false => 1.0,
            };
            nodes.push(Node {
                tier,
                zone: zones.binary_search(&server.zone).unwrap_or_default() as u16,
                takes: server.state == ServerState::Active,
                is_draining: server.state == ServerState::Draining,
                capacity_bytes: server.capacity_bytes,
                used_bytes: 0,
                load: 0,
                share_of_bytes: totals.bytes.share(weights.bytes, part),
                share_of_load: totals.load.share(weights.load, part),
            });
        }
    }
    (nodes, zones.len())
}
