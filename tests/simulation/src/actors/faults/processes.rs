//! What happens to processes, their machines and their disks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;

use super::spare::is_spare;
use super::{
    BROKER, COORDINATORS, Cluster, FaultActor, HISTORICALS, LONGEST_DEATH_MS, LONGEST_PAUSE_MS,
    REALTIMES, Stage, any_realtime,
};
use crate::cluster::node_of;

/// A machine that is to go down when its log is synced is waited for so long.
const SYNCED_WITHIN: Duration = Duration::from_secs(3);
const SYNC_CHECK: Duration = Duration::from_millis(1);

impl FaultActor {
    pub(super) async fn harm_realtime(&mut self) -> Result<()> {
        let name = any_realtime(&mut self.random);
        match self.random.random_range(0..12) {
            0..4 => self.crash(name),
            4..6 => {
                self.count("fault: realtime node down for long");
                self.kill(name);
                let down = self.moment(40_000);
                self.cluster().revive(name, down);
            }
            6..9 => self.die_at_sync(name).await,
            _ => self.lose_realtime_disk(name).await,
        }
        Ok(())
    }

    pub(super) fn harm_historical(&mut self) {
        let (name, _) = HISTORICALS[self.random.random_range(0..HISTORICALS.len())];
        match self.random.random_range(0..10) {
            0..3 => {
                self.count("fault: historical node's disk lost");
                self.kill(name);
                let _ = std::fs::remove_dir_all(self.stage.cluster.world.disk(name));
                let down = self.moment(LONGEST_DEATH_MS);
                self.cluster().revive(name, down);
            }
            3..6 => {
                self.count("fault: historical node down for long");
                self.kill(name);
                let down = self.moment(40_000);
                self.cluster().revive(name, down);
            }
            _ => self.crash(name),
        }
    }

    /// Ends a process. Half of the times its machine goes down with it.
    fn kill(&mut self, name: &'static str) {
        self.stage.cluster.kill(name);
        if self.random.random_bool(0.5) {
            self.machine_down(name);
        }
    }

    fn machine_down(&mut self, name: &'static str) {
        let disk = self.stage.cluster.world.disk(name);
        let lost = self.disks.crash(name, &disk, &mut self.random);
        self.stage.tally.count("unsynced bytes lost in a crash", lost.bytes);
        self.stage.tally.count("torn ends of logs", lost.torn_files);
    }

    pub(super) fn crash(&mut self, name: &'static str) {
        let is_among = |all: &[(&str, &str)]| all.iter().any(|(of, _)| *of == name);
        self.count(match name {
            BROKER => "fault: broker killed",
            name if COORDINATORS.contains(&name) => "fault: coordinator killed",
            _ if is_among(&REALTIMES) => "fault: realtime node killed",
            _ => "fault: historical node killed",
        });
        if self.stage.cluster.leaders().iter().any(|leader| leader == name) {
            self.count("fault: leader killed");
        }
        self.kill(name);
        let down = self.moment(LONGEST_DEATH_MS);
        self.cluster().revive(name, down);
    }

    /// The machine of a node goes down while its log is synced.
    async fn die_at_sync(&mut self, name: &'static str) {
        self.disks.die_at_sync(name);
        let synced = async {
            while !self.disks.is_down(name) {
                tokio::time::sleep(SYNC_CHECK).await;
            }
        };
        if tokio::time::timeout(SYNCED_WITHIN, synced).await.is_ok() {
            self.count("fault: machine down in the middle of a sync");
        }
        self.stage.cluster.kill(name);
        self.machine_down(name);
        let down = self.moment(LONGEST_DEATH_MS * 3);
        self.cluster().revive(name, down);
    }

