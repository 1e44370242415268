//! Making up a cluster: datasources large and small, hourly and daily, segments of very different sizes, and
//! queries that ask for what is new.

use std::sync::Arc;

use henge_types::Interval;

use super::scenario::Scenario;
use super::world::{Stored, World};
use crate::balance::{assumed_load, mix};
use crate::cluster::{Server, ServerState};
use crate::error::{PlacementError, Result};
use crate::rules::{RuleBook, TierAliases, Wanted, validate_rules};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How full nodes are whose capacity is not given.
const FULLNESS: f64 = 0.8;

impl World {
    /// A cluster as a scenario says, in which nothing is loaded.
    ///
    /// # Errors
    /// When it has no nodes, more datasources than segments, or rules that are refused.
    pub fn of(scenario: &Scenario) -> Result<Self> {
        check(scenario)?;
        validate_rules(&scenario.rules)?;
        let rules = RuleBook::new(scenario.rules.clone(), TierAliases::default());
        let datasources: Vec<Arc<str>> =
            (0..scenario.datasources).map(|at| format!("datasource-{at:06}").into()).collect();
        let mut segments = Vec::with_capacity(scenario.segments);
        for (datasource, count) in (0..).zip(sizes(scenario.segments, scenario.datasources)) {
            add_segments(scenario, datasource, count, &mut segments);
        }
        let mut world =
            Self { now_ms: scenario.now_ms, datasources, rules, servers: Vec::new(), segments };
        let servers = servers(scenario, &world);
        world.set_servers(servers);
        Ok(world)
    }
}

fn check(scenario: &Scenario) -> Result<()> {
    let Scenario { segments, datasources, tiers, zones, days, .. } = scenario;
    let nodes: usize = tiers.iter().map(|tier| tier.nodes).sum();
    let wrong = [
        (nodes == 0, "it has no nodes"),
        (*zones == 0, "it has no zones: 1 is where they are not told apart"),
        (*datasources == 0 || datasources > segments, "it needs a segment for each datasource"),
        (*days == 0, "it covers no days"),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, reason)) => Err(PlacementError::Cluster(reason.to_owned())),
        None => Ok(()),
    }
}

/// How many segments each datasource has: the tenth largest a fifth or so of the largest.
fn sizes(segments: usize, datasources: usize) -> Vec<usize> {
    let weights: Vec<f64> = (1..=datasources).map(|rank| (rank as f64).powf(-0.7)).collect();
    let total: f64 = weights.iter().sum();
    let spare = (segments - datasources) as f64;
    let mut sizes: Vec<usize> =
        weights.iter().map(|weight| 1 + (spare * weight / total) as usize).collect();
    let rest = segments - sizes.iter().sum::<usize>();
    sizes[0] += rest;
    sizes
}

/// Chunks of hours or days back from now, with as many segments each as it takes; in the order of time.
fn add_segments(scenario: &Scenario, datasource: u32, count: usize, into: &mut Vec<Stored>) {
    let mut chance = Chance(mix(scenario.seed ^ mix(u64::from(datasource))));
    let hours = scenario.days as usize * 24;
    let (width_ms, chunks) = match count {
        _ if count >= hours * 2 => (HOUR_MS, hours),
        _ => (DAY_MS, count.min(scenario.days as usize)),
    };
    let popularity = chance.around_one(1.0);
    for chunk in 0..chunks {
        let back = (chunks - chunk) as i64;
        let start_ms = scenario.now_ms - back * width_ms;
        let interval = Interval { start_ms, end_ms: start_ms + width_ms };
        // The newest chunks get what does not divide.
        let here = count / chunks + usize::from(chunks - chunk <= count % chunks);
        for _ in 0..here {
            let size = scenario.mean_segment_bytes as f64 * chance.around_one(0.9);
            let age_ms = back * width_ms;
            into.push(Stored {
                datasource,
                interval,
                size_bytes: size as u64,
                load: assumed_load(size as u64, age_ms, popularity),
                holders: Vec::new(),
            });
        }
    }
}

fn servers(scenario: &Scenario, world: &World) -> Vec<Server> {
    let mut servers = Vec::new();
    for tier in &scenario.tiers {
        let wanted = wanted_bytes(world, &tier.name, tier.nodes);
        let fair = (wanted as f64 / tier.nodes.max(1) as f64 / FULLNESS) as u64;
        for at in 0..tier.nodes {
            servers.push(Server {
                name: format!("{}-{at:05}", tier.name).into(),
                tier: tier.name.as_str().into(),
                zone: format!("zone-{}", at % scenario.zones).into(),
                capacity_bytes: tier.capacity_bytes.unwrap_or(fair),
                priority: tier.priority,
                state: ServerState::Active,
            });
        }
    }
    servers
}

/// Bytes that rules want in a tier.
fn wanted_bytes(world: &World, tier: &str, nodes: usize) -> u128 {
    let of_segment = |stored: &Stored| {
        let datasource = &world.datasources[stored.datasource as usize];
        let copies = match world.rules.wanted(datasource, stored.interval, world.now_ms) {
            Wanted::Load(replicants) => replicants.get(tier).copied().unwrap_or(0) as usize,
            Wanted::Broadcast => nodes,
            Wanted::Drop | Wanted::Unruled => 0,
        };
        copies.min(nodes) as u128 * u128::from(stored.size_bytes)
    };
    world.segments.iter().map(of_segment).sum()
}

/// Chance by a seed.
#[derive(Debug, Clone)]
pub(super) struct Chance(pub u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    /// Below a bound, which is not zero.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Uniform between 0 and 1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number whose logarithm is about normal, one on average, the wider the larger `spread` is.
    fn around_one(&mut self, spread: f64) -> f64 {
        let normal: f64 = (0..12).map(|_| self.part()).sum::<f64>() - 6.0;
        (normal * spread - spread * spread / 2.0).exp()
    }
}
