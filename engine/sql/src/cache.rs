//! Plans that are remembered: dashboards send the same statements again and again.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Map, Value};

use crate::lower::Reason;
use crate::native::NativeNode;
use crate::session::{SqlColumn, SqlRequest};

/// Longer texts carry data of their own and seldom come twice.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// A guess that sizes the shards; more and fewer are as good.
const TYPICAL_PLAN_BYTES: usize = 16 << 10;
/// What an operator takes beside its columns and expressions.
const OPERATOR_BYTES: usize = 512;
/// What a column of an operator takes.
const COLUMN_BYTES: usize = 128;
/// What a part of an expression takes.
const EXPRESSION_BYTES: usize = 256;
/// What a value takes for each byte of its text.
const BYTES_OF_JSON: usize = 5;

/// A statement that can be run.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    /// What `SET` said.
    pub settings: Map<String, Value>,
    /// Whether the plan is what is asked for.
    pub explain: bool,
    /// With native queries as leaves.
    pub plan: LogicalPlan,
    /// About what it takes.
    pub size_bytes: usize,
    /// Its outputs.
    pub columns: Vec<SqlColumn>,
    /// Why parts of it are no native queries.
    pub reasons: Vec<Reason>,
    /// The datasources that it reads.
    pub resources: Vec<String>,
}

/// All that a plan depends on. Who asks is no part of it: whoever lets different people see different tables gives
/// each a catalogue, and so an engine, of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PlanKey {
    text: String,
    context: String,
    parameters: Vec<(String, String)>,
    version: u64,
}

impl PlanKey {
    pub(crate) fn new(request: &SqlRequest, context: String, version: u64) -> Self {
        let parameters = request.parameters.iter();
        let parameters =
            parameters.map(|parameter| (parameter.sql_type.clone(), parameter.value.to_string()));
        Self { text: request.text.clone(), context, parameters: parameters.collect(), version }
    }

    fn size_bytes(&self) -> usize {
        let values = self.parameters.iter().map(|(_, value)| value.len());
        self.text.len() + self.context.len() + values.sum::<usize>()
    }
}

/// The plans that are used most, as far as they fit into so many bytes.
pub(crate) struct PlanCache(Option<Plans>);

type Plans = Cache<PlanKey, Remembered, ByBytes>;

/// A plan with what it takes.
#[derive(Debug, Clone)]
struct Remembered {
    ready: Arc<Ready>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<PlanKey, Remembered> for ByBytes {
    fn weight(&self, _: &PlanKey, plan: &Remembered) -> u64 {
        plan.bytes as u64
    }
}

impl PlanCache {
    /// With room for so many bytes; 0 for none.
    pub(crate) fn new(bytes: usize) -> Self {
        let plans = || Cache::with_weighter(bytes / TYPICAL_PLAN_BYTES, bytes as u64, ByBytes);
        Self((bytes > 0).then(plans))
    }

    pub(crate) fn get(&self, key: &PlanKey) -> Option<Arc<Ready>> {
        self.0.as_ref()?.get(key).map(|plan| plan.ready)
    }

    pub(crate) fn put(&self, key: PlanKey, ready: Arc<Ready>) {
        let Some(plans) = &self.0 else { return };
        if key.size_bytes() > MAX_TEXT_BYTES {
            return;
        }
        let bytes = key.size_bytes() + ready.size_bytes;
        // What would push out all others is planned again.
        if bytes as u64 <= plans.capacity() / 16 {
            plans.insert(key, Remembered { ready, bytes });
        }
    }
}

impl fmt::Debug for PlanCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plans = self.0.as_ref();
        f.debug_struct("PlanCache")
            .field("plans", &plans.map_or(0, Cache::len))
            .field("bytes", &plans.map_or(0, Cache::weight))
            .finish()
    }
}

/// About what a plan takes: operators, their columns and expressions, native queries and their values.
pub(crate) fn size_bytes(plan: &LogicalPlan) -> usize {
    let mut bytes = 0;
    // It only fails when the closure does.
    let _ = plan.apply_with_subqueries(|operator| {
        bytes += OPERATOR_BYTES + operator.schema().fields().len() * COLUMN_BYTES;
        if let Some(native) = NativeNode::of(operator) {
            bytes += native.query().to_string().len() * BYTES_OF_JSON;
        }
        operator.apply_expressions(|expr| {
            expr.apply(|_| {
                bytes += EXPRESSION_BYTES;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    bytes
}
