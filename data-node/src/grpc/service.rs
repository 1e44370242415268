//! The side of the data node.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use henge_platform::rpc::{ClusterKey, Outbox, RefuseStrangers, status};
use henge_proto::v1::data_node_server::{DataNode as Rpc, DataNodeServer};
use henge_proto::v1::{AskRequest, AskResponse};
use henge_types::ErrorClass;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use super::{MAX_REQUEST_BYTES, PIECE_BYTES};
use crate::node::DataNode;
use crate::wire::{Piece, answer};

/// A broker reads when it gets to it, and until its query's time is up, which the node watches.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// The service as it is added to a server.
pub type DataNodeRoute = InterceptedService<DataNodeServer<Service>, RefuseStrangers>;

/// Serves the data nodes of this process to the processes of its cluster.
#[must_use]
pub fn service(nodes: Vec<Arc<dyn DataNode>>, key: ClusterKey) -> DataNodeRoute {
    let service =
        DataNodeServer::new(Service { nodes }).max_decoding_message_size(MAX_REQUEST_BYTES);
    InterceptedService::new(service, RefuseStrangers::but_of(key))
}

/// Answers for data nodes.
#[derive(Debug)]
pub struct Service {
    nodes: Vec<Arc<dyn DataNode>>,
}

impl Service {
    fn node(&self, server: &str) -> Result<&Arc<dyn DataNode>, Status> {
        let named = |node: &&Arc<dyn DataNode>| **node.server_id() == *server;
        match &self.nodes[..] {
            [only] if server.is_empty() => Ok(only),
            nodes => nodes.iter().find(named).ok_or_else(|| {
                // The process was started as something else since its address was learned.
                let server: String = server.chars().take(100).collect();
                status(ErrorClass::Unavailable, &format!("there is no data node '{server}' here"))
            }),
        }
    }
}

#[tonic::async_trait]
impl Rpc for Service {
    type AskStream = Outbox<AskResponse>;

    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<Self::AskStream>, Status> {
        let AskRequest { message, server } = request.into_inner();
        let messages = answer(Arc::clone(self.node(&server)?), message);
        let pieces = messages.flat_map(|message| stream::iter(Piece::cut(message, PIECE_BYTES)));
        let responses =
            pieces.map(|Piece { bytes, rest_bytes }| Ok(AskResponse { piece: bytes, rest_bytes }));
        Ok(Response::new(Outbox::of(responses, PATIENCE)))
    }
}
