//! A simulation: placements beside each other, then what happens, and how the cluster settles after each.

use std::sync::Arc;

use serde::Serialize;

use super::baseline::{self, Baseline};
use super::event::Event;
use super::measure::{Measures, measure};
use super::synthetic::Chance;
use super::world::World;
use crate::balance::{Balancer, Cost, LoadLimits, MoveLimits, TimeBox, Weights};
use crate::cluster::{Cluster, Segment, Server, ServerState, Tier, Wish};
use crate::error::{PlacementError, Result};
use crate::rules::{RuleBook, TierAliases};

/// Moves that are shown with their reasons.
const SHOWN_MOVES: usize = 3;

/// How a simulation runs.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationOptions {
    /// Whatever is chosen by chance follows from this.
    pub seed: u64,
    /// What terms count.
    pub weights: Weights,
    /// Each plan is to be done within this, the picture that it is made of left out; what does not fit is for the
    /// next.
    pub plan_ms: u64,
    /// Copies moved by one plan; as many as it takes when it is not said.
    pub moves_per_plan: Option<usize>,
    /// Copies each node is asked to load by one plan; as many as it takes when it is not said.
    pub loads_per_node: Option<u32>,
    /// Plans after each event, at most.
    pub plans: usize,
}

impl Default for SimulationOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            weights: Weights::default(),
            plan_ms: 5_000,
            moves_per_plan: None,
            loads_per_node: None,
            plans: 1_000,
        }
    }
}

/// Where the copies are at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Placement {
    /// By chance, then balanced.
    Random,
    /// Where the planning code puts them.
    Planned,
    /// As the snapshot says.
    AsGiven,
}

/// What was done after something happened, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// What happened.
    pub name: String,
    /// Plans until there was nothing to do; none for what was not planned.
    pub plans: usize,
    /// The time that all of them took.
    pub planned_ms: u64,
    /// The time of the longest.
    pub longest_plan_ms: u64,
    /// Copies loaded because they were missing.
    pub loads: u64,
    /// Bytes of them.
    pub loaded_bytes: u64,
    /// Copies dropped because they were too many, moved ones left out.
    pub drops: u64,
    /// Copies moved.
    pub moves: u64,
    /// Bytes of them.
    pub moved_bytes: u64,
    /// Moves of a plan made anew once there was nothing to do.
    pub moves_when_settled: u64,
    /// Segments that lack a copy because nobody has room.
    pub without_room: u64,
    /// Tiers that are wanted and have no nodes, with segments that want them.
    pub tiers_without_nodes: Vec<(String, usize)>,
    /// Some of the moves, and why.
    pub examples: Vec<MoveExample>,
    /// The placement after it.
    pub measures: Measures,
}

/// A move and its reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveExample {
    /// The datasource and time of the segment.
    pub segment: String,
    /// Where it was.
    pub from: Arc<str>,
    /// Where it went.
    pub to: Arc<str>,
    /// What it cost where it was.
    pub before: Cost,
    /// What it costs where it went.
    pub after: Cost,
}

/// Runs a simulation: a stage for each placement at first, then one for each event.
///
/// # Errors
/// When an event cannot happen: a zone that is not there, more nodes lost than there are.
pub fn simulate(
    world: &mut World,
    first: Placement,
    events: &[Event],
    options: &SimulationOptions,
    running_ms: &dyn Fn() -> u64,
) -> Result<Vec<Stage>> {
    let mut stages = Vec::new();
    let mut simulation = Simulation { world, options, running_ms };
    match first {
        Placement::AsGiven => {
            let cluster = simulation.world.cluster()?;
            stages.push(untouched("as given", &cluster));
            stages.push(simulation.settle("balanced")?);
        }
        Placement::Random | Placement::Planned => {
            // The one by chance is the last: it is what is balanced then.
            for (name, baseline) in
                [("round robin", Baseline::RoundRobin), ("random", Baseline::Random)]
            {
                let mut cluster = simulation.world.cluster()?;
                baseline::place(&mut cluster, baseline, options.seed);
                stages.push(untouched(name, &cluster));
                if baseline == Baseline::Random && first == Placement::Random {
                    simulation.world.take_over(&cluster);
                }
            }
            let name = if first == Placement::Random { "random, balanced" } else { "planned" };
            stages.push(simulation.settle(name)?);
        }
    }
    for event in events {
        stages.extend(simulation.happen(event)?);
    }
    Ok(stages)
}

