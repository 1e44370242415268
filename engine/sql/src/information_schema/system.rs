//! The columns of `sys` tables.

use arrow_schema::SchemaRef;

use super::rows;

/// Names and columns; those with `#` are BIGINT.
const SYSTEM: [(&str, &[&str]); 7] = [
    (
        "segments",
        &[
            "segment_id",
            "datasource",
            "start",
            "end",
            "#size",
            "version",
            "#partition_num",
            "#num_replicas",
            "#num_rows",
            "#is_active",
            "#is_published",
            "#is_available",
            "#is_realtime",
            "#is_overshadowed",
            "shard_spec",
            "dimensions",
            "metrics",
            "last_compaction_state",
            "#replication_factor",
        ],
    ),
    (
        "servers",
        &[
            "server",
            "host",
            "#plaintext_port",
            "#tls_port",
            "server_type",
            "tier",
            "#current_size",
            "#max_size",
            "#is_leader",
            "start_time",
            "version",
            "labels",
            "#available_processors",
            "#total_memory",
            "#storage_size",
        ],
    ),
    ("server_segments", &["server", "segment_id"]),
    (
        "tasks",
        &[
            "task_id",
            "group_id",
            "type",
            "datasource",
            "created_time",
            "queue_insertion_time",
            "status",
            "runner_status",
            "#duration",
            "location",
            "host",
            "#plaintext_port",
            "#tls_port",
            "error_msg",
        ],
    ),
    (
        "supervisors",
        &[
            "supervisor_id",
            "datasource",
            "state",
            "detailed_state",
            "#healthy",
            "type",
            "source",
            "#suspended",
            "spec",
        ],
    ),
    (
        "queries",
        &[
            "id",
            "sql_id",
            "query_type",
            "datasource",
            "state",
            "lane",
            "#priority",
            "#running_ms",
            "identity",
            "query",
        ],
    ),
    (
        "server_properties",
        &["server", "service_name", "node_roles", "property", "value", "error_message"],
    ),
];

/// The names of the tables.
pub(crate) fn tables() -> impl Iterator<Item = &'static str> {
    SYSTEM.iter().map(|(name, _)| *name)
}

/// The columns of a table; `None` when there is none of this name.
pub(crate) fn schema(name: &str) -> Option<SchemaRef> {
    let (_, columns) = SYSTEM.iter().find(|(known, _)| *known == name)?;
    Some(rows::schema(columns))
}
