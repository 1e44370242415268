//! [`FlightSql`]: the calls of Flight.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{Command, DoPutPreparedStatementResult};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use arrow_schema::SchemaRef;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use henge_platform::rpc::{Outbox, RpcLimits, status, time_left};
use henge_platform::runtime::Clock;
use henge_sql::{SqlAnswer, SqlError};
use henge_types::ErrorClass;
use prost::Message;
use serde_json::{Map, Value};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::command::{Asked, command, not_answered};
use super::handle::Handle;
use super::schema::{encoded, schema_of, under};
use super::{actions, bind, internal, invalid, listing, refused, session, unsupported};
use crate::api::drivers::{AnswerSql, Prepared};

/// Bytes of a message with rows, about.
const MESSAGE_BYTES: usize = 512 << 10;
/// The key of the context that bounds a statement's time, ms.
const TIMEOUT: &str = "timeout";

/// Answers the calls of Flight.
#[derive(Debug)]
pub struct FlightSql {
    pub(super) sql: Arc<dyn AnswerSql>,
    limits: RpcLimits,
    pub(super) clock: Arc<dyn Clock>,
}

type Few<T> = BoxStream<'static, Result<T, Status>>;

fn few<T: Send + 'static>(
    items: impl IntoIterator<Item = T, IntoIter: Send + 'static>,
) -> Response<Few<T>> {
    Response::new(stream::iter(items.into_iter().map(Ok)).boxed())
}

#[tonic::async_trait]
impl FlightService for FlightSql {
    type HandshakeStream = Few<HandshakeResponse>;
    type ListFlightsStream = Few<FlightInfo>;
    type DoGetStream = Outbox<FlightData>;
    type DoPutStream = Few<PutResult>;
    type DoActionStream = Few<arrow_flight::Result>;
    type ListActionsStream = Few<ActionType>;
    type DoExchangeStream = Few<FlightData>;

