//! What a process announces on its way to another: in order, late, held up where the way lags, and broken off
//! where it is cut.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use henge_platform::discovery::DiscoveryError;
use henge_platform::discovery::inventory::{Inventory, InventoryVersion, Updates};
use tokio::sync::mpsc;

use super::Network;

/// How often it is looked whether a way still lags.
const LAG_CHECK: Duration = Duration::from_millis(50);

/// What a process announces, as another one hears it.
#[derive(Debug)]
pub(super) struct Inventories {
    pub(super) network: Arc<Network>,
    /// Who hears it.
    pub(super) from: String,
    /// Who announces.
    pub(super) to: String,
}

impl Inventory for Inventories {
    fn follow(&self, known: Option<InventoryVersion>) -> Updates {
        let Self { network, from, to } = self;
        let (network, from, to) = (Arc::clone(network), from.clone(), to.clone());
        let following = async move {
            let away = || DiscoveryError::Unavailable(format!("simulated: '{to}' is not reached"));
            if !network.carry(&from, &to).await {
                return stream::iter([Err(away())]).boxed();
            }
            let Some((process, inventory)) = network.inventory(&to) else {
                return stream::iter([Err(away())]).boxed();
            };
            let (sender, receiver) = mpsc::channel(4);
            let mut updates = inventory.follow(known);
            process.spawn(async move {
                loop {
                    let next = tokio::select! {
                        biased;
                        () = sender.closed() => return,
                        next = updates.next() => next,
                    };
                    while network.is_lagging(&to, &from) {
                        tokio::time::sleep(LAG_CHECK).await;
                    }
                    let Some(update) = next else { return };
                    if !network.carry(&to, &from).await || sender.send(update).await.is_err() {
                        return;
                    }
                }
            });
            let received = |mut receiver: mpsc::Receiver<_>| async move {
                receiver.recv().await.map(|update| (update, receiver))
            };
            stream::unfold(receiver, received).boxed()
        };
        stream::once(following).flatten().boxed()
    }
}