struct Simulation<'a> {
    world: &'a mut World,
    options: &'a SimulationOptions,
    running_ms: &'a dyn Fn() -> u64,
}

impl Simulation<'_> {
    /// Plans, and does it, until there is nothing to do; then plans once more over a fresh picture.
    fn settle(&mut self, name: &str) -> Result<Stage> {
        let mut stage = untouched(name, &Cluster::default());
        let mut began_ms = (self.running_ms)();
        // What follows from a plan is in its sums. With ten million segments, making them anew for each takes
        // longer than a plan may last, and plans came to nothing.
        let mut balancer = Balancer::new(self.world.cluster()?, self.options.weights);
        for plan in 0..self.options.plans {
            let time = TimeBox::new(self.running_ms, self.options.plan_ms);
            let is_settled = self.plan(&mut balancer, &mut stage, plan as u64, &time);
            // The picture is a part of the first.
            let took_ms = (self.running_ms)() - began_ms;
            began_ms += took_ms;
            stage.planned_ms += took_ms;
            stage.longest_plan_ms = stage.longest_plan_ms.max(took_ms);
            if is_settled {
                break;
            }
        }
        self.world.take_over(balancer.cluster());
        drop(balancer);
        let mut balancer = Balancer::new(self.world.cluster()?, self.options.weights);
        let mut again = untouched("", &Cluster::default());
        self.plan(&mut balancer, &mut again, u64::MAX, &TimeBox::endless());
        stage.moves_when_settled = again.moves + again.loads + again.drops;
        self.world.take_over(balancer.cluster());
        stage.measures = measure_cluster(balancer.cluster());
        Ok(stage)
    }

    /// One plan, and its being done; true when there is nothing to do.
    fn plan(
        &self,
        balancer: &mut Balancer,
        stage: &mut Stage,
        number: u64,
        time: &TimeBox<'_>,
    ) -> bool {
        let servers = balancer.cluster().servers().len();
        let rooms = vec![self.options.loads_per_node.unwrap_or(u32::MAX); servers];
        let limits = LoadLimits { rooms: rooms.clone(), ..LoadLimits::none(servers) };
        let assigned = balancer.assign(&limits, time);
        let drops = balancer.drop_surplus(usize::MAX, |_| true);
        let moves = self.options.moves_per_plan.unwrap_or(usize::MAX);
        let limits = MoveLimits { moves, rooms, ..MoveLimits::none(servers) };
        let moves = balancer.plan_moves(&limits, self.options.seed ^ number, time);
        let size_bytes = |segment| balancer.cluster().segment(segment).size_bytes;
        stage.plans += 1;
        stage.loads += assigned.loads.len() as u64;
        stage.loaded_bytes +=
            assigned.loads.iter().map(|load| size_bytes(load.segment)).sum::<u64>();
        stage.drops += drops.len() as u64;
        stage.moves += moves.moves.len() as u64;
        stage.moved_bytes += moves.moves.iter().map(|moved| size_bytes(moved.segment)).sum::<u64>();
        stage.without_room = assigned.without_room.len() as u64;
        let named = assigned.without_nodes.iter();
        stage.tiers_without_nodes = named.map(|(tier, count)| (tier.to_string(), *count)).collect();
        for moved in moves.moves.iter().take(SHOWN_MOVES - stage.examples.len()) {
            let segment = balancer.cluster().segment(moved.segment);
            let datasource = &self.world.datasources[segment.datasource as usize];
            stage.examples.push(MoveExample {
                segment: format!("{datasource} {}", segment.interval),
                from: Arc::clone(&balancer.cluster().server(moved.from).name),
                to: Arc::clone(&balancer.cluster().server(moved.to).name),
                before: moved.before,
                after: moved.after,
            });
        }
        let did_nothing = assigned.loads.is_empty() && drops.is_empty() && moves.moves.is_empty();
        did_nothing && (moves.is_settled || self.options.moves_per_plan == Some(0))
    }

    fn happen(&mut self, event: &Event) -> Result<Vec<Stage>> {
        let name = event.to_string();
        let servers = self.world.servers.clone();
        match event {
            Event::LoseNodes { count } => {
                let lost = self.choose(*count)?;
                let left = servers.iter().enumerate().filter(|(at, _)| !lost.contains(at));
                self.world.set_servers(left.map(|(_, server)| server.clone()).collect());
            }
            Event::LoseZone { zone } => {
                let left: Vec<Server> =
                    servers.iter().filter(|server| *server.zone != **zone).cloned().collect();
                if left.len() == servers.len() || left.is_empty() {
                    let reason = format!("zone '{zone}' is not there, or all there is");
                    return Err(PlacementError::Cluster(reason));
                }
                self.world.set_servers(left);
            }
            Event::Flap { count } => return self.flap(&name, *count),
            Event::AddNodes { count } => {
                let added = added(&servers, *count);
                self.world.set_servers([servers, added].concat());
            }
            Event::DrainNodes { count } => {
                for at in self.choose(*count)? {
                    self.world.servers[at].state = ServerState::Draining;
                }
            }
            Event::SetRules { rules } => {
                self.world.rules = RuleBook::new(rules.clone(), TierAliases::default());
            }
        }
        Ok(vec![self.settle(&name)?])
    }

    /// Nodes go away, what only they had is loaded, and they are back.
    fn flap(&mut self, name: &str, count: usize) -> Result<Vec<Stage>> {
        let away = self.choose(count)?;
        for at in &away {
            self.world.servers[*at].state = ServerState::Away;
        }
        let gone = self.settle(name)?;
        for at in away {
            self.world.servers[at].state = ServerState::Active;
        }
        Ok(vec![gone, self.settle("and back")?])
    }

    /// Some of the nodes that take part, by chance, in the order of their places.
    fn choose(&self, count: usize) -> Result<Vec<usize>> {
        let mut active = self.world.active();
        if count >= active.len() {
            let reason = format!("{count} of {} nodes: some have to be left", active.len());
            return Err(PlacementError::Cluster(reason));
        }
        let mut chance = Chance(self.options.seed);
        let mut chosen: Vec<usize> =
            (0..count).map(|_| active.swap_remove(chance.below(active.len()))).collect();
        chosen.sort_unstable();
        Ok(chosen)
    }
}

