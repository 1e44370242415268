//! The side of the broker.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use henge_platform::discovery::ServerId;
use henge_platform::rpc::{ClusterKey, Introduce, RpcError, class_of, reason_of};
use henge_proto::v1::data_node_client::DataNodeClient;
use henge_proto::v1::{AskRequest, AskResponse};
use henge_types::ErrorClass;
use tokio::time::{Instant, timeout_at};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use super::{MAX_PIECE_BYTES, MAX_REQUEST_BYTES};
use crate::error::NodeError;
use crate::request::deadline_after;
use crate::running::RunningQueries;
use crate::wire::{Piece, Pieces, Transport, WireNode};

/// The node says itself that time is up, and says more than gRPC does: that comes first.
const GRACE: Duration = Duration::from_secs(1);

/// A node of another process, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name, as in discovery.
    pub server: ServerId,
    /// Host and port, for errors.
    pub address: Arc<str>,
}

/// The node at `place`, behind `channel`. `running` are the queries of this process.
///
/// # Errors
/// When the name of the cluster or its token cannot be sent.
pub fn connect(
    place: Place,
    channel: Channel,
    key: &ClusterKey,
    running: Arc<RunningQueries>,
) -> Result<WireNode, RpcError> {
    let client = DataNodeClient::with_interceptor(channel, Introduce::of(key)?)
        .max_decoding_message_size(MAX_PIECE_BYTES);
    let server = Arc::clone(&place.server);
    Ok(WireNode::new(server, Arc::new(Grpc { place, client }), running))
}

/// Carries messages to a node.
#[derive(Debug)]
struct Grpc {
    place: Place,
    client: DataNodeClient<InterceptedService<Channel, Introduce>>,
}

#[async_trait]
impl Transport for Grpc {
    async fn call(&self, message: Bytes, timeout: Duration) -> Result<Pieces, NodeError> {
        if message.len() > MAX_REQUEST_BYTES {
            let text = format!(
                "the query and the names of its segments take {} bytes, more than the {MAX_REQUEST_BYTES} \
                 that a data node takes: ask for a shorter interval, or with shorter lists",
                message.len()
            );
            return Err(NodeError::failed(ErrorClass::ResourceLimit, text));
        }
        let mut request =
            Request::new(AskRequest { message, server: self.place.server.to_string() });
        let timeout = timeout.saturating_add(GRACE);
        request.set_timeout(timeout);
        let deadline = deadline_after(timeout);
        // A clone is another handle to the same connection.
        let mut client = self.client.clone();
        let answer = match timeout_at(deadline, client.ask(request)).await {
            Ok(answer) => answer.map_err(|status| error_of(&self.place, &status))?,
            Err(_) => return Err(silent(&self.place)),
        };
        let answer = Some((answer.into_inner(), self.place.clone()));
        let pieces =
            stream::unfold(answer, move |answer| async move { next_of(answer?, deadline).await });
        Ok(pieces.boxed())
    }
}

/// The next piece, and what gives those after it: nothing after an error.
async fn next_of(
    (mut answer, place): (Streaming<AskResponse>, Place),
    deadline: Instant,
) -> Option<(Result<Piece, NodeError>, Option<(Streaming<AskResponse>, Place)>)> {
    Some(match timeout_at(deadline, answer.message()).await {
        Ok(Ok(None)) => return None,
        Ok(Ok(Some(AskResponse { piece, rest_bytes }))) => {
            (Ok(Piece { bytes: piece, rest_bytes }), Some((answer, place)))
        }
        Ok(Err(status)) => (Err(error_of(&place, &status)), None),
        Err(_) => (Err(silent(&place)), None),
    })
}

/// A node that is there but says nothing, not even that time is up.
fn silent(Place { server, address }: &Place) -> NodeError {
    let message =
        format!("data node '{server}' at {address} did not answer within the query's time");
    NodeError::failed(ErrorClass::Timeout, message)
}

/// What a status says: an error of the way to the node, or of its door. Those of the node itself come
/// as messages.
fn error_of(Place { server, address }: &Place, status: &Status) -> NodeError {
    let reason = reason_of(address, status);
    match class_of(status) {
        ErrorClass::Unavailable => NodeError::Unavailable { server: server.to_string(), reason },
        class => NodeError::failed(class, format!("data node '{server}' at {reason}")),
    }
}
