//! One run: a seed decides all that happens in it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::simulation;
use henge_platform::storage::DeepStorage;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing_subscriber::layer::SubscriberExt;

use crate::actors::{self, FaultActor, Question, Stage, ask, ask_replaced, create_datasources};
use crate::cluster::{Cluster, HISTORICALS, REALTIMES, REPLICAS};
use crate::disks::Disks;
use crate::model::{DATASOURCES, WITHOUT_KEY, total};
use crate::tally::{Counts, Tally};
use crate::trace::Trace;
use crate::world::World;

/// After the faults everything settles within this much simulated time.
const SETTLES_WITHIN: Duration = Duration::from_secs(600);
/// The date goes on in steps of this.
const TICK_MS: u64 = 50;

/// What a run was.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What happened, and what must not have.
    pub counts: Counts,
    /// Warnings and notes of the servers, with how often they were written.
    pub reached: BTreeMap<String, u64>,
    /// A hash of everything that was logged, with its simulated time.
    pub digest: u64,
    /// Lines logged.
    pub lines: u64,
}

/// How to run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Simulated time with faults.
    pub faults_for: Duration,
    /// Print the log.
    pub prints: bool,
}

/// Runs a seed to its end.
///
/// # Errors
/// When the simulation itself cannot be set up; broken promises are in the outcome.
pub fn run(seed: u64, options: Options) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .context("a runtime")?;
    let simulated = simulation::enter(seed);
    let disks = Rc::new(Disks::default());
    simulated.fail_files(Rc::clone(&disks) as _);
    let world = runtime.block_on(World::new(seed))?;
    let folder = world.disk("").display().to_string();
    let trace = runtime.block_on(async { Trace::new(&folder, options.prints) });
    let filter = tracing_subscriber::filter::LevelFilter::DEBUG;
    let log = tracing_subscriber::registry().with(filter).with(trace.clone());
    let _logged = tracing::subscriber::set_default(log);
    let tally = Arc::new(Tally::default());
    let acted = runtime.block_on(act(seed, options, world, disks, Arc::clone(&tally)));
    if let Err(error) = acted {
        tally.violation(format!("the run ended early: {error:#}"));
    }
    drop(runtime);
    let (digest, lines) = trace.digest();
    Ok(Outcome { counts: tally.counts(), reached: trace.reached(), digest, lines })
}

async fn act(
    seed: u64,
    options: Options,
    world: World,
    disks: Rc<Disks>,
    tally: Arc<Tally>,
) -> Result<()> {
    let cluster = Arc::new(Cluster::new(world));
    let of_ticks = Arc::clone(&cluster);
    let ticking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(TICK_MS)).await;
            of_ticks.world.pass(TICK_MS);
        }
    });
    for name in Cluster::names() {
        cluster.start(name).await?;
    }
    create_datasources(&cluster).await?;
    let (end, over) = watch::channel(false);
    let stage = Stage { cluster, model: Arc::default(), tally, over, seed };
    let actors = actors::start(&stage);
    FaultActor::new(stage.clone(), disks).run(options.faults_for).await?;
    let _ = end.send(true);
    let settled = async {
        for actor in actors {
            actor.await.context("an actor panicked")?;
        }
        settle(&stage).await
    };
    match tokio::time::timeout(SETTLES_WITHIN, settled).await {
        Ok(settled) => settled?,
        Err(_) => stage.tally.violation(format!("not settled: {}", unsettled(&stage).await)),
    }
    ticking.abort();
    let world = &stage.cluster.world;
    for (what, times) in world.audit.counts().into_iter().chain(world.metadata.counts()) {
        stage.tally.count(what, times);
    }
    stage.tally.count("calls to hosts that arrived late", world.network.arrived_late());
    for what in world.audit.broken().into_iter().chain(world.metadata.broken()) {
        stage.tally.violation(what);
    }
    // The network holds what is reached over it, and that the network: all of it would stay in memory.
    Cluster::names().for_each(|name| stage.cluster.kill(name));
    Ok(())
}