    /// A realtime node is lost with its disk, unless something acknowledged is nowhere else.
    async fn lose_realtime_disk(&mut self, name: &'static str) {
        // The disk of one that an operator is still about to give up is empty.
        let is_lost = self.lost.lock().contains(name);
        if is_lost || !is_spare(&self.stage.cluster.world, name).await {
            return self.stage.tally.count("disks that had what nobody else has", 1);
        }
        self.count("fault: realtime node lost with its disk");
        self.stage.cluster.kill(name);
        let _ = std::fs::remove_dir_all(self.stage.cluster.world.disk(name));
        self.lost.lock().insert(name);
        let (stage, random) = (self.stage.clone(), self.stage.random(self.random.random()));
        let lost = Arc::clone(&self.lost);
        henge_platform::runtime::spawn(async move {
            give_up(&stage, random, name).await;
            lost.lock().remove(name);
            stage.cluster.revive(name, Duration::from_secs(1));
        });
    }

    pub(super) fn lose_zone(&mut self) {
        let (_, zone) = HISTORICALS[self.random.random_range(0..HISTORICALS.len())];
        self.count("fault: zone lost");
        let down = self.moment(25_000);
        for (name, _) in HISTORICALS.into_iter().filter(|(_, of)| *of == zone) {
            self.kill(name);
            self.cluster().revive(name, down);
        }
    }

    /// It wakes with all it had in mind, perhaps when another leads.
    pub(super) fn pause_leader(&mut self) {
        let leaders = self.stage.cluster.leaders();
        let Some(leader) =
            COORDINATORS.into_iter().find(|name| leaders.iter().any(|of| of == name))
        else {
            return;
        };
        self.count("fault: leader paused");
        let pause = self.moment(LONGEST_PAUSE_MS);
        self.stage.cluster.pause(leader, true);
        let tally = self.stage.tally.clone();
        self.later(pause, move |cluster| {
            let others = cluster.leaders().into_iter().filter(|other| other != leader).count();
            tally.count("leaders that woke when another led", others.min(1) as u64);
            cluster.pause(leader, false);
        });
    }

    pub(super) fn pause_any(&mut self) {
        let (name, fault) = match self.random.random_range(0..10) {
            0..5 => (any_realtime(&mut self.random), "fault: realtime node paused"),
            5..8 => (BROKER, "fault: broker paused"),
            _ => {
                let at = self.random.random_range(0..HISTORICALS.len());
                (HISTORICALS[at].0, "fault: historical node paused")
            }
        };
        self.count(fault);
        let longest_ms = if self.random.random_bool(0.5) { LONGEST_PAUSE_MS } else { 3_000 };
        let pause = self.moment(longest_ms);
        self.stage.cluster.pause(name, true);
        self.later(pause, move |cluster| cluster.pause(name, false));
    }
}

/// An operator who knows that the disk is gone gives the node up, as soon as another one does it: those with
/// copies go on with its logs first. Once the node has begun anew there is nothing to give up.
async fn give_up(stage: &Stage, mut random: StdRng, name: &'static str) {
    let started = stage.cluster.times_started(name);
    loop {
        super::pause(&mut random, 4_000).await;
        if stage.cluster.times_started(name) > started {
            return;
        }
        let others = REALTIMES.into_iter().map(|(other, _)| other).filter(|other| *other != name);
        let others: Vec<&str> = others.collect();
        let to = others[random.random_range(0..others.len())];
        let path = format!("/v1/realtime/{}/give-up", node_of(name));
        let Ok(request) = Request::post(path).body(Body::empty()) else { return };
        let Some(answer) = stage.cluster.request("operator", to, request).await else { continue };
        if answer.status != StatusCode::OK {
            let said = String::from_utf8_lossy(&answer.body);
            tracing::info!(name, %said, "a node is not given up yet");
            continue;
        }
        stage.tally.count("realtime nodes given up", 1);
        let given_up: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let lost = given_up["lost"].as_array().cloned().unwrap_or_default();
        let has_rows = |lost: &&Value| lost["segments"].as_array().is_some_and(|s| !s.is_empty());
        for lost in lost.iter().filter(has_rows) {
            stage.tally.violation(format!("{name} was given up and with it {lost}"));
        }
        return;
    }
}

impl Cluster {
    /// Names of all processes that may be cut from each other.
    pub(super) fn data_nodes() -> impl Iterator<Item = &'static str> {
        HISTORICALS.into_iter().chain(REALTIMES).map(|(name, _)| name)
    }
}
