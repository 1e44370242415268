//! `henge cluster simulate`: arguments in, a report out; all else is `henge_placement::simulate`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use henge_placement::rules::Rule;
use henge_placement::simulate::{
    Event, Placement, Scenario, SimulationOptions, Snapshot, TierSpec, World, as_json, as_markdown,
    simulate,
};
use henge_platform::runtime::{Clock, SystemClock};

use crate::cmd::output::say;

/// Options of `henge cluster simulate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge cluster simulate                      a million segments on a hundred nodes
  henge cluster simulate --segments 50000 --nodes 20 --zones 3 --event lose-zone=zone-1
  henge cluster simulate --event lose-nodes=3 --event add-nodes=10 --json
  henge cluster simulate --scenario tiers.json --event 'rules=[{\"type\": \"dropForever\"}]'
  henge cluster simulate --snapshot cluster.json --event drain-nodes=1")]
pub(crate) struct SimulateArgs {
    /// An exported cluster, as JSON, in place of one that is made up.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "segments", "nodes", "zones", "datasources", "replicas"])]
    snapshot: Option<PathBuf>,
    /// What the cluster is like, as JSON: tiers, rules, days, sizes.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Segments.
    #[arg(long, value_name = "COUNT")]
    segments: Option<usize>,
    /// Nodes, all of one tier.
    #[arg(long, value_name = "COUNT")]
    nodes: Option<usize>,
    /// Zones, over which nodes are spread.
    #[arg(long, value_name = "COUNT")]
    zones: Option<usize>,
    /// Datasources.
    #[arg(long, value_name = "COUNT")]
    datasources: Option<usize>,
    /// Copies of each segment.
    #[arg(long, value_name = "COUNT")]
    replicas: Option<u32>,
    /// What happens, in this order: lose-nodes=N, lose-zone=NAME, flap=N, add-nodes=N, drain-nodes=N, rules=[…].
    #[arg(long = "event", value_name = "EVENT")]
    events: Vec<Event>,
    /// Begin where chance put the copies, and balance that, rather than place them from nothing.
    #[arg(long)]
    from_random: bool,
    /// Copies that one plan moves, at most; as many as it takes unless given.
    #[arg(long, value_name = "COUNT")]
    moves_per_plan: Option<usize>,
    /// Milliseconds that one plan may take; what does not fit is for the next.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    plan_ms: u64,
    /// Whatever is chosen by chance follows from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON rather than Markdown.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &SimulateArgs) -> Result<ExitCode> {
    let (mut world, first) = match &args.snapshot {
        Some(path) => {
            let json = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
            (Snapshot::parse(&json)?.into_world()?, Placement::AsGiven)
        }
        None => (World::of(&scenario(args)?)?, first(args)),
    };
    let options = SimulationOptions {
        seed: args.seed,
        plan_ms: args.plan_ms,
        moves_per_plan: args.moves_per_plan,
        ..SimulationOptions::default()
    };
    let running_ms = || SystemClock.running_ms();
    let stages = simulate(&mut world, first, &args.events, &options, &running_ms)?;
    match args.json {
        true => say(as_json(&stages)?)?,
        false => say(as_markdown(&stages).trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn first(args: &SimulateArgs) -> Placement {
    if args.from_random { Placement::Random } else { Placement::Planned }
}

/// The scenario of the file, or the default one, with what was said beside it.
fn scenario(args: &SimulateArgs) -> Result<Scenario> {
    let mut scenario = match &args.scenario {
        Some(path) => {
            let json = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
            serde_json::from_slice(&json).with_context(|| format!("in {}", path.display()))?
        }
        None => Scenario::default(),
    };
    scenario.seed = args.seed;
    scenario.segments = args.segments.unwrap_or(scenario.segments);
    scenario.zones = args.zones.unwrap_or(scenario.zones);
    scenario.datasources = args.datasources.unwrap_or(scenario.datasources).min(scenario.segments);
    if let Some(nodes) = args.nodes {
        let name = henge_placement::rules::DEFAULT_TIER.to_owned();
        scenario.tiers = vec![TierSpec { name, nodes, capacity_bytes: None, priority: 0 }];
    }
    if let Some(replicas) = args.replicas {
        scenario.rules = vec![Rule::load_forever(replicas)];
    }
    Ok(scenario)
}
