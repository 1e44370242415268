//! The roles of a process: each is started here, one a file, on common ground.

mod broker;
mod coordinator;
mod historical;
mod realtime;

use std::sync::Arc;

use anyhow::Result;
use henge_broker::Broker;
use henge_coordinator::Coordinator;
use henge_data_node::{DataNode, report_loads};
use henge_historical_node::HistoricalNode;
use henge_platform::discovery::InProcessDiscovery;
use henge_platform::membership::Role;
use henge_platform::runtime::spawn;
use henge_realtime_node::RealtimeNode;
use tokio::sync::Notify;

use crate::data_folder::DataFolder;
use crate::gate::Gate;
use crate::ground::Ground;
use crate::options::Options;

/// The roles that a process has.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    pub(crate) broker: Option<Arc<Broker>>,
    pub(crate) realtime: Option<Arc<RealtimeNode>>,
    pub(crate) historical: Option<Arc<HistoricalNode>>,
    pub(crate) coordinator: Option<Arc<Coordinator>>,
}

impl Roles {
    /// Starts them; what was stored on this process is queryable when this returns.
    ///
    /// # Errors
    /// When stored state is damaged, or something that a role needs cannot be used.
    pub(crate) async fn start(
        options: &Options,
        folder: &DataFolder,
        ground: &Ground,
        gate: &Gate,
    ) -> Result<Self> {
        let has = |role| options.node.roles.contains(&role);
        let mut roles = Self::default();
        if has(Role::Historical) {
            gate.waits_for("it opens the segments on its disk");
            roles.historical = Some(historical::start(options, ground).await?);
        }
        let published = Arc::new(Notify::new());
        if has(Role::Coordinator) {
            gate.waits_for("it loads segments");
            let started = coordinator::start(options, &roles, ground, Arc::clone(&published));
            roles.coordinator = Some(started.await?);
        }
        if let Some(historical) = &roles.historical {
            historical.show(&ground.metrics);
            historical.scrub();
            historical.watch_disk();
        }
        if has(Role::Realtime) {
            gate.waits_for("it replays its logs");
            roles.realtime = Some(realtime::start(options, folder, ground, published).await?);
        }
        roles.report_loads(&ground.discovery);
        if has(Role::Broker) {
            gate.waits_for("it reads what there is");
            roles.broker = Some(broker::start(options, ground, &roles).await?);
        }
        Ok(roles)
    }

    /// Tells other processes what of this one's segments is read.
    fn report_loads(&self, discovery: &Arc<InProcessDiscovery>) {
        let historical = self.historical.as_ref().map(|node| (node.loads(), node.server_id()));
        let realtime = self.realtime.as_ref().map(|node| (node.loads(), node.server_id()));
        for (loads, server) in historical.into_iter().chain(realtime) {
            let loads = Arc::downgrade(loads);
            spawn(report_loads(loads, discovery.clone(), Arc::clone(server)));
        }
    }
}
