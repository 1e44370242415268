//! Actions: statements that are prepared, cancelling, and sessions.

use std::collections::BTreeSet;

use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, ProstMessageExt,
};
use arrow_flight::{
    ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
};
use bytes::Bytes;
use henge_proto::flight::{
    CloseSessionResult, CloseSessionStatus, GetSessionOptionsResult, SetSessionOptionsRequest,
    SetSessionOptionsResult,
};
use prost::Message;
use serde_json::Map;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use super::command::Asked;
use super::handle::Handle;
use super::schema::{encoded, schema_of};
use super::service::FlightSql;
use super::{invalid, refused, session, unsupported};
use crate::api::drivers::Prepared;

/// The actions that are done, with what their bodies are.
const ACTIONS: [(&str, &str); 7] = [
    (
        "CreatePreparedStatement",
        "Prepares a statement: ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult",
    ),
    ("ClosePreparedStatement", "Forgets a statement: ActionClosePreparedStatementRequest, nothing"),
    ("CancelQuery", "Stops a statement: ActionCancelQueryRequest, ActionCancelQueryResult"),
    ("CancelFlightInfo", "Stops a statement: CancelFlightInfoRequest, CancelFlightInfoResult"),
    ("SetSessionOptions", "Sets options: SetSessionOptionsRequest, SetSessionOptionsResult"),
    ("GetSessionOptions", "Gets options: GetSessionOptionsRequest, GetSessionOptionsResult"),
    ("CloseSession", "Ends the session: CloseSessionRequest, CloseSessionResult"),
];

/// Of Flight SQL's results of cancelling: it was stopped.
const QUERY_CANCELLED: i32 = 1;

/// What an action gives.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Its result, if it has one.
    pub(super) body: Option<Bytes>,
    /// The cookie that the client is to keep from now on.
    pub(super) cookie: Option<MetadataValue<Ascii>>,
}

impl Done {
    fn with(message: &impl Message) -> Self {
        Self { body: Some(message.encode_to_vec().into()), cookie: None }
    }
}

/// The actions that are done.
pub(super) fn list() -> impl Iterator<Item = ActionType> {
    ACTIONS.into_iter().map(|(name, description)| ActionType {
        r#type: name.to_owned(),
        description: description.to_owned(),
    })
}

impl FlightSql {
    /// Does an action.
    ///
    /// # Errors
    /// When it is none, or cannot be done.
    pub(super) async fn act(
        &self,
        name: &str,
        body: &[u8],
        metadata: &MetadataMap,
    ) -> Result<Done, Status> {
        match name {
            "CreatePreparedStatement" => self.prepare(body, metadata).await,
            // Nothing is kept of it.
            "ClosePreparedStatement" => Ok(Done::default()),
            "CancelQuery" => {
                let asked: ActionCancelQueryRequest = unpacked(body)?;
                self.cancel(&read::<FlightInfo>(&asked.info)?).await?;
                let result = ActionCancelQueryResult { result: QUERY_CANCELLED };
                Ok(Done::with(&result.as_any()))
            }
            "CancelFlightInfo" => {
                let asked: CancelFlightInfoRequest = read(body)?;
                self.cancel(&asked.info.unwrap_or_default()).await?;
                Ok(Done::with(&CancelFlightInfoResult::new(CancelStatus::Cancelled)))
            }
            "SetSessionOptions" => set_options(body, metadata),
            "GetSessionOptions" => {
                let options = session::options(metadata)?;
                let options =
                    options.iter().map(|(key, value)| (key.clone(), session::option_of(value)));
                Ok(Done::with(&GetSessionOptionsResult { session_options: options.collect() }))
            }
            "CloseSession" => {
                let status = CloseSessionStatus::CloseSessionClosed.into();
                let cookie = Some(session::no_cookie());
                Ok(Done { cookie, ..Done::with(&CloseSessionResult { status }) })
            }
            "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => {
                Err(unsupported("there are no transactions: statements only ask"))
            }
            other => {
                let name: String = other.chars().take(100).collect();
                let known: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
                Err(unsupported(&format!(
                    "action '{name}' is not done; these are: {}",
                    known.join(", ")
                )))
            }
        }
    }

    async fn prepare(&self, body: &[u8], metadata: &MetadataMap) -> Result<Done, Status> {
        let asked: ActionCreatePreparedStatementRequest = unpacked(body)?;
        let handle = Handle::new(asked.query, session::context(metadata)?);
        let request = handle.clone().request(self.clock.now_ms());
        let prepared = self.sql.prepare(request).await.map_err(|error| refused(&error))?;
        let Prepared { columns, parameters } = prepared;
        let result = ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.write()?,
            dataset_schema: encoded(&schema_of(&columns))?,
            parameter_schema: encoded(&schema_of(&parameters))?,
        };
        Ok(Done::with(&result.as_any()))
    }

    /// Stops the statements that an answer has tickets of.
    async fn cancel(&self, info: &FlightInfo) -> Result<(), Status> {
        // Parts have the id of their statement.
        let mut ids = BTreeSet::new();
        for endpoint in &info.endpoint {
            let Some(ticket) = &endpoint.ticket else { continue };
            if let Asked::Statement(handle) = Asked::read(&ticket.ticket, Map::new())?
                && let Some(id) = handle.query_id()
            {
                ids.insert(id.to_owned());
            }
        }
        for id in ids {
            self.sql.cancel(&id).await;
        }
        Ok(())
    }
}

fn set_options(body: &[u8], metadata: &MetadataMap) -> Result<Done, Status> {
    let asked: SetSessionOptionsRequest = read(body)?;
    let mut options = session::options(metadata)?;
    for (key, option) in asked.session_options {
        match session::value_of(&key, option) {
            Some(value) => options.insert(key, value),
            None => options.remove(&key),
        };
    }
    let cookie = Some(session::cookie(&options)?);
    Ok(Done { cookie, ..Done::with(&SetSessionOptionsResult::default()) })
}

fn unpacked<M: ProstMessageExt>(body: &[u8]) -> Result<M, Status> {
    let any: Any = read(body)?;
    let message = any.unpack().map_err(|error| invalid(&error.to_string()))?;
    message.ok_or_else(|| invalid(&format!("the action's body is a '{}'", any.type_url)))
}

fn read<M: Message + Default>(bytes: &[u8]) -> Result<M, Status> {
    M::decode(bytes).map_err(|error| invalid(&format!("the body cannot be read: {error}")))
}
