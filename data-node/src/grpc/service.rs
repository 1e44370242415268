//! The side of the data node.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use henge_platform::rpc::{Outbox, RefuseStrangers};
use henge_proto::v1::data_node_server::{DataNode as Rpc, DataNodeServer};
use henge_proto::v1::{AskRequest, AskResponse};
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use super::{MAX_REQUEST_BYTES, PIECE_BYTES};
use crate::node::DataNode;
use crate::wire::{Piece, answer};

/// A broker reads when it gets to it, and until its query's time is up, which the node watches.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// The service as it is added to a server.
pub type DataNodeRoute = InterceptedService<DataNodeServer<Service>, RefuseStrangers>;

/// Serves `node` to the processes of its cluster.
#[must_use]
pub fn service(node: Arc<dyn DataNode>, cluster: Arc<str>) -> DataNodeRoute {
    let service =
        DataNodeServer::new(Service { node }).max_decoding_message_size(MAX_REQUEST_BYTES);
    InterceptedService::new(service, RefuseStrangers::but_of(cluster))
}

/// Answers for a data node.
#[derive(Debug)]
pub struct Service {
    node: Arc<dyn DataNode>,
}

#[tonic::async_trait]
impl Rpc for Service {
    type AskStream = Outbox<AskResponse>;

    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<Self::AskStream>, Status> {
        let messages = answer(Arc::clone(&self.node), request.into_inner().message);
        let pieces = messages.flat_map(|message| stream::iter(Piece::cut(message, PIECE_BYTES)));
        let responses =
            pieces.map(|Piece { bytes, rest_bytes }| Ok(AskResponse { piece: bytes, rest_bytes }));
        Ok(Response::new(Outbox::of(responses, PATIENCE)))
    }
}
