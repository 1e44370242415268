//! `henge.v1.Query`: native queries and SQL over gRPC. What is asked and answered is what `POST /druid/v2` and
//! `POST /druid/v2/sql` ask and answer.

mod sql;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use henge_answer::Form;
use henge_platform::http::DruidError;
use henge_platform::rpc::{Outbox, RpcLimits, status, time_left};
use henge_proto::v1::execute_response::Part;
use henge_proto::v1::query_server::{Query as Rpc, QueryServer};
use henge_proto::v1::{
    CancelQueryRequest, CancelQueryResponse, ExecuteRequest, ExecuteResponse, ExecuteSqlRequest,
    ExecuteSqlResponse, Format, QueryHead, QueryTail,
};
use henge_types::ErrorClass;
use tonic::{Request, Response, Status};

use super::drivers::AnswerSql;
use super::native::{Asked, ask};
use crate::error::BrokerError;
use crate::execute::{QueryResponse, made_id};
use crate::{Broker, Sql};

/// Bytes of a piece of an answer.
const PIECE_BYTES: usize = 128 << 10;

/// The service as it is added to a server.
pub type QueryRoute = QueryServer<QueryService>;

/// Answers queries.
#[derive(Debug)]
pub struct QueryService {
    broker: Arc<Broker>,
    sql: Arc<dyn AnswerSql>,
    limits: RpcLimits,
}

/// Serves the broker's queries and statements.
#[must_use]
pub fn query_service(broker: Arc<Broker>, sql: Arc<Sql>, limits: RpcLimits) -> QueryRoute {
    let most = limits.max_request_bytes;
    let sql = Arc::new(sql);
    QueryServer::new(QueryService { broker, sql, limits }).max_decoding_message_size(most)
}

#[tonic::async_trait]
impl Rpc for QueryService {
    type ExecuteStream = Outbox<ExecuteResponse>;
    type ExecuteSqlStream = Outbox<ExecuteSqlResponse>;

    async fn execute(
        &self,
        request: Request<ExecuteRequest>,
    ) -> Result<Response<Self::ExecuteStream>, Status> {
        let time_left = time_left(request.metadata());
        if time_left.is_some_and(|left| left.as_millis() == 0) {
            return Err(status(ErrorClass::Timeout, "the time of the call was up when it came"));
        }
        let ExecuteRequest { query, format, query_id, profile } = request.into_inner();
        let form = form_of(format)?;
        let charge = self.limits.requests.charge(query.len());
        let text = charge.map_err(|full| refused(&full.into()))?.hold(query.into());
        let asked = ask(&self.broker, text).await;
        let Asked { mut query, warnings, _held } = asked.map_err(|error| refused(&error))?;
        let context = &mut query.base_mut().context;
        context.timeout_ms = sooner(context.timeout_ms, time_left);
        let named = Some(query_id).filter(|id| !id.is_empty());
        let query_id = context.query_id.clone().or(named).unwrap_or_else(made_id);
        let wants_profile = profile || context.profile;
        let answered = self.broker.execute(query, form, &query_id, None).await;
        let response = answered.map_err(|error: BrokerError| refused(&error.into()))?;
        let parts = self.parts(response, warnings, wants_profile)?;
        Ok(Response::new(Outbox::of(parts, self.limits.patience)))
    }

    async fn execute_sql(
        &self,
        request: Request<ExecuteSqlRequest>,
    ) -> Result<Response<Self::ExecuteSqlStream>, Status> {
        let time_left = time_left(request.metadata());
        if time_left.is_some_and(|left| left.as_millis() == 0) {
            return Err(status(ErrorClass::Timeout, "the time of the call was up when it came"));
        }
        let request = request.into_inner();
        let parts = sql::execute_sql(&self.sql, &self.limits, request, time_left).await?;
        Ok(Response::new(Outbox::of(parts, self.limits.patience)))
    }

    async fn cancel_query(
        &self,
        request: Request<CancelQueryRequest>,
    ) -> Result<Response<CancelQueryResponse>, Status> {
        self.broker.cancel(&request.into_inner().query_id).await;
        Ok(Response::new(CancelQueryResponse {}))
    }
}

impl QueryService {
    /// The answer, whose bytes are charged until the last of them is sent.
    fn parts(
        &self,
        response: QueryResponse,
        warnings: Vec<String>,
        wants_profile: bool,
    ) -> Result<impl Stream<Item = Result<ExecuteResponse, Status>> + use<>, Status> {
        let body = response.body.unwrap_or_default();
        let charge = self.limits.answers.charge(body.len());
        let body = charge.map_err(|full| refused(&full.into()))?.hold(body);
        let head = QueryHead {
            query_id: response.query_id,
            response_context: serde_json::Value::Object(response.response_context).to_string(),
            warnings,
            etag: response.etag.unwrap_or_default(),
            answer_bytes: body.len() as u64,
        };
        let profile = match wants_profile {
            true => response.profile.to_json(),
            false => String::new(),
        };
        let pieces = stream::iter(pieces(body).map(Part::Piece));
        let parts = stream::iter([Part::Head(head)])
            .chain(pieces)
            .chain(stream::iter([Part::Tail(QueryTail { profile })]));
        Ok(parts.map(|part| Ok(ExecuteResponse { part: Some(part) })))
    }
}

fn pieces(mut body: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        (!body.is_empty()).then(|| body.split_to(body.len().min(PIECE_BYTES)))
    })
}

fn form_of(format: i32) -> Result<Form, Status> {
    match Format::try_from(format) {
        Ok(Format::Unspecified | Format::Json) => Ok(Form::Json),
        Ok(Format::Arrow) => Ok(Form::Arrow),
        Err(_) => {
            let message = format!("format {format} is unknown: use FORMAT_JSON or FORMAT_ARROW");
            Err(status(ErrorClass::InvalidInput, &message))
        }
    }
}

/// The timeout of a query whose caller waits so long; 0 in the context is no timeout.
fn sooner(timeout_ms: Option<u64>, time_left: Option<Duration>) -> Option<u64> {
    let Some(left) = time_left else { return timeout_ms };
    let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    Some(timeout_ms.filter(|timeout_ms| *timeout_ms > 0).map_or(left_ms, |ms| ms.min(left_ms)))
}

fn refused(error: &DruidError) -> Status {
    status(error.class, &error.error_message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_60_the_deadline_of_a_call_is_one_of_its_query() {
        let left = Some(Duration::from_millis(500));
        assert_eq!(sooner(Some(300), left), Some(300));
        assert_eq!(sooner(Some(900), left), Some(500));
        assert_eq!(sooner(Some(0), left), Some(500));
        assert_eq!(sooner(None, left), Some(500));
        assert_eq!(sooner(None, None), None);
        assert_eq!(sooner(Some(0), None), Some(0));
    }

    #[test]
    fn an_answer_is_cut_into_pieces_that_are_all_of_it() {
        for length in [0, 1, PIECE_BYTES, 3 * PIECE_BYTES + 1] {
            let body = Bytes::from(vec![7; length]);
            let cut: Vec<Bytes> = pieces(body.clone()).collect();
            assert_eq!(cut.len(), length.div_ceil(PIECE_BYTES));
            assert_eq!(cut.concat(), body);
        }
    }
}
