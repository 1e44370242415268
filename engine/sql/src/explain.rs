//! `EXPLAIN PLAN FOR`: one row as Druid gives it, and under `henge` what Druid's form has no place for.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNodeCore};
use serde_json::{Value, json};

use crate::cache::Ready;
use crate::error::Result;
use crate::native::{NativeNode, NativeTable};
use crate::plan::{column, sql_error};
use crate::session::SqlColumn;

/// The columns of the answer.
pub(crate) fn columns() -> Vec<SqlColumn> {
    ["PLAN", "RESOURCES", "ATTRIBUTES"]
        .into_iter()
        .map(|name| column(name.to_owned(), &field(name)))
        .collect()
}

fn field(name: &str) -> FieldRef {
    Arc::new(Field::new(name, DataType::Utf8, true))
}

/// The answer's one row.
///
/// # Errors
/// When there is not memory enough for it.
pub(crate) fn explain(ready: &Ready) -> Result<RecordBatch> {
    let resources: Vec<Value> =
        ready.resources.iter().map(|name| json!({"name": name, "type": "DATASOURCE"})).collect();
    let texts = [plan(ready), json!(resources), json!({"statementType": "SELECT"})];
    let arrays = ["PLAN", "RESOURCES", "ATTRIBUTES"].into_iter().zip(texts).map(|(name, text)| {
        let array: ArrayRef = Arc::new(StringArray::from(vec![text.to_string()]));
        (name, array)
    });
    RecordBatch::try_from_iter(arrays).map_err(|error| sql_error(error.into()))
}

/// The native queries with what they give; the last one also tells how the rest of the plan is run.
fn plan(ready: &Ready) -> Value {
    let nodes = native_nodes(&ready.plan);
    let only = nodes.len() == 1 && is_only_renamed(&ready.plan);
    let mut parts: Vec<Value> =
        nodes.iter().map(|node| part(node, only.then_some(ready))).collect();
    if !only || !ready.reasons.is_empty() {
        let reasons: Vec<String> = ready.reasons.iter().map(ToString::to_string).collect();
        let rest = ready.plan.display_indent().to_string();
        parts
            .push(json!({"henge": {"plan": rest.lines().collect::<Vec<_>>(), "reasons": reasons}}));
    }
    Value::Array(parts)
}

fn part(node: &NativeNode, outer: Option<&Ready>) -> Value {
    let schema = UserDefinedLogicalNodeCore::schema(node);
    let fields = schema.fields();
    let signature: Vec<Value> = node
        .names()
        .iter()
        .zip(fields.iter())
        .map(|(name, field)| json!({"name": name, "type": column(name.clone(), field).native_type}))
        .collect();
    let mappings: Vec<Value> = node
        .names()
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let output = outer.and_then(|ready| ready.columns.get(at)).map(|column| &column.name);
            let output = output.unwrap_or_else(|| fields[at].name());
            json!({"queryColumn": name, "outputColumn": output})
        })
        .collect();
    json!({"query": node.query().as_ref(), "signature": signature, "columnMappings": mappings})
}

/// The native queries of a plan, from the top.
fn native_nodes(plan: &LogicalPlan) -> Vec<NativeNode> {
    let mut nodes = Vec::new();
    // It only fails when the closure does.
    let _ = plan.apply_with_subqueries(|part| {
        nodes.extend(NativeNode::of(part).cloned());
        Ok(TreeNodeRecursion::Continue)
    });
    nodes
}

/// Whether nothing but names is between the one native query and the answer.
fn is_only_renamed(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Extension(_) => true,
        LogicalPlan::SubqueryAlias(alias) => is_only_renamed(&alias.input),
        _ => false,
    }
}

/// The datasources that a plan reads, before it is lowered.
pub(crate) fn resources(plan: &LogicalPlan) -> Vec<String> {
    let mut names = BTreeSet::new();
    let _ = plan.apply_with_subqueries(|part| {
        if let LogicalPlan::TableScan(scan) = part
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(table) = provider.downcast_ref::<NativeTable>()
        {
            names.extend(table.data_source().into_iter().flat_map(names_of));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    names.into_iter().collect()
}

/// The names in the `dataSource` of a native query.
fn names_of(data_source: &Value) -> Vec<String> {
    let text = |name: &Value| name.as_str().map(str::to_owned);
    match &data_source["dataSources"] {
        Value::Array(names) => names.iter().filter_map(text).collect(),
        _ => text(data_source).into_iter().collect(),
    }
}
