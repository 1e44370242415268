//! Starting the broker role.

use std::sync::Arc;

use anyhow::{Context, Result};
use henge_broker::{Broker, ClusterLinks};

use super::Roles;
use crate::ground::Ground;
use crate::options::Options;

/// Connects the broker to the nodes of its process, and follows the cluster.
pub(super) async fn start(
    options: &Options,
    ground: &Ground,
    roles: &Roles,
) -> Result<Arc<Broker>> {
    let links = ClusterLinks {
        dial: Some(ground.dialer.clone()),
        awaited: ground.awaited.subscribe(),
        zone: Arc::clone(&options.node.zone),
    };
    let broker = Arc::new(Broker::in_cluster(
        options.broker.clone(),
        ground.discovery.clone(),
        ground.metadata.clone(),
        ground.queries.clone(),
        &ground.metrics,
        links,
    ));
    if let Some(historical) = &roles.historical {
        broker.connect(ground.reach.reach(historical.clone()));
    }
    if let Some(realtime) = &roles.realtime {
        broker.connect(ground.reach.reach(realtime.clone()));
    }
    if !options.node.is_in_cluster {
        report_unavailable(&broker).await?;
    }
    broker.follow();
    Ok(broker)
}

/// Names at the start what is used and could not be loaded: queries over it fail until it can.
async fn report_unavailable(broker: &Broker) -> Result<()> {
    let available = broker.availability().await.context("read what is published")?;
    for (datasource, unavailable) in &available.unavailable {
        tracing::error!(datasource, "starts although {unavailable}");
    }
    Ok(())
}
