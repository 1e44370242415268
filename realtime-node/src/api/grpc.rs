//! `henge.v1.Push`: events over gRPC, a stream of batches, each of them what `POST
//! /v1/datasources/{name}/events` takes and answers.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use henge_platform::compression::refuse_compressed;
use henge_platform::http::DruidError;
use henge_platform::rpc::{Outbox, RpcLimits, status};
use henge_platform::runtime::Charge;
use henge_proto::v1::push_events_response::Outcome;
use henge_proto::v1::push_server::{Push as Rpc, PushServer};
use henge_proto::v1::{PushEventsRequest, PushEventsResponse, PushFailed, PushStored};
use henge_types::ErrorClass;
use tonic::{Request, Response, Status, Streaming};

use super::events::checked_key;
use crate::node::RealtimeNode;

/// Most bytes of a batch. A stream has any number of them, so none has to be large.
const MAX_BATCH_BYTES: usize = 4 << 20;

/// What a batch may have around its events.
const ENVELOPE_BYTES: usize = 4 << 10;

/// Batches of a stream that are on their way to the log at once.
const BATCHES_AHEAD: usize = 8;

/// The service as it is added to a server.
pub type PushRoute = PushServer<PushService>;

/// What becomes of batches: a realtime node stores them, a front door sends them on to one.
#[async_trait]
pub trait TakeBatches: Debug + Send + Sync {
    /// Takes a batch, whole or not at all; answers once it is durable and queryable.
    ///
    /// # Errors
    /// When nothing of it was stored, or that is not known.
    async fn take(
        &self,
        datasource: &str,
        events: Bytes,
        idempotency_key: Option<Arc<str>>,
    ) -> Result<PushStored, DruidError>;
}

/// Stores events.
#[derive(Debug)]
pub struct PushService {
    target: Arc<dyn TakeBatches>,
    limits: RpcLimits,
}

/// Serves the pushes of a node, or of who sends them on to nodes.
#[must_use]
pub fn push_service(target: Arc<dyn TakeBatches>, limits: RpcLimits) -> PushRoute {
    let most = MAX_BATCH_BYTES.min(limits.max_request_bytes) + ENVELOPE_BYTES;
    PushServer::new(PushService { target, limits }).max_decoding_message_size(most)
}

#[async_trait]
impl TakeBatches for RealtimeNode {
    async fn take(
        &self,
        datasource: &str,
        events: Bytes,
        idempotency_key: Option<Arc<str>>,
    ) -> Result<PushStored, DruidError> {
        let reply = self.push(datasource, events, idempotency_key).await?;
        let details = serde_json::to_string(&reply).map_err(|error| {
            DruidError::new(ErrorClass::Internal, format!("an answer cannot be written: {error}"))
        })?;
        Ok(PushStored {
            received: reply.received,
            accepted: reply.accepted,
            rejected: reply.rejected,
            filtered: reply.filtered,
            is_duplicate: reply.duplicate,
            details,
        })
    }
}

#[tonic::async_trait]
impl Rpc for PushService {
    type PushEventsStream = Outbox<PushEventsResponse>;

    async fn push_events(
        &self,
        request: Request<Streaming<PushEventsRequest>>,
    ) -> Result<Response<Self::PushEventsStream>, Status> {
        // The batch that comes in is in no account before it is whole: it is charged beforehand.
        let room = self.limits.requests.charge(MAX_BATCH_BYTES);
        let room = room.map_err(|full| status(full.class(), &full.to_string()))?;
        let mut stopping = self.limits.stopping.clone();
        let stopped = async move {
            let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
        };
        let batches = request.into_inner().take_until(Box::pin(stopped));
        let answers = answers(Arc::clone(&self.target), self.limits.clone(), batches, room);
        Ok(Response::new(Outbox::of(answers, self.limits.patience)))
    }
}

/// What became of each batch, in their order.
fn answers(
    target: Arc<dyn TakeBatches>,
    limits: RpcLimits,
    batches: impl Stream<Item = Result<PushEventsRequest, Status>>,
    room: Charge,
) -> impl Stream<Item = Result<PushEventsResponse, Status>> {
    let mut last: Arc<str> = "".into();
    let named = batches.map(move |batch| {
        // Held as long as batches come.
        let _ = &room;
        let batch = batch?;
        if !batch.datasource.is_empty() && *batch.datasource != *last {
            last = batch.datasource.as_str().into();
        }
        Ok((batch, Arc::clone(&last)))
    });
    named
        .map(move |batch: Result<_, Status>| {
            let (target, limits) = (Arc::clone(&target), limits.clone());
            async move {
                let (batch, datasource) = batch?;
                let number = batch.batch;
                let outcome = match store(&*target, &limits, &datasource, batch).await {
                    Ok(stored) => Outcome::Stored(stored),
                    Err(DruidError { class, error_message, .. }) => Outcome::Failed(PushFailed {
                        error_class: class.code().to_owned(),
                        message: error_message,
                    }),
                };
                Ok(PushEventsResponse { batch: number, outcome: Some(outcome) })
            }
        })
        .buffered(BATCHES_AHEAD)
}

async fn store(
    target: &dyn TakeBatches,
    limits: &RpcLimits,
    name: &str,
    batch: PushEventsRequest,
) -> Result<PushStored, DruidError> {
    let PushEventsRequest { events, idempotency_key, .. } = batch;
    let key = Some(idempotency_key).filter(|key| !key.is_empty());
    let key = key.map(|key| checked_key(&key)).transpose()?;
    refuse_compressed(&events)?;
    let events: Bytes = limits.requests.charge(events.len())?.hold(events);
    target.take(name, events, key).await
}