/// New nodes like those that there are, one after the other, with names of their own.
fn added(servers: &[Server], count: usize) -> Vec<Server> {
    let is_like = |server: &&Server| server.state == ServerState::Active;
    let like: Vec<&Server> = servers.iter().filter(is_like).collect();
    let step = (like.len() / count.max(1)).max(1);
    let new = |at: usize| {
        let model = like[(at * step + at) % like.len()];
        let name = format!("{}-new-{}-{at:05}", model.tier, servers.len()).into();
        Server { name, ..model.clone() }
    };
    if like.is_empty() { Vec::new() } else { (0..count).map(new).collect() }
}

/// A stage in which nothing was planned.
fn untouched(name: &str, cluster: &Cluster) -> Stage {
    Stage {
        name: name.to_owned(),
        plans: 0,
        planned_ms: 0,
        longest_plan_ms: 0,
        loads: 0,
        loaded_bytes: 0,
        drops: 0,
        moves: 0,
        moved_bytes: 0,
        moves_when_settled: 0,
        without_room: 0,
        tiers_without_nodes: Vec::new(),
        examples: Vec::new(),
        measures: measure_cluster(cluster),
    }
}

fn measure_cluster(cluster: &Cluster) -> Measures {
    measure(cluster, |segment: &Segment, tier: &Tier| {
        match &cluster.wishes()[usize::from(segment.wish)] {
            Wish::Copies(copies) => {
                let asked = copies.iter().find(|(name, _)| *name == tier.name);
                asked.map_or(0, |(_, count)| u64::from(*count))
            }
            Wish::Everywhere => tier.servers.len() as u64,
            Wish::Untouched => 0,
        }
    })
}
