//! `tuningConfig`: limits of ingestion.

use crate::error::Result;
use crate::node::Node;

/// Limits of ingestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TuningConfig {
    /// Rows held in memory before they are persisted; `None` is the server's choice.
    pub max_rows_in_memory: Option<u64>,
    /// Bytes held in memory before they are persisted; `None` is the server's choice.
    pub max_bytes_in_memory: Option<u64>,
    /// Rows in one segment.
    pub max_rows_per_segment: u64,
    /// Unparseable events that are put up with; `None` is any number.
    pub max_parse_exceptions: Option<u64>,
}

impl Default for TuningConfig {
    fn default() -> Self {
        Self {
            max_rows_in_memory: None,
            max_bytes_in_memory: None,
            max_rows_per_segment: 5_000_000,
            max_parse_exceptions: None,
        }
    }
}

const TYPES: &[&str] = &["index_parallel", "index"];

const KNOWN: &[&str] = &[
    "type",
    "maxRowsInMemory",
    "maxBytesInMemory",
    "maxRowsPerSegment",
    "partitionsSpec",
    "maxParseExceptions",
    "reportParseExceptions",
    // Taken, because common specs hold them; one node works through one task at its own pace.
    "maxTotalRows",
    "targetPartitionSize",
    "numShards",
    "partitionDimensions",
    "maxNumSegmentsToMerge",
    "maxSavedParseExceptions",
    "logParseExceptions",
    "forceGuaranteedRollup",
    "maxNumConcurrentSubTasks",
    "maxNumSubTasks",
    "maxRetry",
    "maxPendingPersists",
    "numPersistThreads",
    "maxColumnsToMerge",
    "totalNumMergeTasks",
    "maxAllowedLockCount",
    "taskStatusCheckPeriodMs",
    "chatHandlerTimeout",
    "chatHandlerNumRetries",
    "pushTimeout",
    "awaitSegmentAvailabilityTimeoutMillis",
    "skipBytesInMemoryOverheadCheck",
    "splitHintSpec",
    "indexSpec",
    "indexSpecForIntermediatePersists",
    "appendableIndexSpec",
    "segmentWriteOutMediumFactory",
];

impl TuningConfig {
    pub(super) fn read(spec: &Node<'_>) -> Result<Self> {
        let mut tuning = Self::default();
        let Some(node) = spec.get("tuningConfig") else { return Ok(tuning) };
        if node.get("type").is_some() {
            match node.type_name(TYPES)? {
                "index_parallel" | "index" => {}
                other => return Err(node.bad_type("tuningConfig", other, TYPES, &[])),
            }
        }
        node.only_fields(KNOWN)?;
        if node.boolean_or("forceGuaranteedRollup", false)? {
            let message = "guaranteed roll-up needs hashed or range partitions, which are not \
                           supported; leave it out";
            node.refuse("forceGuaranteedRollup", message)?;
        }
        tuning.max_rows_in_memory = at_least_one(&node, "maxRowsInMemory")?;
        // Druid takes 0 for its own default and -1 for no limit; here the server always has one.
        let bytes = node.get("maxBytesInMemory").map(|bytes| bytes.integer()).transpose()?;
        tuning.max_bytes_in_memory =
            bytes.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
        if let Some(rows) = at_least_one(&node, "maxRowsPerSegment")? {
            tuning.max_rows_per_segment = rows;
        }
        if let Some(rows) = partitions_spec(&node)? {
            tuning.max_rows_per_segment = rows;
        }
        tuning.max_parse_exceptions = node.optional_unsigned("maxParseExceptions")?;
        if node.boolean_or("reportParseExceptions", false)? {
            tuning.max_parse_exceptions = Some(0);
        }
        Ok(tuning)
    }
}

fn at_least_one(node: &Node<'_>, name: &str) -> Result<Option<u64>> {
    node.get(name).map(|number| number.within(1, i64::MAX)).transpose()
}

fn partitions_spec(tuning: &Node<'_>) -> Result<Option<u64>> {
    const SUPPORTED: &[&str] = &["dynamic"];
    let Some(node) = tuning.get("partitionsSpec") else { return Ok(None) };
    match node.type_name(SUPPORTED)? {
        "dynamic" => {}
        other => {
            let planned = &["hashed", "single_dim", "range"];
            return Err(node.bad_type("partitionsSpec", other, SUPPORTED, planned));
        }
    }
    node.only_fields(&["type", "maxRowsPerSegment", "maxTotalRows"])?;
    at_least_one(&node, "maxRowsPerSegment")
}
