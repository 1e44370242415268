//! Kills, pauses, cuts, fills and moves; and mends all of it in the end.

use std::rc::Rc;
use std::sync::Arc;

use anyhow::Result;
use henge_platform::runtime::watch;
use henge_platform::storage::FaultPlan;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Stage, pause};
use crate::cluster::{BROKER, COORDINATORS, Cluster, HISTORICALS, REALTIME};
use crate::disks::Disks;
use crate::metadata::{METADATA, MetadataPlan};

/// A failure detector needs up to so long.
const NOTICED_MS: u64 = 8_000;
/// A paused process goes on within this time; terms of leaders are shorter.
const LONGEST_PAUSE_MS: u64 = 25_000;

/// The fault actor: on the thread of the simulation alone, as the disks are.
pub(crate) struct FaultActor {
    stage: Stage,
    random: StdRng,
    disks: Rc<Disks>,
    cuts: Vec<(&'static str, &'static str)>,
}

impl FaultActor {
    pub(crate) fn new(stage: Stage, disks: Rc<Disks>) -> Self {
        let random = stage.random(400);
        Self { stage, random, disks, cuts: Vec::new() }
    }

    /// One fault after the other until the time is up, then mends.
    pub(crate) async fn run(mut self, time: std::time::Duration) -> Result<()> {
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
            0..11 => self.crash(REALTIME).await,
            11..25 => {
                let (which, _) = *HISTORICALS.choose(&mut self.random).unwrap_or(&HISTORICALS[0]);
                match self.random.random_range(0..10) {
                    0..3 => self.lose_disk(which).await,
                    3..6 => self.leave_down(which).await,
                    _ => self.crash(which).await,
                }
            }
            25..30 => self.lose_zone().await,
            30..35 => self.crash(BROKER).await,
            35..41 => {
                let which = *COORDINATORS.choose(&mut self.random).unwrap_or(&COORDINATORS[0]);
                self.crash(which).await
            }
            41..50 => self.pause_leader().await,
            50..53 => self.pause_historical().await,
            53..56 => self.end_term_early(),
            56..60 => self.deliver_late().await,
            60..70 => self.cut_or_heal(),
            70..77 => self.fail_storage().await,
            77..85 => self.fail_metadata().await,
            85..91 => self.fill_or_free_disk(),
            91..95 => self.hide_cluster().await,
            _ => self.move_date(),
        }
    }

    fn count(&self, fault: &'static str) {
        tracing::info!(fault, "a fault");
        self.stage.tally.count(fault, 1);
    }

    fn cluster(&self) -> Arc<Cluster> {
        Arc::clone(&self.stage.cluster)
    }

    /// Ends a process. Half of the times its machine goes down with it.
    fn kill(&mut self, name: &'static str) {
        let cluster = self.cluster();
        cluster.kill(name);
        if self.random.random_bool(0.5) {
            let lost_bytes = self.disks.crash(&cluster.world.disk(name), &mut self.random);
            self.stage.tally.count("unsynced bytes lost in a crash", lost_bytes);
        }
    }

    async fn crash(&mut self, name: &'static str) -> Result<()> {
        self.count(match name {
            REALTIME => "fault: realtime node killed",
            BROKER => "fault: broker killed",
            name if COORDINATORS.contains(&name) => "fault: coordinator killed",
            _ => "fault: historical node killed",
        });
        if self.stage.cluster.leaders().iter().any(|leader| leader == name) {
            self.count("fault: leader killed");
        }
        self.kill(name);
        pause(&mut self.random, NOTICED_MS).await;
        self.restart(name).await
    }

    async fn lose_disk(&mut self, name: &'static str) -> Result<()> {
        self.count("fault: historical node's disk lost");
        self.kill(name);
        let disk = self.stage.cluster.world.disk(name);
        pause(&mut self.random, NOTICED_MS).await;
        let _ = std::fs::remove_dir_all(disk);
        self.restart(name).await
    }

    /// Other faults come while it is down, and copies are made elsewhere.
    async fn leave_down(&mut self, name: &'static str) -> Result<()> {
        self.count("fault: historical node down for long");
        self.kill(name);
        let longest_ms = self.random.random_range(8_000..40_000);
        let (cluster, mut random) = (self.cluster(), self.stage.random(self.random.random()));
        henge_platform::runtime::spawn(async move {
            pause(&mut random, NOTICED_MS).await;
            // Somebody may have started it again.
            if !cluster.is_running(name) {
                let _ = cluster.notice_death(name);
            }
            pause(&mut random, longest_ms).await;
            let _ = restart(&cluster, name).await;
        });
        Ok(())
    }

    async fn lose_zone(&mut self) -> Result<()> {
        let (_, zone) = *HISTORICALS.choose(&mut self.random).unwrap_or(&HISTORICALS[0]);
        self.count("fault: zone lost");
        let names = HISTORICALS.into_iter().filter(|(_, of)| *of == zone).map(|(name, _)| name);
        let names: Vec<&'static str> = names.collect();
        names.iter().for_each(|name| self.kill(name));
        pause(&mut self.random, NOTICED_MS).await;
        // One that was down before may have been started again.
        for name in names.iter().filter(|name| !self.stage.cluster.is_running(name)) {
            self.stage.cluster.notice_death(name)?;
        }
        pause(&mut self.random, 20_000).await;
        for name in names {
            self.restart(name).await?;
        }
        Ok(())
    }

    /// It wakes with all it had in mind, perhaps when another leads.
    async fn pause_leader(&mut self) -> Result<()> {
        let cluster = self.cluster();
        let Some(leader) = cluster.leaders().first().cloned() else { return Ok(()) };
        self.count("fault: leader paused");
        cluster.pause(&leader, true);
        pause(&mut self.random, LONGEST_PAUSE_MS).await;
        if cluster.leaders().iter().any(|other| *other != leader) {
            self.stage.tally.count("leaders that woke when another led", 1);
        }
        cluster.pause(&leader, false);
        Ok(())
    }

    async fn pause_historical(&mut self) -> Result<()> {
        let (name, _) = *HISTORICALS.choose(&mut self.random).unwrap_or(&HISTORICALS[0]);
        self.count("fault: historical node paused");
        self.stage.cluster.pause(name, true);
        pause(&mut self.random, NOTICED_MS).await;
        self.stage.cluster.pause(name, false);
        Ok(())
    }

    /// The store's clock jumps: whoever leads thinks longer than the store that it does.
    fn end_term_early(&mut self) -> Result<()> {
        self.count("fault: the store's clock jumped");
        self.stage.cluster.world.store_clock.pass(15_000);
        Ok(())
    }

    /// Coordinators give up on calls that arrive all the same.
    async fn deliver_late(&mut self) -> Result<()> {
        self.count("fault: calls to hosts arrive late");
        let network = &self.stage.cluster.world.network;
        network.set_late(0.5);
        pause(&mut self.random, 15_000).await;
        network.set_late(0.0);
        Ok(())
    }

    fn cut_or_heal(&mut self) -> Result<()> {
        let network = &self.stage.cluster.world.network;
        if !self.cuts.is_empty() && self.random.random_bool(0.6) {
            let healed = self.cuts.swap_remove(self.random.random_range(0..self.cuts.len()));
            network.cut(healed.0, healed.1, false);
            return Ok(());
        }
        let historical = HISTORICALS[self.random.random_range(0..HISTORICALS.len())].0;
        let coordinator = COORDINATORS[self.random.random_range(0..COORDINATORS.len())];
        let ways = [
            (BROKER, historical),
            (historical, BROKER),
            (BROKER, REALTIME),
            (REALTIME, BROKER),
            (coordinator, historical),
            (historical, coordinator),
            (coordinator, METADATA),
            (BROKER, METADATA),
            (REALTIME, METADATA),
            (REALTIME, "pusher-0"),
            ("pusher-1", REALTIME),
            (BROKER, "querier-0"),
        ];
        let cut = ways[self.random.random_range(0..ways.len())];
        network.cut(cut.0, cut.1, true);
        self.cuts.push(cut);
        self.count(match cut.1 {
            METADATA => "fault: metadata cut off",
            _ => "fault: network cut",
        });
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

    async fn fail_metadata(&mut self) -> Result<()> {
        let plan = MetadataPlan {
            refuse: self.random.random_range(0.0..0.7),
            lose_answer: self.random.random_range(0.0..0.5),
            latency_ms: self.random.random_range(0..1_000),
        };
        self.count("fault: metadata fail");
        let metadata = &self.stage.cluster.world.metadata;
        metadata.set_plan(plan);
        pause(&mut self.random, 8_000).await;
        metadata.set_plan(MetadataPlan::default());
        Ok(())
    }

    fn fill_or_free_disk(&mut self) -> Result<()> {
        if self.disks.any_full() {
            self.disks.free_all();
        } else {
            let names = [REALTIME, HISTORICALS[0].0, HISTORICALS[1].0, HISTORICALS[2].0];
            self.disks.fill(names[self.random.random_range(0..names.len())]);
            self.count("fault: disk full");
        }
        Ok(())
    }

    /// Coordinators are told that they do not see all.
    async fn hide_cluster(&mut self) -> Result<()> {
        self.count("fault: not all of the cluster seen");
        let sight: &watch::Sender<bool> = &self.stage.cluster.world.sight;
        sight.send_replace(false);
        pause(&mut self.random, 15_000).await;
        sight.send_replace(true);
        Ok(())
    }

    fn move_date(&mut self) -> Result<()> {
        let by_ms = self.random.random_range(-3_600_000..3_600_000);
        self.stage.cluster.world.move_date(by_ms);
        self.count("fault: date moved");
        Ok(())
    }

    async fn restart(&self, name: &'static str) -> Result<()> {
        restart(&self.stage.cluster, name).await
    }

    async fn mend(self) -> Result<()> {
        let cluster = &self.stage.cluster;
        for (from, to) in &self.cuts {
            cluster.world.network.cut(from, to, false);
        }
        self.disks.free_all();
        cluster.world.storage.set_plan(FaultPlan::default());
        for name in Cluster::names() {
            restart(cluster, name).await?;
        }
        Ok(())
    }
}

/// Starts a killed process again. A full disk or metadata that are away may keep it from starting: then it
/// stays down until things are mended, as a supervisor that tries again would have it.
async fn restart(cluster: &Arc<Cluster>, name: &'static str) -> Result<()> {
    if cluster.is_running(name) {
        return Ok(());
    }
    cluster.notice_death(name)?;
    if let Err(error) = cluster.start(name).await {
        tracing::info!(%error, name, "a process did not start");
        cluster.kill(name);
    }
    Ok(())
}
