//! Inventories over gRPC.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use henge_proto::v1::inventory_client::InventoryClient;
use henge_proto::v1::inventory_server::{Inventory as Rpc, InventoryServer};
use henge_proto::v1::{WatchInventoryRequest, WatchInventoryResponse};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use super::super::DiscoveryError;
use super::messages::{Joined, messages_of};
use super::{Inventory, InventoryVersion, Updates};
use crate::rpc::{ClusterKey, Introduce, Outbox, RefuseStrangers, RpcError, reason_of, status};

/// A thousand segments, most of them with columns of their own.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// One who is slow to follow is told everything again later.
const PATIENCE: Duration = Duration::from_secs(60);

/// The service as it is added to a server.
pub type InventoryRoute = InterceptedService<InventoryServer<InventoryService>, RefuseStrangers>;

/// Serves an inventory to the processes of its cluster.
#[must_use]
pub fn inventory_service(inventory: Arc<dyn Inventory>, key: ClusterKey) -> InventoryRoute {
    let service = InventoryServer::new(InventoryService { inventory });
    InterceptedService::new(service, RefuseStrangers::but_of(key))
}

/// Tells what is announced.
#[derive(Debug)]
pub struct InventoryService {
    inventory: Arc<dyn Inventory>,
}

#[tonic::async_trait]
impl Rpc for InventoryService {
    type WatchInventoryStream = Outbox<WatchInventoryResponse>;

    async fn watch_inventory(
        &self,
        request: Request<WatchInventoryRequest>,
    ) -> Result<Response<Self::WatchInventoryStream>, Status> {
        let WatchInventoryRequest { incarnation, version } = request.into_inner();
        let known = (incarnation != 0).then_some(InventoryVersion { incarnation, version });
        let messages = self.inventory.follow(known).flat_map(|update| {
            let messages = match update {
                Ok(update) => messages_of(update).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(status(error.class(), &error.to_string()))],
            };
            stream::iter(messages)
        });
        Ok(Response::new(Outbox::of(messages, PATIENCE)))
    }
}

/// The inventory of the process at `address`, behind `channel`.
///
/// # Errors
/// When the name of the cluster or its token cannot be sent.
pub fn connect_inventory(
    address: Arc<str>,
    channel: Channel,
    key: &ClusterKey,
) -> Result<impl Inventory + use<>, RpcError> {
    let client = InventoryClient::with_interceptor(channel, Introduce::of(key)?)
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    Ok(RemoteInventory { address, client })
}

/// The inventory of another process.
#[derive(Debug)]
struct RemoteInventory {
    address: Arc<str>,
    client: InventoryClient<InterceptedService<Channel, Introduce>>,
}

impl Inventory for RemoteInventory {
    fn follow(&self, known: Option<InventoryVersion>) -> Updates {
        let (incarnation, version) = known.map_or((0, 0), |at| (at.incarnation, at.version));
        let request = WatchInventoryRequest { incarnation, version };
        let (address, mut client) = (Arc::clone(&self.address), self.client.clone());
        let asked = async move {
            let messages = match client.watch_inventory(request).await {
                Ok(answer) => answer.into_inner(),
                Err(status) => {
                    let error = away(&address, &status);
                    return stream::once(async { Err(error) }).boxed();
                }
            };
            updates_of(messages, address)
        };
        stream::once(asked).flatten().boxed()
    }
}

fn updates_of(messages: Streaming<WatchInventoryResponse>, address: Arc<str>) -> Updates {
    let state = Some((messages, Joined::default()));
    stream::unfold(state, move |state| {
        let address = Arc::clone(&address);
        async move {
            let (mut messages, mut joined) = state?;
            loop {
                let joint = match messages.message().await {
                    Ok(Some(message)) => joined.take(message),
                    Ok(None) => return None,
                    Err(status) => Err(away(&address, &status)),
                };
                match joint {
                    Ok(None) => {}
                    Ok(Some(update)) => return Some((Ok(update), Some((messages, joined)))),
                    // Nothing comes after an error.
                    Err(error) => return Some((Err(error), None)),
                }
            }
        }
    })
    .boxed()
}

fn away(address: &str, status: &Status) -> DiscoveryError {
    DiscoveryError::Unavailable(reason_of(address, status))
}
