//! Starting the coordinator role.

use std::sync::Arc;

use anyhow::{Context, Result};
use henge_coordinator::{
    Coordinator, CoordinatorOptions, Dependencies, Leadership, LeaseOptions, Sight,
};
use henge_platform::membership::MissingInventory;
use henge_platform::runtime::spawn;
use tokio::sync::{Notify, watch};

use super::Roles;
use crate::ground::Ground;
use crate::options::Options;

/// A lease is renewed this many times while it lasts.
const RENEWALS: u64 = 3;

/// Goes on beside everything else; alone, what the nodes of this process are to hold is loaded first.
pub(super) async fn start(
    options: &Options,
    roles: &Roles,
    ground: &Ground,
    published: Arc<Notify>,
) -> Result<Arc<Coordinator>> {
    let of_cluster =
        CoordinatorOptions { replicas: options.node.replicas, ..CoordinatorOptions::default() };
    let coordinator = Coordinator::new(of_cluster, dependencies(options, ground));
    let coordinator = Arc::new(coordinator.with_storage(ground.storage.clone()));
    if let Some(historical) = &roles.historical {
        coordinator.connect(historical.clone());
    }
    if !options.node.is_in_cluster {
        coordinator.run_once().await.context("load segments")?;
    }
    let running = Arc::clone(&coordinator);
    spawn(async move { running.run_woken_by(&published).await });
    Ok(coordinator)
}

fn dependencies(options: &Options, ground: &Ground) -> Dependencies {
    let alone = Dependencies::of_one_process(
        ground.metadata.clone(),
        ground.discovery.clone(),
        Arc::clone(&ground.clock),
    );
    if !options.node.is_in_cluster {
        return alone;
    }
    let ttl_ms = options.node.lease_ms;
    let lease = LeaseOptions {
        holder: format!("{}/{}", options.node.name, ground.incarnation),
        ttl_ms,
        renew_every_ms: ttl_ms / RENEWALS,
    };
    let (metadata, clock) = (ground.metadata.clone(), Arc::clone(&ground.clock));
    Dependencies {
        leadership: Leadership::by_lease(lease, metadata, clock),
        sight: Arc::new(Everything(ground.awaited.subscribe())),
        dial: Some(ground.dialer.clone()),
        ..alone
    }
}

/// Sees everything once nothing is left to be seen.
#[derive(Debug)]
struct Everything(watch::Receiver<Vec<MissingInventory>>);

impl Sight for Everything {
    fn is_complete(&self) -> bool {
        self.0.borrow().is_empty()
    }
}
