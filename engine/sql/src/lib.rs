//! Druid's SQL: a statement becomes native queries where they answer exactly the same, and the rest of it
//! runs on DataFusion over native scans.
//!
//! ```text
//! text ─statement─► SET, EXPLAIN, body ─dialect─► sqlparser's tree ─plan─► DataFusion's logical plan
//!      ─lower─► the same plan with native queries as leaves ─run─► record batches ─result─► Druid's JSON, CSV
//! ```
//!
//! The world is behind two traits: [`Catalog`] says which tables and columns there are (fed by announcements,
//! never by a query), [`Source`] answers native queries. No other package sees DataFusion.

mod aggregates;
mod cache;
pub mod catalog;
mod dialect;
pub mod error;
mod explain;
mod functions;
mod information_schema;
mod limits;
mod lower;
mod native;
mod operator;
mod plan;
pub mod result;
mod run;
pub mod session;
pub mod source;
mod statement;
mod watch;

pub use catalog::{Catalog, Column, LookupEntries, Table};
pub use error::{Result, SqlError};
pub use limits::StatementLimits;
pub use session::{
    DivisibleScan, Parameter, SqlAnswer, SqlColumn, SqlEngine, SqlOptions, SqlRequest,
    StatementPlan,
};
pub use source::{NativeAnswer, NativeQuery, Source};
pub use watch::{Stage, Unwatched, Watch};

// What tests share names this crate as others do.
#[cfg(test)]
extern crate self as henge_sql;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
