//! [`Draft`]: a native query that is being built.

use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use henge_types::Interval;
use serde_json::{Map, Value, json};

use super::scope::{Output, RowScope};
use super::{Lowering, filter, group_by, scan, timeseries, top_n};
use crate::aggregates::Names;
use crate::functions::expression::{self, Refusal};
use crate::functions::types;
use crate::native::{NativeColumn, NativeNode};

/// Longer texts of expressions are not put into others: each could double the one before it.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// A native query that is being built, and what the part of the plan that it stands for gives.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) base: Base,
    /// `None` for rows as they are.
    pub(super) groups: Option<Groups>,
    /// One for each field of the schema.
    pub(super) outputs: Vec<Output>,
    /// The schema of the operator that was taken in last.
    pub(super) schema: DFSchemaRef,
    pub(super) order: Vec<OrderKey>,
    pub(super) offset: usize,
    pub(super) limit: Option<usize>,
    /// Whether the statement takes topN for the best groups.
    pub(super) approximate_top_n: bool,
    /// Whether the statement says itself what becomes of empty buckets of time.
    pub(super) decides_empty_buckets: bool,
    /// The plan as it is without the last steps, for outputs that only an operator above can do without.
    pub(super) fallback: Option<LogicalPlan>,
}

/// What every native query has.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) data_source: Value,
    /// The plan whose rows are read instead of a datasource's.
    pub(super) input: Option<LogicalPlan>,
    /// Whether rows lie in time, so that intervals tell which segments have any.
    pub(super) has_time: bool,
    pub(super) intervals: Vec<Interval>,
    pub(super) filters: Vec<Value>,
    pub(super) virtual_columns: Vec<Value>,
    pub(super) names: Names,
    /// Whether a column has a name that virtual columns get.
    pub(super) names_taken: bool,
}

/// What groups are and what is computed of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    pub(super) dimensions: Vec<Dimension>,
    pub(super) aggregations: Vec<Value>,
    pub(super) post_aggregations: Vec<Value>,
    pub(super) having: Vec<Value>,
    /// Grouping sets as positions of dimensions.
    pub(super) sets: Option<Vec<Vec<usize>>>,
}

/// A column to group by.
#[derive(Debug, Clone)]
pub(super) struct Dimension {
    /// The stored or virtual column.
    pub(super) column: String,
    /// What computes it.
    pub(super) text: String,
    /// Its name in the answer.
    pub(super) name: String,
    /// `STRING`, `LONG`, …
    pub(super) output_type: &'static str,
}

/// What rows are ordered by; null is the least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OrderKey {
    /// A column of the query.
    pub(super) column: String,
    pub(super) descending: bool,
    pub(super) is_text: bool,
}

impl Draft {
    /// All rows of a datasource, or of a plan.
    pub(super) fn new(
        data_source: Value,
        input: Option<LogicalPlan>,
        outputs: Vec<Output>,
        schema: DFSchemaRef,
    ) -> Self {
        let base = Base {
            data_source,
            has_time: input.is_none(),
            input,
            intervals: vec![Interval::ETERNITY],
            filters: Vec::new(),
            virtual_columns: Vec::new(),
            names: Names::default(),
            names_taken: false,
        };
        Self {
            base,
            groups: None,
            outputs,
            schema,
            order: Vec::new(),
            offset: 0,
            limit: None,
            approximate_top_n: true,
            decides_empty_buckets: false,
            fallback: None,
        }
    }

