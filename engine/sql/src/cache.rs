//! Plans that are remembered: dashboards send the same statements again and again.

use std::fmt;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use quick_cache::sync::Cache;
use serde_json::{Map, Value};

use crate::lower::Reason;
use crate::session::{SqlColumn, SqlRequest};

/// Longer texts carry data of their own and seldom come twice.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// A statement that can be run.
#[derive(Debug)]
pub(crate) struct Ready {
    /// What `SET` said.
    pub settings: Map<String, Value>,
    /// Whether the plan is what is asked for.
    pub explain: bool,
    /// With native queries as leaves.
    pub plan: LogicalPlan,
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

/// As many plans as were asked for, those that are used most.
pub(crate) struct PlanCache(Option<Cache<PlanKey, Arc<Ready>>>);

impl PlanCache {
    pub(crate) fn new(plans: usize) -> Self {
        Self((plans > 0).then(|| Cache::new(plans)))
    }

    pub(crate) fn get(&self, key: &PlanKey) -> Option<Arc<Ready>> {
        self.0.as_ref()?.get(key)
    }

    pub(crate) fn put(&self, key: PlanKey, ready: Arc<Ready>) {
        if let Some(plans) = &self.0
            && key.size_bytes() <= MAX_TEXT_BYTES
        {
            plans.insert(key, ready);
        }
    }
}

impl fmt::Debug for PlanCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plans = self.0.as_ref().map_or(0, Cache::len);
        f.debug_struct("PlanCache").field("plans", &plans).finish()
    }
}
