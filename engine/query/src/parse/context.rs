//! The query context: typed, lenient about spelling (`"true"`, `"1000"`), strict about meaning.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::context::QueryContext;
use crate::error::Result;
use crate::limits::{MAX_QUERY_ID_BYTES, MAX_TIMEOUT_MS};
use crate::node::{Budget, Node};

/// Boolean keys of Druid's that change how a query runs there and never its answer: accepted without
/// effect here; a wrong type is still an error.
const OTHER_FLAGS: &[&str] = &[
    "enableParallelMerge",
    "useFilterCNF",
    "secondaryPartitionPruning",
    "debug",
    "setProcessingThreadNames",
    "forceHashAggregation",
    "forceLimitPushDown",
    "forcePushDownNestedQuery",
    "applyLimitPushDown",
    "applyLimitPushDownToSegment",
    "groupByIsSingleThreaded",
    "writeExceptionBodyAsResponseRow",
];

/// Number keys of Druid's of the same kind: sizes of its buffers, and limits that it sets itself.
const OTHER_NUMBERS: &[&str] = &[
    "perSegmentTimeout",
    "maxScatterGatherBytes",
    "maxQueuedBytes",
    "parallelMergeParallelism",
    "parallelMergeInitialYieldRows",
    "parallelMergeSmallBatchRows",
    "vectorSize",
    "numRetriesOnMissingSegments",
    "maxRowsQueuedForOrdering",
    "maxSegmentPartitionsOrderedInMemory",
    "maxSpillFileCount",
    "bufferGrouperInitialBuckets",
    "intermediateCombineDegree",
    "numParallelCombineThreads",
    "joinFilterRewriteMaxSize",
];

impl QueryContext {
    /// Reads a context alone: that of a statement, whose queries are made later.
    ///
    /// # Errors
    /// When a key has a value of the wrong type or asks for what is not supported; its path is in the error.
    pub fn parse(context: &Map<String, Value>) -> Result<Self> {
        let query = Map::from_iter([("context".to_owned(), Value::Object(context.clone()))]);
        self::context(&Node::root(&Value::Object(query), &Budget::default())?)
    }

    /// What a context means that came like this; `None` when it cannot be read.
    pub(crate) fn of(raw: &BTreeMap<String, Value>) -> Option<Self> {
        let raw = raw.clone().into_iter().collect();
        let query =
            Value::Object([("context".to_owned(), Value::Object(raw))].into_iter().collect());
        context(&Node::root(&query, &Budget::default()).ok()?).ok()
    }
}

pub(super) fn context(query: &Node<'_>) -> Result<QueryContext> {
    let mut context = QueryContext::default();
    let Some(node) = query.get("context") else { return Ok(context) };
    for (key, value) in node.object()? {
        context.raw.insert(key.clone(), value.clone());
    }
    for key in OTHER_FLAGS {
        node.boolean_or(key, false)?;
    }
    for key in OTHER_NUMBERS {
        node.optional_unsigned(key)?;
    }
    refuse_other_answers(&node)?;
    identity(&node, &mut context)?;
    scheduling(&node, &mut context)?;
    shape(&node, &mut context)?;
    Ok(context)
}

/// Flags under which Druid gives another answer than this version can.
fn refuse_other_answers(node: &Node<'_>) -> Result<()> {
    for (key, ordinary, message) in [
        ("bySegment", false, "results by segment are not supported; leave bySegment out"),
        (
            "realtimeSegmentsOnly",
            false,
            "answering from buffered rows alone is not supported; leave realtimeSegmentsOnly out",
        ),
        (
            "groupByEnableMultiValueUnnesting",
            true,
            "grouping by lists as they are is not supported; leave \
             groupByEnableMultiValueUnnesting out, or group by an expression such as \
             array_to_string(column, ',')",
        ),
    ] {
        if node.boolean_or(key, ordinary)? != ordinary {
            node.refuse(key, message)?;
        }
    }
    Ok(())
}

fn identity(node: &Node<'_>, context: &mut QueryContext) -> Result<()> {
    context.query_id = node.optional_scalar_text("queryId")?;
    if let Some(id) = &context.query_id
        && (id.len() > MAX_QUERY_ID_BYTES || id.chars().any(char::is_control))
    {
        let path = node.get("queryId").unwrap_or(*node);
        return Err(path.invalid(format!(
            "must have at most {MAX_QUERY_ID_BYTES} bytes and no control characters"
        )));
    }
    Ok(())
}

fn scheduling(node: &Node<'_>, context: &mut QueryContext) -> Result<()> {
    context.timeout_ms = node.optional_unsigned("timeout")?.map(|ms| ms.min(MAX_TIMEOUT_MS));
    if let Some(priority) = node.get("priority") {
        let bounded = priority.integer()?.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        context.priority = i32::try_from(bounded).unwrap_or(0);
    }
    context.lane = node.optional_scalar_text("lane")?;
    context.use_cache = node.boolean_or("useCache", true)?;
    context.populate_cache = node.boolean_or("populateCache", true)?;
    context.use_result_level_cache = node.boolean_or("useResultLevelCache", true)?;
    context.populate_result_level_cache = node.boolean_or("populateResultLevelCache", true)?;
    context.use_block_statistics = node.boolean_or("useBlockStatistics", true)?;
    context.use_projection = node.optional_name("useProjection")?;
    context.no_projections = node.boolean_or("noProjections", false)?;
    context.force_projections = node.boolean_or("forceProjections", false)?;
    context.strict = node.boolean_or("strict", false)?;
    context.profile = node.boolean_or("profile", false)?;
    context.max_on_disk_storage_bytes = node.optional_unsigned("maxOnDiskStorage")?;
    context.max_subquery_rows = node.optional_unsigned("maxSubqueryRows")?;
    context.max_subquery_bytes = subquery_bytes(node)?;
    context.return_partial_results = node.boolean_or("allowPartial", false)?
        || node.boolean_or("returnPartialResults", false)?;
    if let Some(limit) = node.get("uncoveredIntervalsLimit") {
        context.uncovered_intervals_limit = limit.within(0, i64::from(i32::MAX))?;
    }
    Ok(())
}

fn shape(node: &Node<'_>, context: &mut QueryContext) -> Result<()> {
    context.skip_empty_buckets = node.boolean_or("skipEmptyBuckets", false)?;
    context.grand_total = node.boolean_or("grandTotal", false)?;
    context.timestamp_result_field = node.optional_name("timestampResultField")?;
    context.finalize = node.boolean_or("finalize", true)?;
    let inner = node.boolean_or("serializeDateTimeAsLongInner", false)?;
    context.times_as_numbers =
        node.boolean_or("serializeDateTimeAsLong", false)? || (inner && !context.finalize);
    context.result_as_array = node.boolean_or("resultAsArray", false)?;
    context.sort_by_dims_first = node.boolean_or("sortByDimsFirst", false)?;
    if let Some(threshold) = node.optional_unsigned("minTopNThreshold")? {
        context.min_top_n_threshold = threshold;
    }
    Ok(())
}

/// `auto` and `disabled` are Druid's words for the server's own limit.
fn subquery_bytes(node: &Node<'_>) -> Result<Option<u64>> {
    match node.get("maxSubqueryBytes") {
        Some(word) if word.value() == "auto" || word.value() == "disabled" => Ok(None),
        Some(number) => number.unsigned().map(Some),
        None => Ok(None),
    }
}
