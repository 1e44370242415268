//! The loop: on every notice, and every few seconds without one.

use std::sync::Arc;
use std::time::Duration;

use henge_placement::balance::{Cost, TimeBox};
use henge_platform::runtime::blocking;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::OperatorSettings;
use crate::error::Result;
use crate::explain::Explained;
use crate::inventory::Inventory;
use crate::picture::Copied;
use crate::plan::{Planned, plan};
use crate::rules::Rules;
use crate::snapshot::ClusterSnapshot;
use crate::{Coordinator, Progress};

/// The longest time between two runs.
const PERIOD: Duration = Duration::from_secs(2);
/// Loading many segments tells how far it is, this often.
const TELL_EVERY: Duration = Duration::from_secs(2);

impl Coordinator {
    /// Runs until the future is dropped: on every notice of `published`, and every few seconds. Asks for
    /// the lease when there is one, and decides while it is held.
    pub async fn run_woken_by(&self, published: &Notify) {
        futures::join!(
            self.shared.leadership.keep(),
            self.decide_when_woken_by(published),
            self.kill_now_and_then(),
            self.delete_uploads_now_and_then(),
        );
    }

    async fn decide_when_woken_by(&self, published: &Notify) {
        loop {
            let woken = async {
                tokio::select! {
                    biased;
                    () = published.notified() => {}
                    () = self.shared.wake.notified() => {}
                    () = self.shared.leadership.gained() => {}
                }
            };
            let _ = tokio::time::timeout(PERIOD, woken).await;
            if let Err(error) = self.decide().await {
                tracing::error!(%error, "coordinator run failed, nothing was decided");
            }
        }
    }

    /// Runs, and waits for the hosts, until these have loaded what they can. Does nothing while somebody
    /// else leads.
    ///
    /// # Errors
    /// When the metadata store cannot be read; then nothing is done.
    pub async fn run_once(&self) -> Result<()> {
        let mut before = usize::MAX;
        loop {
            let orders = self.decide().await?;
            let waiting = self.progress.borrow().waiting_to_load;
            if orders == 0 || waiting >= before {
                return Ok(());
            }
            before = waiting;
            self.wait_for_hosts().await;
        }
    }

    async fn wait_for_hosts(&self) {
        let mut finished = self.shared.finished.subscribe();
        let mut told = Instant::now();
        while !self.hosts.are_idle() {
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tracing::info!("loading segments");
            }
            if finished.changed().await.is_err() {
                return;
            }
        }
    }

    /// One run: read, plan, ask. Gives how many orders hosts got.
    async fn decide(&self) -> Result<usize> {
        let _one_at_a_time = self.deciding.lock().await;
        let Some(term) = self.shared.leadership.term() else { return Ok(0) };
        let set = self.config.read().await?;
        if set.config.pause_coordination.unwrap_or(false) {
            return Ok(0);
        }
        let rules = self.rules.book(self.replicas()).await?;
        let stamp = rules.stamp.iter().chain(&set.stamp).cloned().collect();
        // Not held while it plans: whoever lists segments need not wait for that.
        let mut inventory = self.inventory.lock().await;
        inventory.refresh(self.metadata.as_ref()).await?;
        let snapshot = self.snapshot(&inventory, rules, set);
        let seen = self.seen(&snapshot, &inventory, stamp);
        drop(inventory);
        if self.is_settled(seen.as_ref()) {
            self.progress.send_modify(|progress| progress.runs += 1);
            return Ok(0);
        }
        let used_segments = snapshot.used.len();
        let planned = self.plan(snapshot).await?;
        let Planned { actions, waiting_to_load, missing_copies, copied } = planned;
        *self.settled.lock() = seen.filter(|_| actions.is_empty());
        self.explain_copies(copied);
        let orders = self.apply(actions, &term).await?;
        self.progress.send_modify(|progress| {
            let runs = progress.runs + 1;
            *progress =
                Progress { runs, used_segments, waiting_to_load, missing_copies, ..*progress };
        });
        Ok(orders)
    }

    fn explain_copies(&self, copied: Vec<Copied>) {
        for Copied { id, from, to, is_drained } in copied {
            let main_reason = if is_drained { "drain" } else { "rules" };
            let (before, after) = (Cost::default(), Cost::default());
            self.explain(&id, Explained { from, to, main_reason, before, after });
        }
    }

    /// Copies that used segments have where no rule says otherwise.
    pub(crate) fn replicas(&self) -> u32 {
        u32::try_from(self.shared.options.replicas.max(1)).unwrap_or(u32::MAX)
    }

    /// Computes for up to seconds where there are many segments, so not on the network's threads.
    async fn plan(&self, snapshot: ClusterSnapshot) -> Result<Planned> {
        let (clock, plan_ms) = (Arc::clone(&self.shared.clock), self.shared.options.plan_ms);
        let plan = move || plan(&snapshot, &TimeBox::new(|| clock.running_ms(), plan_ms));
        blocking(plan).await?
    }

    fn snapshot(
        &self,
        inventory: &Inventory,
        rules: Rules,
        set: OperatorSettings,
    ) -> ClusterSnapshot {
        // In this order: what is announced while it is not known to be all is no reason to drop.
        let is_all_seen = self.shared.sight.is_complete();
        let view = self.discovery.snapshot();
        self.hosts.follow(&view);
        let now_ms = self.shared.clock.running_ms();
        let (used, mut servers) = (inventory.used(), self.hosts.servers());
        set.limit_queues(&mut servers);
        let is_wanted =
            |(server, id): &(_, _)| servers.contains_key(server) && used.contains_key(id);
        self.shared.loads.retain(is_wanted);
        self.shared.drops.retain(|(server, _)| servers.contains_key(server));
        let is_complete = inventory.is_complete() && is_all_seen;
        ClusterSnapshot {
            is_complete,
            view_version: view.version,
            may_load: is_complete || self.has_waited_for_sight(is_all_seen, now_ms),
            is_calm: self.hosts.are_calm(),
            rules: Arc::new(rules.book),
            now_ms: self.shared.clock.now_ms(),
            limits: set.limits(&self.shared.options),
            draining: set.draining,
            seed: self.progress.borrow().runs,
            work: self.told.look(&view, &used, now_ms),
            used,
            servers,
            away: self.hosts.away(),
            resting_loads: self.shared.loads.resting(now_ms),
            resting_drops: self.shared.drops.resting(now_ms),
        }
    }

    /// True once not everything was seen for as long as the grace: somebody may never be seen again, and
    /// what he had is to be loaded elsewhere.
    fn has_waited_for_sight(&self, is_all_seen: bool, now_ms: u64) -> bool {
        let mut blind_since_ms = self.blind_since_ms.lock();
        if is_all_seen {
            *blind_since_ms = None;
            return true;
        }
        now_ms >= *blind_since_ms.get_or_insert(now_ms) + self.shared.options.grace_ms
    }
}

#[cfg(test)]
mod tests;
