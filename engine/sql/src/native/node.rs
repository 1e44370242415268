//! [`NativeNode`]: a native query in a logical plan.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_schema::FieldRef;
use datafusion::common::{DFSchema, DFSchemaRef, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use serde_json::Value;

use super::{Ask, NativeExec};

/// A column that a native query gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NativeColumn {
    /// Its name in the native answer.
    pub(crate) native: String,
    /// What it is called in front of its name in the plan.
    pub(crate) qualifier: Option<TableReference>,
    /// Its name and type in the plan.
    pub(crate) field: FieldRef,
}

/// A native query that stands for a part of the plan: a leaf, or over the rows of an input, whose columns then
/// carry the names that the query reads.
#[derive(Debug, Clone)]
pub(crate) struct NativeNode {
    query: Arc<Value>,
    names: Arc<[String]>,
    input: Option<Arc<LogicalPlan>>,
    schema: DFSchemaRef,
}

impl NativeNode {
    /// A leaf.
    ///
    /// # Errors
    /// When two columns have the same name and qualifier.
    pub(crate) fn new(query: Value, columns: Vec<NativeColumn>) -> Result<Self> {
        Self::build(query, columns, None)
    }

    /// Over the rows of `input`.
    ///
    /// # Errors
    /// As [`NativeNode::new`].
    pub(crate) fn over(
        query: Value,
        columns: Vec<NativeColumn>,
        input: LogicalPlan,
    ) -> Result<Self> {
        Self::build(query, columns, Some(Arc::new(input)))
    }

    fn build(
        query: Value,
        columns: Vec<NativeColumn>,
        input: Option<Arc<LogicalPlan>>,
    ) -> Result<Self> {
        let names = columns.iter().map(|column| column.native.clone()).collect();
        let fields = columns.into_iter().map(|column| (column.qualifier, column.field)).collect();
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { query: Arc::new(query), names, input, schema })
    }

    /// The query as Druid's JSON; its context holds only what its shape needs.
    #[must_use]
    pub(crate) fn query(&self) -> &Arc<Value> {
        &self.query
    }

    /// True when it asks for rows of datasources, and not over those of an input.
    #[must_use]
    pub(crate) fn is_leaf(&self) -> bool {
        self.input.is_none()
    }

    /// The same with another query that gives the same columns.
    #[must_use]
    pub(crate) fn with_query(&self, query: Value) -> Self {
        Self { query: Arc::new(query), ..self.clone() }
    }

    /// The columns of the native answer, one for each field of the schema.
    #[must_use]
    pub(crate) fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// The node as a plan.
    #[must_use]
    pub(crate) fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The operator of a plan that is a native query over datasources and nothing else: no other planning is needed.
    #[must_use]
    pub(crate) fn leaf(plan: &LogicalPlan) -> Option<Arc<dyn ExecutionPlan>> {
        let node = Self::of(plan).filter(|node| node.is_leaf())?;
        let schema = Arc::clone(node.schema.inner());
        let ask = Ask::Query(Arc::clone(&node.query));
        Some(Arc::new(NativeExec::new(ask, Arc::clone(&node.names), schema)))
    }

    /// The native query that a plan is, if it is one.
    #[must_use]
    pub(crate) fn of(plan: &LogicalPlan) -> Option<&Self> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }
}

impl PartialEq for NativeNode {
    fn eq(&self, other: &Self) -> bool {
        self.query == other.query
            && self.names == other.names
            && self.schema == other.schema
            && self.input == other.input
    }
}

impl Eq for NativeNode {}

impl Hash for NativeNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.query.to_string().hash(state);
        self.names.hash(state);
        self.input.hash(state);
    }
}

/// Only equal ones compare: the order of queries means nothing.
impl PartialOrd for NativeNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for NativeNode {
    fn name(&self) -> &str {
        "NativeQuery"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.input.iter().map(Arc::as_ref).collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NativeQuery: {}", self.query)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let input = self.input.as_ref().and_then(|_| inputs.pop());
        Ok(Self { input: input.map(Arc::new), ..self.clone() })
    }
}
