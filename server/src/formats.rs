//! The versions of everything that outlives a process or leaves it: what `henge upgrade check` compares.

use henge_platform::metadata::SqlOptions;
use henge_platform::metadata::manifest::MANIFEST_FORMAT;
use henge_platform::rpc::PROTOCOL_VERSION;
use henge_platform::wal::FILE_VERSION;
use serde::{Deserialize, Serialize};

/// What a program writes at most, and reads up to. 0 for what an older program does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Formats {
    /// Of the protocol between processes.
    pub protocol: u32,
    /// Of segments.
    pub segment: u32,
    /// Of files of the logs of pushes.
    pub log: u32,
    /// Of manifests.
    pub manifest: u32,
    /// Of the schema of the metadata in SQLite.
    pub sqlite_schema: u64,
    /// Of the schema of the metadata in PostgreSQL.
    pub postgres_schema: u64,
}

impl Formats {
    /// Those of this program.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            segment: henge_segment::FORMAT_VERSION,
            log: FILE_VERSION,
            manifest: MANIFEST_FORMAT,
            sqlite_schema: SqlOptions::SQLITE_SCHEMA,
            postgres_schema: SqlOptions::POSTGRES_SCHEMA,
        }
    }
}
