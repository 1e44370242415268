//! [`Asked`]: what a descriptor or a ticket asks for.

use arrow_flight::sql::{Any, Command, ProstMessageExt, TicketStatementQuery};
use bytes::Bytes;
use prost::Message;
use serde_json::{Map, Value};
use tonic::Status;

use super::handle::Handle;
use super::{internal, invalid, unsupported};

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// The rows of a statement.
    Statement(Handle),
    /// A listing; the command is one that [`super::listing`] answers.
    Listing(Command),
}

impl Asked {
    /// Reads a descriptor's command or a ticket. A statement that is given as text has this context.
    ///
    /// # Errors
    /// When it is none, or one that is not answered.
    pub(super) fn read(bytes: &[u8], context: Map<String, Value>) -> Result<Self, Status> {
        Ok(match command(bytes)? {
            Command::CommandStatementQuery(query) => {
                Self::Statement(Handle::new(query.query, context))
            }
            Command::CommandPreparedStatementQuery(query) => {
                Self::Statement(Handle::read(&query.prepared_statement_handle)?)
            }
            Command::TicketStatementQuery(ticket) => {
                Self::Statement(Handle::read(&ticket.statement_handle)?)
            }
            listing @ (Command::CommandGetCatalogs(_)
            | Command::CommandGetDbSchemas(_)
            | Command::CommandGetTables(_)
            | Command::CommandGetTableTypes(_)
            | Command::CommandGetSqlInfo(_)
            | Command::CommandGetXdbcTypeInfo(_)
            | Command::CommandGetPrimaryKeys(_)
            | Command::CommandGetExportedKeys(_)
            | Command::CommandGetImportedKeys(_)
            | Command::CommandGetCrossReference(_)) => Self::Listing(listing),
            other => return Err(not_answered(&other)),
        })
    }

    /// The ticket for it.
    ///
    /// # Errors
    /// Never for what was read.
    pub(super) fn ticket(self) -> Result<Bytes, Status> {
        let any = match self {
            Self::Statement(handle) => {
                TicketStatementQuery { statement_handle: handle.write()? }.as_any()
            }
            Self::Listing(command) => command.into_any(),
        };
        Ok(any.encode_to_vec().into())
    }
}

/// Reads a command.
///
/// # Errors
/// When it is none.
pub(super) fn command(bytes: &[u8]) -> Result<Command, Status> {
    let none = |error| invalid(&format!("the command is not Flight SQL's: {error}"));
    let any = Any::decode(bytes).map_err(none)?;
    Command::try_from(any).map_err(internal)
}

/// What is said of a command that is not answered.
pub(super) fn not_answered(command: &Command) -> Status {
    let url = command.type_url();
    let name: String = url.rsplit(['/', '.']).next().unwrap_or(url).chars().take(100).collect();
    unsupported(&format!(
        "'{name}' is not answered: statements and listings are, data are pushed elsewhere"
    ))
}
