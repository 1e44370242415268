//! The side of the data node.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::StreamExt;
use futures::stream::BoxStream;
use henge_platform::rpc::RefuseStrangers;
use henge_proto::v1::data_node_server::{DataNode as Rpc, DataNodeServer};
use henge_proto::v1::{AskRequest, AskResponse};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use super::{MAX_REQUEST_BYTES, PIECE_BYTES};
use crate::node::DataNode;
use crate::wire::{Piece, answer};

/// Pieces that are ready before the connection takes them: the next one is made while one is sent,
/// and a reader that does not keep up stops the work.
const PIECES_AHEAD: usize = 3;

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
    type AskStream = Answer;

    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<Answer>, Status> {
        let messages = answer(Arc::clone(&self.node), request.into_inner().message);
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let work = henge_platform::runtime::spawn(send(messages, sender));
        Ok(Response::new(Answer { pieces, work }))
    }
}

/// Does the work, as far ahead as there is room.
async fn send(mut messages: BoxStream<'static, Bytes>, sender: Sender<AskResponse>) {
    while let Some(message) = messages.next().await {
        for Piece { bytes, rest_bytes } in Piece::cut(message, PIECE_BYTES) {
            if sender.send(AskResponse { piece: bytes, rest_bytes }).await.is_err() {
                return;
            }
        }
    }
}

/// Pieces of what answers. Dropping it, which is how a client that went away shows, ends the work.
#[derive(Debug)]
pub struct Answer {
    pieces: Receiver<AskResponse>,
    work: JoinHandle<()>,
}

impl Stream for Answer {
    type Item = Result<AskResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_recv(context).map(|piece| piece.map(Ok))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.work.abort();
    }
}
