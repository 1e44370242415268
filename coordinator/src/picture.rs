//! The snapshot as the planning code wants it: numbers for names, and the sums over who holds what.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_placement::Wishes;
use henge_placement::balance::{Balancer, Told, Weights, assumed_load, told_loads};
use henge_placement::cluster::{
    Cluster, Segment, SegmentIndex, Server, ServerIndex, ServerState as Part,
};
use henge_placement::rules::{DEFAULT_TIER, Wanted};
use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_types::SegmentId;

use crate::error::Result;
use crate::snapshot::{Announced, ClusterSnapshot, ServerState};

const DAY_MS: i64 = 86_400_000;

/// What duties share while a plan is made: what one of them asks for counts for the next one.
pub(crate) struct Picture<'a> {
    pub snapshot: &'a ClusterSnapshot,
    pub balancer: Balancer,
    /// Loads that each node may still be asked for, by its place.
    pub rooms: Vec<u32>,
    /// Used segments that rules drop.
    pub dropped: Vec<SegmentId>,
    /// Segments that no server has and keeps.
    pub waiting_to_load: usize,
    /// Copies of others that rules ask for and no node has, as far as that was found out.
    pub missing_copies: usize,
    /// The first loads of what another node has.
    pub copied: Vec<Copied>,
    segments: Vec<&'a Arc<PublishedSegment>>,
}

/// A load of what another node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copied {
    pub id: SegmentId,
    pub from: ServerId,
    pub to: ServerId,
    /// The node that has it is to be empty.
    pub is_drained: bool,
}

impl<'a> Picture<'a> {
    /// Of the used segments of a snapshot.
    ///
    /// # Errors
    /// When there are more nodes, or more different wishes, than can be counted.
    pub(crate) fn of(snapshot: &'a ClusterSnapshot) -> Result<Self> {
        let mut wishes = Wishes::default();
        let (mut segments, mut described, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
        let (mut assumed, mut told) = (Vec::new(), Vec::new());
        let mut datasources = Datasources::default();
        for segment in snapshot.used.values() {
            let id = &segment.id;
            let wanted = snapshot.rules.wanted(&id.datasource, id.interval, snapshot.now_ms);
            let wish = match wanted {
                // Who has it keeps it until it is unused; nobody loads it any more.
                Wanted::Drop => {
                    dropped.push(id.clone());
                    continue;
                }
                wanted => wishes.number(&wanted)?.unwrap_or_default(),
            };
            // By the day, so that nothing moves for the clock alone.
            let age_ms = (snapshot.now_ms - id.interval.end_ms).div_euclid(DAY_MS) * DAY_MS;
            segments.push(segment);
            assumed.push(assumed_load(segment.size_bytes, age_ms, 1.0));
            told.push(match snapshot.work.get(id) {
                Some(work) => Told::Work(*work),
                // Had it been read much, some node would have told by now.
                None if age_ms >= DAY_MS => Told::Little,
                None => Told::Nothing,
            });
            described.push(Segment {
                datasource: datasources.number(&id.datasource),
                interval: id.interval,
                size_bytes: segment.size_bytes,
                load: 0,
                wish,
                is_busy: false,
                holders: Vec::new(),
            });
        }
        let loads = told_loads(&assumed, &told);
        described.iter_mut().zip(loads).for_each(|(segment, load)| segment.load = load);
        let cluster = Cluster::new(servers(snapshot, &segments))?;
        let marks = mark(snapshot, &cluster, &segments, &mut described);
        let room = |server: &Server| {
            let here = snapshot.servers.get(&server.name);
            here.map_or(0, |here| u32::try_from(here.room_for_loads).unwrap_or(u32::MAX))
        };
        let rooms = cluster.servers().iter().map(room).collect();
        let cluster = cluster.with_segments(wishes.into_all(), described)?;
        let mut balancer = Balancer::new(cluster, Weights::default());
        marks.barred.into_iter().for_each(|(segment, server)| balancer.bar(segment, server));
        let on_disk = marks.on_disk.into_iter();
        on_disk.for_each(|(segment, server)| balancer.found_on_disk(segment, server));
        let waiting_to_load = marks.is_served.iter().filter(|is_served| !**is_served).count();
        let (missing_copies, copied) = (0, Vec::new());
        Ok(Self {
            snapshot,
            balancer,
            rooms,
            dropped,
            waiting_to_load,
            missing_copies,
            copied,
            segments,
        })
    }

    pub(crate) fn segment(&self, index: SegmentIndex) -> &'a Arc<PublishedSegment> {
        self.segments[index as usize]
    }

    pub(crate) fn server(&self, index: ServerIndex) -> ServerId {
        Arc::clone(&self.balancer.cluster().server(index).name)
    }

    /// The nodes that announce a segment and keep it.
    pub(crate) fn keepers(&self, index: SegmentIndex) -> Vec<ServerId> {
        let id = &self.segment(index).id;
        let holders = self.balancer.cluster().segment(index).holders.iter();
        let keeps = |name: &ServerId| {
            self.snapshot.servers.get(name).is_some_and(|server| server.keeps(id))
        };
        let mut keepers: Vec<ServerId> =
            holders.map(|holder| self.server(*holder)).filter(keeps).collect();
        keepers.sort_unstable();
        keepers
    }
}

