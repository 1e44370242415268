//! Kills, cuts, fills and moves; and mends all of it in the end.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use henge_platform::runtime::files::{FileFaults, FileWork};
use henge_platform::storage::FaultPlan;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Stage, pause};
use crate::cluster::{BROKER, COORDINATOR, Cluster, HISTORICALS, REALTIME};

/// A failure detector needs up to so long.
const NOTICED_MS: u64 = 8_000;

/// Disks that are full, by the process's name.
#[derive(Debug, Default)]
pub(crate) struct FullDisks {
    full: RefCell<Vec<&'static str>>,
}

impl FileFaults for FullDisks {
    fn before(&self, work: FileWork, path: &Path) -> std::io::Result<()> {
        let is_on =
            |name: &&str| path.components().any(|part| part.as_os_str().to_str() == Some(*name));
        let grows = matches!(work, FileWork::Create | FileWork::Write);
        match grows && self.full.borrow().iter().any(is_on) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

/// The fault actor: on the thread of the simulation alone, as the disks are.
pub(crate) struct FaultActor {
    stage: Stage,
    random: StdRng,
    disks: Rc<FullDisks>,
    cuts: Vec<(&'static str, &'static str)>,
}

impl FaultActor {
    pub(crate) fn new(stage: Stage, disks: Rc<FullDisks>) -> Self {
        let random = stage.random(400);
        Self { stage, random, disks, cuts: Vec::new() }
    }

    /// One fault after the other until the time is up, then mends.
    pub(crate) async fn run(mut self, time: Duration) -> Result<()> {
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            pause(&mut self.random, 4_000).await;
            self.one_fault().await?;
        }
        self.mend().await
    }

    async fn one_fault(&mut self) -> Result<()> {
        let kind = self.random.random_range(0..100);
        match kind {
            0..15 => self.crash(REALTIME).await,
            15..35 => {
                let which = *HISTORICALS.choose(&mut self.random).unwrap_or(&HISTORICALS[0]);
                if self.random.random_bool(0.3) {
                    self.lose_disk(which).await
                } else {
                    self.crash(which).await
                }
            }
            35..45 => self.crash(BROKER).await,
            45..55 => self.crash(COORDINATOR).await,
            55..75 => self.cut_or_heal(),
            75..85 => self.fail_storage().await,
            85..93 => self.fill_or_free_disk(),
            _ => self.move_date(),
        }
    }

    fn count(&self, fault: &'static str) {
        tracing::info!(fault, "a fault");
        self.stage.tally.count(fault, 1);
    }

    async fn crash(&mut self, name: &'static str) -> Result<()> {
        self.count(match name {
            REALTIME => "fault: realtime node killed",
            BROKER => "fault: broker killed",
            COORDINATOR => "fault: coordinator killed",
            _ => "fault: historical node killed",
        });
        let cluster = &self.stage.cluster;
        cluster.kill(name);
        pause(&mut self.random, NOTICED_MS).await;
        restart(cluster, name).await
    }

    async fn lose_disk(&mut self, name: &'static str) -> Result<()> {
        self.count("fault: historical node's disk lost");
        let cluster = &self.stage.cluster;
        cluster.kill(name);
        let disk = cluster.world.disk(name);
        pause(&mut self.random, NOTICED_MS).await;
        let _ = std::fs::remove_dir_all(disk);
        restart(cluster, name).await
    }

    fn cut_or_heal(&mut self) -> Result<()> {
        let network = &self.stage.cluster.world.network;
        if !self.cuts.is_empty() && self.random.random_bool(0.6) {
            let healed = self.cuts.swap_remove(self.random.random_range(0..self.cuts.len()));
            network.cut(healed.0, healed.1, false);
            return Ok(());
        }
        let ways = [
            (BROKER, HISTORICALS[0]),
            (HISTORICALS[0], BROKER),
            (BROKER, HISTORICALS[1]),
            (BROKER, REALTIME),
            (REALTIME, BROKER),
            (COORDINATOR, HISTORICALS[0]),
            (HISTORICALS[1], COORDINATOR),
            (REALTIME, "pusher-0"),
            ("pusher-1", REALTIME),
            (BROKER, "querier-0"),
        ];
        let cut = ways[self.random.random_range(0..ways.len())];
        network.cut(cut.0, cut.1, true);
        self.cuts.push(cut);
        self.count("fault: network cut");
        Ok(())
    }

    async fn fail_storage(&mut self) -> Result<()> {
        let plan = FaultPlan {
            refuse: self.random.random_range(0.0..0.7),
            lose_answer: self.random.random_range(0.0..0.5),
            flip_bit: self.random.random_range(0.0..0.3),
            truncate: self.random.random_range(0.0..0.3),
            break_off: self.random.random_range(0.0..0.3),
            late: self.random.random_range(0.0..0.2),
            latency_ms: self.random.random_range(0..300),
            ..FaultPlan::default()
        };
        self.count("fault: deep storage fails");
        let storage = &self.stage.cluster.world.storage;
        storage.set_plan(plan);
        pause(&mut self.random, 6_000).await;
        storage.set_plan(FaultPlan::default());
        Ok(())
    }

    fn fill_or_free_disk(&mut self) -> Result<()> {
        let mut full = self.disks.full.borrow_mut();
        if full.is_empty() {
            let names = [REALTIME, HISTORICALS[0], HISTORICALS[1]];
            full.push(names[self.random.random_range(0..names.len())]);
            drop(full);
            self.count("fault: disk full");
        } else {
            full.clear();
        }
        Ok(())
    }

    fn move_date(&mut self) -> Result<()> {
        let by_ms = self.random.random_range(-3_600_000..3_600_000);
        self.stage.cluster.world.move_date(by_ms);
        self.count("fault: date moved");
        Ok(())
    }

    async fn mend(self) -> Result<()> {
        let cluster = &self.stage.cluster;
        for (from, to) in self.cuts {
            cluster.world.network.cut(from, to, false);
        }
        self.disks.full.borrow_mut().clear();
        cluster.world.storage.set_plan(FaultPlan::default());
        for name in Cluster::names().filter(|name| !cluster.is_running(name)) {
            restart(cluster, name).await?;
        }
        Ok(())
    }
}

/// Starts a killed process again. A full disk may keep it from starting: then it stays down until
/// things are mended, as a supervisor that tries again would have it.
async fn restart(cluster: &std::sync::Arc<Cluster>, name: &'static str) -> Result<()> {
    cluster.notice_death(name)?;
    if let Err(error) = cluster.start(name).await {
        tracing::info!(%error, name, "a process did not start");
        cluster.kill(name);
    }
    Ok(())
}
