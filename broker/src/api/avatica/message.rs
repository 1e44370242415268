//! What clients of Avatica ask and are answered, however it is written.

use std::collections::BTreeMap;

use super::signature::Signature;
use crate::api::drivers::{Cell, Pattern};

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ask {
    OpenConnection { connection: String, info: BTreeMap<String, String> },
    CloseConnection { connection: String },
    ConnectionSync { connection: String, properties: ConnectionProperties },
    CreateStatement { connection: String },
    CloseStatement { handle: Handle },
    Prepare { connection: String, sql: String, max_rows: Option<u64> },
    PrepareAndExecute { handle: Handle, sql: String, max_rows: Option<u64>, frame: FrameSize },
    Execute { handle: Handle, parameters: Vec<GivenValue>, frame: FrameSize },
    Fetch { handle: Handle, offset: u64, frame: FrameSize },
    Listing { connection: String, what: Listing },
    DatabaseProperties { connection: String },
    Commit { connection: String },
    Rollback { connection: String },
}

/// A statement of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) connection: String,
    pub(super) statement: u32,
}

/// How many rows a client wants in a frame; `None` is as many as the server likes.
pub(super) type FrameSize = Option<u64>;

/// How a connection behaves. Nothing of it has an effect: what a client says comes back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ConnectionProperties {
    pub(super) is_dirty: bool,
    pub(super) auto_commit: Option<bool>,
    pub(super) read_only: Option<bool>,
    pub(super) transaction_isolation: Option<u32>,
    pub(super) catalog: Option<String>,
    pub(super) schema: Option<String>,
}

/// The value of a `?`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum GivenValue {
    /// As it is.
    Plain(Cell),
    /// Milliseconds that show the time of the clock on the wall in the connection's time zone.
    WallClock(i64),
}

/// What is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listing {
    Catalogs,
    Schemas { catalog: Pattern, schema: Pattern },
    Tables { catalog: Pattern, schema: Pattern, table: Pattern, kinds: Option<Vec<String>> },
    TableTypes,
    Columns { catalog: Pattern, schema: Pattern, table: Pattern, column: Pattern },
    Types,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    OpenConnection,
    CloseConnection,
    ConnectionSync(ConnectionProperties),
    CreateStatement(Handle),
    CloseStatement,
    Prepare(Handle, Signature),
    Execute(Box<ResultSet>),
    ResultSet(Box<ResultSet>),
    /// To `PrepareAndExecute` and `Execute` of a statement that is not known.
    NoStatementToExecute,
    Fetch(Frame),
    /// To `Fetch` of a statement that is not known.
    NoStatementToFetch,
    /// To `Fetch` of a statement that was not run.
    NoResultsToFetch,
    DatabaseProperties,
    Commit,
    Rollback,
}

/// Rows with what they are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ResultSet {
    pub(super) handle: Handle,
    /// True when the statement is there for these rows alone.
    pub(super) own_statement: bool,
    pub(super) signature: Signature,
    pub(super) first_frame: Frame,
}

/// Some rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Frame {
    /// The place of the first of them among all rows of the answer.
    pub(super) offset: u64,
    /// True when no rows follow.
    pub(super) is_done: bool,
    pub(super) rows: Vec<Vec<Cell>>,
}
