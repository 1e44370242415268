//! SQLite under the metadata store, in one file: write-ahead journal, `synchronous = FULL`, one writing
//! connection with `BEGIN IMMEDIATE`, several reading ones. What is stored and how it is changed is in
//! `metadata/sql`.

mod error;
mod journal;
mod open;

pub(super) use error::store_error;
pub use open::SqliteOptions;
pub(super) use open::{Pools, SCHEMA, is_unmade, open, schema_version};