    /// Its outputs for expressions to read.
    pub(super) fn scope<'d>(&'d self, lowering: &'d Lowering<'d>) -> RowScope<'d> {
        RowScope { outputs: &self.outputs, schema: &self.schema, lowering }
    }

    /// Whether rows were cut off: conditions and groups above are of those that are left.
    pub(super) fn is_cut(&self) -> bool {
        self.limit.is_some() || self.offset > 0
    }

    /// Whether an output is none that a native query gives.
    pub(super) fn is_incomplete(&self) -> bool {
        self.outputs.iter().any(Output::is_missing)
    }

    /// Takes the outputs that were computed.
    ///
    /// # Errors
    /// When a text is so long that it may be a bomb.
    pub(super) fn put(&mut self, outputs: Vec<Output>, schema: DFSchemaRef) -> Result<(), Refusal> {
        if outputs.iter().any(|output| output.text.len() > MAX_TEXT_BYTES) {
            return Err(Refusal::new("an expression is too long for a native query"));
        }
        self.outputs = outputs;
        self.schema = schema;
        Ok(())
    }

    /// The column of the query that an output is: what is computed becomes a virtual column of rows or a
    /// post-aggregator of groups.
    pub(super) fn column_of(
        &mut self,
        output: &Output,
        output_type: &'static str,
    ) -> Result<String, Refusal> {
        if let Some(name) = &output.column {
            return Ok(name.clone());
        }
        let Some(groups) = &mut self.groups else {
            return self.base.virtual_column(&output.text, output_type);
        };
        let same =
            |spec: &&Value| spec["type"] == "expression" && spec["expression"] == output.text;
        if let Some(known) = groups.post_aggregations.iter().find(same) {
            return Ok(known["name"].as_str().unwrap_or_default().to_owned());
        }
        let name = format!("p{}", groups.post_aggregations.len());
        groups
            .post_aggregations
            .push(json!({"type": "expression", "name": name, "expression": output.text}));
        Ok(name)
    }

    /// The query as a part of a plan.
    ///
    /// # Errors
    /// When the plan cannot be put together.
    pub(super) fn finish(mut self) -> Result<LogicalPlan> {
        let incomplete = self.is_incomplete();
        if let Some(fallback) = self.fallback.take().filter(|_| incomplete) {
            return Ok(fallback);
        }
        let mut names = Vec::with_capacity(self.outputs.len());
        for (place, output) in self.outputs.clone().iter().enumerate() {
            let output_type = types::native_name(self.schema.field(place).data_type());
            let name = self.column_of(output, output_type);
            names.push(name.map_err(|refusal| internal(&refusal))?);
        }
        let query = match &self.groups {
            None => scan::query(&self, &names),
            Some(groups) => timeseries::query(&self, groups, &mut names)
                .or_else(|| top_n::query(&self, groups))
                .unwrap_or_else(|| group_by::query(&self, groups)),
        };
        let fields = self.schema.iter().zip(names).map(|((qualifier, field), native)| {
            NativeColumn { native, qualifier: qualifier.cloned(), field: Arc::clone(field) }
        });
        let columns = fields.collect();
        let node = match self.base.input {
            None => NativeNode::new(query, columns),
            Some(input) => NativeNode::over(query, columns, input),
        };
        node.map(NativeNode::into_plan)
    }
}

impl Base {
    /// The virtual column of a text.
    pub(super) fn virtual_column(
        &mut self,
        text: &str,
        output_type: &'static str,
    ) -> Result<String, Refusal> {
        if self.names_taken {
            return Err(Refusal::new("a column is called like a virtual column: v0, v1, …"));
        }
        let (name, made) = self.names.virtual_column(text, output_type);
        self.virtual_columns.extend(made);
        Ok(name)
    }

    /// The fields of a query that every type has.
    pub(super) fn query(&self, query_type: &str) -> Map<String, Value> {
        let intervals: Vec<String> =
            self.intervals.iter().map(|interval| interval.to_string()).collect();
        let mut query = Map::new();
        query.insert("queryType".to_owned(), query_type.into());
        query.insert("dataSource".to_owned(), self.data_source.clone());
        query.insert("intervals".to_owned(), intervals.into());
        if let Some(condition) = filter::all(self.filters.clone()) {
            query.insert("filter".to_owned(), condition);
        }
        if !self.virtual_columns.is_empty() {
            query.insert("virtualColumns".to_owned(), self.virtual_columns.clone().into());
        }
        query
    }
}

impl Groups {
    /// Puts the aggregators into a query.
    pub(super) fn put(&self, query: &mut Map<String, Value>) {
        query.insert("aggregations".to_owned(), self.aggregations.clone().into());
        if !self.post_aggregations.is_empty() {
            query.insert("postAggregations".to_owned(), self.post_aggregations.clone().into());
        }
    }
}

impl Dimension {
    /// As a dimension of a query.
    pub(super) fn spec(&self) -> Value {
        json!({
            "type": "default",
            "dimension": self.column,
            "outputName": self.name,
            "outputType": self.output_type,
        })
    }
}

/// The outputs of a table by the names of its columns.
pub(super) fn table_outputs(schema: &DFSchema) -> Vec<Output> {
    schema.fields().iter().map(|field| Output::column(field.name())).collect()
}

/// True for names that virtual columns get.
pub(super) fn is_virtual_name(name: &str) -> bool {
    name.strip_prefix('v')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|digit| digit.is_ascii_digit()))
}

/// What reads an output's text when it is a column.
pub(super) fn reads(text: &str, column: &str) -> bool {
    text.contains(&expression::identifier(column))
}

fn internal(refusal: &Refusal) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::Plan(refusal.to_string())
}
