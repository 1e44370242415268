//! What happens to what is between and around processes: network, storage, metadata, clocks.

use henge_platform::storage::FaultPlan;
use rand::Rng;

use super::{BROKER, COORDINATORS, Cluster, FaultActor, HISTORICALS, any_realtime};
use crate::metadata::{METADATA, MetadataPlan};

impl FaultActor {
    /// The store's clock jumps: whoever has a lease thinks longer than the store that it does.
    pub(super) fn end_terms_early(&self) {
        self.count("fault: the store's clock jumped");
        self.stage.cluster.world.store_clock.pass(15_000);
    }

    /// Coordinators give up on calls that arrive all the same.
    pub(super) fn deliver_late(&mut self) {
        self.count("fault: calls to hosts arrive late");
        let until = self.moment(15_000);
        self.stage.cluster.world.network.set_late(0.5);
        self.later(until, |cluster| cluster.world.network.set_late(0.0));
    }

    pub(super) fn cut_or_heal(&mut self) {
        if !self.cuts.is_empty() && self.random.random_bool(0.6) {
            let healed = self.cuts.swap_remove(self.random.random_range(0..self.cuts.len()));
            return self.stage.cluster.world.network.cut(healed.0, healed.1, false);
        }
        let historical = HISTORICALS[self.random.random_range(0..HISTORICALS.len())].0;
        let coordinator = COORDINATORS[self.random.random_range(0..COORDINATORS.len())];
        let realtime = any_realtime(&mut self.random);
        let other = any_realtime(&mut self.random);
        let ways = [
            (BROKER, historical),
            (historical, BROKER),
            (BROKER, realtime),
            (realtime, BROKER),
            (realtime, other),
            (other, realtime),
            (historical, realtime),
            (coordinator, historical),
            (historical, coordinator),
            (coordinator, METADATA),
            (BROKER, METADATA),
            (realtime, METADATA),
            (realtime, "pusher-0"),
            ("pusher-1", realtime),
            (BROKER, "querier-0"),
        ];
        let cut = ways[self.random.random_range(0..ways.len())];
        if cut.0 == cut.1 {
            return;
        }
        self.stage.cluster.world.network.cut(cut.0, cut.1, true);
        self.cuts.push(cut);
        self.count(match cut.1 {
            METADATA => "fault: metadata cut off",
            _ => "fault: network cut",
        });
    }

    /// What a data node announces is heard late by somebody.
    pub(super) fn lag_or_not(&mut self) {
        let network = &self.stage.cluster.world.network;
        if !self.lags.is_empty() && self.random.random_bool(0.6) {
            let over = self.lags.swap_remove(self.random.random_range(0..self.lags.len()));
            return network.lag(over.0, over.1, false);
        }
        let nodes: Vec<&'static str> = Cluster::data_nodes().collect();
        let from = nodes[self.random.random_range(0..nodes.len())];
        let to = match self.random.random_range(0..4) {
            0..2 => BROKER,
            2 => COORDINATORS[self.random.random_range(0..COORDINATORS.len())],
            _ => nodes[self.random.random_range(0..nodes.len())],
        };
        network.lag(from, to, true);
        self.lags.push((from, to));
        self.count("fault: announcements heard late");
    }

    /// Processes that live are taken for dead, by some.
    pub(super) fn lose_gossip(&mut self) {
        self.count("fault: gossip lost");
        let (lost, until) = (self.random.random_range(0.5..0.95), self.moment(15_000));
        self.stage.cluster.world.gossip.set_lost(lost);
        self.later(until, |cluster| cluster.world.gossip.set_lost(0.0));
    }

    pub(super) fn fail_storage(&mut self) {
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
        let until = self.moment(6_000);
        self.stage.cluster.world.storage.set_plan(plan);
        self.later(until, |cluster| cluster.world.storage.set_plan(FaultPlan::default()));
    }

    pub(super) fn fail_metadata(&mut self) {
        let plan = MetadataPlan {
            refuse: self.random.random_range(0.0..0.7),
            lose_answer: self.random.random_range(0.0..0.5),
            latency_ms: self.random.random_range(0..1_000),
        };
        self.count("fault: metadata fail");
        let until = self.moment(8_000);
        self.stage.cluster.world.metadata.set_plan(plan);
        self.later(until, |cluster| cluster.world.metadata.set_plan(MetadataPlan::default()));
    }

    pub(super) fn fill_or_free_disk(&mut self) {
        if self.disks.any_full() {
            return self.disks.free_all();
        }
        let nodes: Vec<&'static str> = Cluster::data_nodes().collect();
        self.disks.fill(nodes[self.random.random_range(0..nodes.len())]);
        self.count("fault: disk full");
    }

    /// Coordinators are told that they do not see all.
    pub(super) fn hide_cluster(&mut self) {
        self.count("fault: not all of the cluster seen");
        let until = self.moment(15_000);
        self.stage.cluster.world.sight.send_replace(false);
        self.later(until, |cluster| {
            cluster.world.sight.send_replace(true);
        });
    }

    pub(super) fn move_date(&mut self) {
        let by_ms = self.random.random_range(-3_600_000..3_600_000);
        self.stage.cluster.world.move_date(by_ms);
        self.count("fault: date moved");
    }
}
