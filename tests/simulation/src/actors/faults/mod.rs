//! Kills, pauses, cuts, fills and moves; and mends all of it in the end. Most of it goes on while the next comes.

mod processes;
mod spare;
mod surroundings;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use henge_platform::storage::FaultPlan;
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;

use super::{Stage, any_realtime, pause};
use crate::cluster::{BROKER, COORDINATORS, Cluster, HISTORICALS, REALTIMES};
use crate::disks::Disks;
use crate::metadata::MetadataPlan;

/// A paused process goes on within this time; leases are shorter.
const LONGEST_PAUSE_MS: u64 = 25_000;
/// A killed process is started again within this time.
const LONGEST_DEATH_MS: u64 = 8_000;
/// After the faults all processes run within this much simulated time.
const ALL_RUN_WITHIN: Duration = Duration::from_secs(300);

/// The fault actor: on the thread of the simulation alone, as the disks are.
pub(crate) struct FaultActor {
    stage: Stage,
    random: StdRng,
    disks: Rc<Disks>,
    cuts: Vec<(&'static str, &'static str)>,
    lags: Vec<(&'static str, &'static str)>,
    /// Realtime nodes that were lost with their disks, and not given up yet.
    lost: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl FaultActor {
    pub(crate) fn new(stage: Stage, disks: Rc<Disks>) -> Self {
        let random = stage.random(400);
        let (cuts, lags) = (Vec::new(), Vec::new());
        Self { stage, random, disks, cuts, lags, lost: Arc::default() }
    }

    /// One fault after the other until the time is up, then mends.
    pub(crate) async fn run(mut self, time: Duration) -> Result<()> {
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            pause(&mut self.random, 5_000).await;
            self.one_fault().await?;
        }
        self.mend().await
    }

    async fn one_fault(&mut self) -> Result<()> {
        match self.random.random_range(0..100) {
            0..12 => self.harm_realtime().await?,
            12..22 => self.harm_historical(),
            22..25 => self.lose_zone(),
            25..29 => self.crash(BROKER),
            29..34 => {
                let which = COORDINATORS[self.random.random_range(0..COORDINATORS.len())];
                self.crash(which);
            }
            34..40 => self.pause_leader(),
            40..51 => self.pause_any(),
            51..53 => self.end_terms_early(),
            53..56 => self.deliver_late(),
            56..67 => self.cut_or_heal(),
            67..73 => self.lag_or_not(),
            73..77 => self.lose_gossip(),
            77..83 => self.fail_storage(),
            83..90 => self.fail_metadata(),
            90..94 => self.fill_or_free_disk(),
            94..97 => self.hide_cluster(),
            _ => self.move_date(),
        }
        Ok(())
    }

    fn count(&self, fault: &'static str) {
        tracing::info!(fault, "a fault");
        self.stage.tally.count(fault, 1);
    }

    fn cluster(&self) -> Arc<Cluster> {
        Arc::clone(&self.stage.cluster)
    }

    /// A time up to so many milliseconds.
    fn moment(&mut self, longest_ms: u64) -> Duration {
        Duration::from_millis(self.random.random_range(1..=longest_ms))
    }

    /// Does something a while later.
    fn later(&self, after: Duration, work: impl FnOnce(&Cluster) + Send + 'static) {
        let cluster = self.cluster();
        henge_platform::runtime::spawn(async move {
            tokio::time::sleep(after).await;
            work(&cluster);
        });
    }

    async fn mend(self) -> Result<()> {
        let cluster = &self.stage.cluster;
        let network = &cluster.world.network;
        self.cuts.iter().for_each(|(from, to)| network.cut(from, to, false));
        self.lags.iter().for_each(|(from, to)| network.lag(from, to, false));
        cluster.world.gossip.set_lost(0.0);
        self.disks.free_all();
        cluster.world.storage.set_plan(FaultPlan::default());
        cluster.world.metadata.set_plan(MetadataPlan::default());
        for name in Cluster::names() {
            cluster.revive(name, Duration::ZERO);
        }
        let all_run = async {
            while !Cluster::names().all(|name| cluster.is_well(name)) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let in_time = tokio::time::timeout(ALL_RUN_WITHIN, all_run).await;
        let down: Vec<_> = Cluster::names().filter(|name| !cluster.is_well(name)).collect();
        in_time.with_context(|| format!("{down:?} do not start"))
    }
}