    /// Whoever may call has shown it with the call itself.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let asked = request.into_inner().message().await?.unwrap_or_default();
        let HandshakeRequest { protocol_version, payload } = asked;
        Ok(few([HandshakeResponse { protocol_version, payload }]))
    }

    async fn list_flights(
        &self,
        _request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        Ok(few([]))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let (metadata, _, descriptor) = request.into_parts();
        self.info(&metadata, descriptor).await.map(Response::new)
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        let (metadata, _, descriptor) = request.into_parts();
        let info = self.info(&metadata, descriptor).await?;
        // Rows are made while they are read: there is nothing to wait for.
        Ok(Response::new(PollInfo::new().with_info(info)))
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        let (metadata, _, descriptor) = request.into_parts();
        let asked = Asked::read(&descriptor.cmd, session::context(&metadata)?)?;
        let schema = self.schema(&asked).await?;
        Ok(Response::new(SchemaResult { schema: encoded(&schema)? }))
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        let (metadata, _, ticket) = request.into_parts();
        let left = time_left(&metadata);
        if left.is_some_and(|left| left.as_millis() == 0) {
            return Err(status(ErrorClass::Timeout, "the time of the call was up when it came"));
        }
        let asked = Asked::read(&ticket.ticket, session::context(&metadata)?)?;
        let now_ms = self.clock.now_ms();
        Ok(match asked {
            Asked::Statement(handle) => self.statement(handle, left, now_ms).await?,
            Asked::Listing(command) => {
                let batch = listing::rows(&*self.sql, command, now_ms).await?;
                let schema = batch.schema();
                self.sent(schema, stream::iter([Ok(batch)]))
            }
        })
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let mut data = request.into_inner();
        let first = data.message().await?.ok_or_else(|| invalid("nothing was put"))?;
        let descriptor = first.flight_descriptor.clone();
        let descriptor =
            descriptor.ok_or_else(|| invalid("the first message has no descriptor"))?;
        let query = match command(&descriptor.cmd)? {
            Command::CommandPreparedStatementQuery(query) => query,
            Command::CommandStatementUpdate(_) | Command::CommandPreparedStatementUpdate(_) => {
                return Err(unsupported("statements only ask: nothing is updated by them"));
            }
            other => return Err(not_answered(&other)),
        };
        let handle = Handle::read(&query.prepared_statement_handle)?;
        let handle = handle.with_parameters(bind::parameters(first, data.boxed()).await?);
        let result =
            DoPutPreparedStatementResult { prepared_statement_handle: Some(handle.write()?) };
        Ok(few([PutResult { app_metadata: result.encode_to_vec().into() }]))
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        let (metadata, _, Action { r#type: name, body }) = request.into_parts();
        let actions::Done { body, cookie } = self.act(&name, &body, &metadata).await?;
        let mut response = few(body.map(|body| arrow_flight::Result { body }));
        if let Some(cookie) = cookie {
            response.metadata_mut().insert("set-cookie", cookie);
        }
        Ok(response)
    }

    async fn list_actions(
        &self,
        _request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        Ok(few(actions::list()))
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(unsupported("data are not exchanged: get the rows of a statement"))
    }
}

impl FlightSql {
    /// Over what answers statements.
    pub(super) fn new(sql: Arc<dyn AnswerSql>, limits: RpcLimits, clock: Arc<dyn Clock>) -> Self {
        Self { sql, limits, clock }
    }

    async fn info(
        &self,
        metadata: &MetadataMap,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        let asked = Asked::read(&descriptor.cmd, session::context(metadata)?)?;
        let asked = match asked {
            Asked::Statement(handle) => Asked::Statement(handle.named()),
            listing => listing,
        };
        let schema = self.schema(&asked).await?;
        let endpoints = self.endpoints(asked).await?;
        // The rows of a scan without an order have none; one endpoint gives them as they come.
        let ordered = endpoints.len() == 1;
        let info = FlightInfo::new().try_with_schema(&schema).map_err(internal)?;
        Ok(info.with_endpoints(endpoints).with_descriptor(descriptor).with_ordered(ordered))
    }

    async fn schema(&self, asked: &Asked) -> Result<SchemaRef, Status> {
        match asked {
            Asked::Statement(handle) => {
                let request = handle.clone().request(self.clock.now_ms());
                let prepared = self.sql.prepare(request).await.map_err(|error| refused(&error))?;
                let Prepared { columns, .. } = prepared;
                Ok(schema_of(&columns))
            }
            Asked::Listing(command) => listing::schema(command),
        }
    }

    async fn statement(
        &self,
        mut handle: Handle,
        left: Option<Duration>,
        now_ms: i64,
    ) -> Result<Response<Outbox<FlightData>>, Status> {
        if let Some(left) = left {
            bound(&mut handle.context, left);
        }
        let (part, request) = (handle.part, handle.request(now_ms));
        let answered = match part {
            None => self.sql.run(request).await,
            Some(part) => self.sql.run_part(request, part).await,
        };
        let SqlAnswer { columns, batches, .. } = answered.map_err(|error| refused(&error))?;
        let schema = schema_of(&columns);
        let told = Arc::clone(&schema);
        let batches = batches.map(move |batch: Result<RecordBatch, SqlError>| match batch {
            Ok(batch) => under(&told, &batch).map_err(FlightError::from),
            Err(error) => Err(FlightError::from(refused(&error))),
        });
        Ok(self.sent(schema, batches))
    }

    /// Rows on their way. What of them is ready is charged until it is sent.
    fn sent(
        &self,
        schema: SchemaRef,
        batches: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
    ) -> Response<Outbox<FlightData>> {
        let encoder = FlightDataEncoderBuilder::new()
            .with_schema(schema)
            .with_max_flight_data_size(MESSAGE_BYTES)
            .build(batches);
        let account = self.limits.answers.clone();
        let charged = encoder.map_err(Status::from).and_then(move |mut data| {
            let charge = account.charge(data.data_body.len());
            std::future::ready(match charge {
                Ok(charge) => {
                    data.data_body = charge.hold(data.data_body);
                    Ok(data)
                }
                Err(full) => Err(status(full.class(), &full.to_string())),
            })
        });
        Response::new(Outbox::of(charged, self.limits.patience))
    }
}

/// Bounds a statement's time by that of the call; 0 in the context is no bound.
fn bound(context: &mut Map<String, Value>, left: Duration) {
    let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let given = context.get(TIMEOUT).and_then(Value::as_u64).filter(|given_ms| *given_ms > 0);
    context.insert(TIMEOUT.to_owned(), given.map_or(left_ms, |ms| ms.min(left_ms)).into());
}