/// Datasources by number, in the order of their segments.
#[derive(Default)]
struct Datasources(Vec<Arc<str>>);

impl Datasources {
    fn number(&mut self, name: &Arc<str>) -> u32 {
        if self.0.last() != Some(name) {
            self.0.push(Arc::clone(name));
        }
        self.0.len() as u32 - 1
    }
}

/// The nodes that are here, and those that are away for a moment.
fn servers(snapshot: &ClusterSnapshot, used: &[&Arc<PublishedSegment>]) -> Vec<Server> {
    let tier = |name: &Arc<str>| match name.is_empty() {
        true => DEFAULT_TIER.into(),
        false => Arc::clone(name),
    };
    let here = snapshot.servers.iter().map(|(name, server)| Server {
        name: Arc::clone(name),
        tier: tier(&server.tier),
        zone: Arc::clone(&server.zone),
        capacity_bytes: capacity_bytes(server, used),
        priority: server.loaded.values().next().map_or(0, |segment| segment.priority),
        state: match snapshot.draining.contains(name) {
            true => Part::Draining,
            false => Part::Active,
        },
    });
    let away = snapshot.away.iter().filter(|(name, _)| !snapshot.servers.contains_key(*name));
    let away = away.map(|(name, server)| Server {
        name: Arc::clone(name),
        tier: tier(&server.tier),
        zone: Arc::clone(&server.zone),
        capacity_bytes: u64::MAX,
        priority: 0,
        state: Part::Away,
    });
    here.chain(away).collect()
}

/// What a node may hold of the segments of a plan: without what else lies there, and with what these take more
/// or less than in deep storage.
fn capacity_bytes(server: &ServerState, used: &[&Arc<PublishedSegment>]) -> u64 {
    if server.capacity_bytes == u64::MAX {
        return u64::MAX;
    }
    let on_disk: u64 = server.loaded.values().map(|segment| segment.size_bytes).sum();
    let mut counted = 0;
    both(used, &server.loaded, |index, id| {
        counted += if server.going.contains(id) { 0 } else { used[index].size_bytes };
    });
    (server.capacity_bytes.saturating_add(counted)).saturating_sub(on_disk)
}

/// What a picture says beside who holds what.
#[derive(Default)]
struct Marks {
    barred: Vec<(SegmentIndex, ServerIndex)>,
    on_disk: Vec<(SegmentIndex, ServerIndex)>,
    is_served: Vec<bool>,
}

/// Notes who holds what, who is about to, and who is not to be asked.
fn mark(
    snapshot: &ClusterSnapshot,
    cluster: &Cluster,
    used: &[&Arc<PublishedSegment>],
    segments: &mut [Segment],
) -> Marks {
    let mut marks = Marks { is_served: vec![false; used.len()], ..Marks::default() };
    let find = |id: &SegmentId| used.binary_search_by(|segment| segment.id.cmp(id)).ok();
    for (at, server) in (0..).zip(cluster.servers()) {
        if let Some(away) = snapshot.away.get(&server.name).filter(|_| server.state == Part::Away) {
            both(used, &away.loaded, |index, _| segments[index].holders.push(at));
            continue;
        }
        let Some(here) = snapshot.servers.get(&server.name) else { continue };
        both(used, &here.loaded, |index, id| match here.going.contains(id) {
            true => segments[index].is_busy = true,
            false => {
                segments[index].holders.push(at);
                marks.is_served[index] = true;
            }
        });
        for index in here.coming.keys().filter(|id| !here.loaded.contains_key(*id)).filter_map(find)
        {
            segments[index].is_busy = true;
            segments[index].holders.push(at);
        }
        for index in here.going.iter().filter_map(find) {
            segments[index].is_busy = true;
            marks.barred.push((index as SegmentIndex, at));
        }
        both(used, &here.remembered, |index, _| marks.on_disk.push((index as SegmentIndex, at)));
    }
    let places: BTreeMap<&ServerId, ServerIndex> =
        cluster.servers().iter().map(|server| &server.name).zip(0..).collect();
    for (server, id) in &snapshot.resting_loads {
        if let (Some(at), Some(index)) = (places.get(server), find(id)) {
            marks.barred.push((index as SegmentIndex, *at));
        }
    }
    marks
}

/// Calls `visit` for each segment that is used and announced; both are in the order of ids.
fn both(
    used: &[&Arc<PublishedSegment>],
    announced: &Announced,
    mut visit: impl FnMut(usize, &SegmentId),
) {
    let mut from = 0;
    for id in announced.keys() {
        // The next one is near: look a few places on, then search.
        let near = used[from..].iter().take(8).position(|segment| segment.id >= *id);
        from += near.unwrap_or_else(|| used[from..].partition_point(|segment| segment.id < *id));
        match used.get(from) {
            Some(segment) if segment.id == *id => visit(from, id),
            Some(_) => {}
            None => return,
        }
    }
}