/// Everything is handed off, loaded as often as asked for, and counted exactly; then every object is
/// somebody's.
async fn settle(stage: &Stage) -> Result<()> {
    let started = Instant::now();
    let world = &stage.cluster.world;
    loop {
        for (name, _) in REALTIMES {
            if let Some((process, node)) = stage.cluster.realtime(name) {
                let _ = process.spawn(async move { node.flush().await }).await;
            }
        }
        let left: usize = REALTIMES.iter().map(|(name, _)| announced(world, name)).sum();
        let is_answered = answered_exactly(stage).await;
        let replaced = ask_replaced(stage, &mut BTreeMap::new()).await;
        let (last, _) = stage.model.replacements();
        let is_newest = |tasks: Vec<u64>| tasks.iter().all(|task| *task >= last);
        let is_answered = is_answered && replaced.is_some_and(is_newest);
        let left = left + world.metadata.store.buffered_segments().await?.len();
        if left == 0 && is_answered && misplaced(world).await?.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for datasource in DATASOURCES {
        let acknowledged = total(&stage.model.all_acknowledged(datasource), |_, _| true);
        stage.tally.count("rows at the end", acknowledged.rows as u64);
    }
    stage.tally.count("milliseconds to settle", started.elapsed().as_millis() as u64);
    if stage.cluster.leaders().len() != 1 {
        stage.tally.violation(format!("at the end lead {:?}", stage.cluster.leaders()));
    }
    for segment in world.metadata.store.used_segments().await?.segments {
        stage.tally.count("segments at the end", 1);
        if !world.storage.exists(&segment.object_key).await? {
            stage.tally.violation(format!("the object of {} is gone", segment.id));
        }
    }
    Ok(())
}

fn announced(world: &World, name: &str) -> usize {
    world.audit.announced_by(name).map_or(0, |server| server.segments.len())
}

/// Whether all that was acknowledged is answered, of every datasource, and nothing that was never sent.
async fn answered_exactly(stage: &Stage) -> bool {
    for datasource in DATASOURCES {
        let question = Question::everything(datasource);
        let Some(found) = ask(stage, "auditor", &question).await else { return false };
        let has_key = |_: i64, city: i64| city != WITHOUT_KEY;
        let acknowledged = stage.model.all_acknowledged(datasource);
        let exact = total(&acknowledged, has_key);
        let (least, most) = (
            total(&acknowledged, |_, _| true),
            total(&stage.model.most(datasource), |day, city| !has_key(day, city)),
        );
        if !(least.rows..=exact.rows + most.rows).contains(&found.rows) {
            return false;
        }
    }
    true
}

/// Used segments that are not on as many hosts as asked for, in different zones, and those that are held
/// though they are not used.
async fn misplaced(world: &World) -> Result<Vec<String>> {
    let used = world.metadata.store.used_segments().await?.segments;
    let hosts: Vec<_> = HISTORICALS
        .iter()
        .filter_map(|(name, zone)| Some((*name, *zone, world.audit.announced_by(name)?.segments)))
        .collect();
    let mut misplaced = Vec::new();
    for segment in &used {
        let holders = hosts.iter().filter(|(.., held)| held.contains_key(&segment.id));
        let zones: Vec<&str> = holders.map(|(_, zone, _)| *zone).collect();
        if zones.len() != REPLICAS || zones[0] == zones[1] {
            misplaced.push(format!("{} is in {zones:?}", segment.id));
        }
    }
    for (name, _, segments) in hosts {
        let unused = segments.keys().filter(|id| !used.iter().any(|segment| segment.id == **id));
        misplaced.extend(unused.map(|id| format!("{name} has {id}, which is not used")));
    }
    Ok(misplaced)
}

/// What is still under way.
async fn unsettled(stage: &Stage) -> String {
    let world = &stage.cluster.world;
    let mut of_datasources = Vec::new();
    for datasource in DATASOURCES {
        let acknowledged = total(&stage.model.all_acknowledged(datasource), |_, _| true);
        let found = ask(stage, "auditor", &Question::everything(datasource)).await;
        of_datasources.push(format!("{datasource}: {found:?} of {acknowledged:?}"));
    }
    let announced: Vec<String> =
        Cluster::names().map(|name| format!("{name} {}", announced(world, name))).collect();
    let notes = world.metadata.store.buffered_segments().await.unwrap_or_default();
    let notes: Vec<String> =
        notes.iter().map(|note| format!("{} by {}", note.id, note.owner)).collect();
    let misplaced = misplaced(world).await.unwrap_or_default();
    format!("{of_datasources:?}, noted: {notes:?}, announced: {announced:?}, {misplaced:?}")
}
