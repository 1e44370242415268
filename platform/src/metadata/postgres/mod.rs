//! PostgreSQL under the metadata store: connections, transactions and the schema. What is stored and how it is
//! changed is in `metadata/sql`.

mod error;
mod link;
mod links;
mod open;
pub(super) mod text;

pub(super) use error::store_error;
pub(super) use link::Link;
pub(super) use links::Links;
pub use open::PostgresOptions;
pub(super) use open::{SCHEMA, is_unmade, migrate, schema_version, set_aside};
