//! Rows as they are: scan.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use henge_types::TIME_COLUMN;
use serde_json::{Map, Value, json};

use super::Lowering;
use super::draft::{Draft, table_outputs};
use super::scope::RowScope;
use crate::functions::expression::Refusal;

/// The scan of a draft; `names` are the columns that it gives.
pub(super) fn query(draft: &Draft, names: &[String]) -> Value {
    let mut columns: Vec<&str> = Vec::with_capacity(names.len());
    // What rows are ordered by must be among the columns.
    let ordered = draft.order.iter().map(|key| &key.column);
    for name in names.iter().chain(ordered) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    // A scan without columns gives all of them.
    if columns.is_empty() {
        columns.push(TIME_COLUMN);
    }
    let mut query = draft.base.query("scan");
    query.insert("columns".to_owned(), json!(columns));
    query.insert("resultFormat".to_owned(), "compactedList".into());
    if !draft.order.is_empty() {
        let keys = draft.order.iter().map(|key| {
            let order = if key.descending { "descending" } else { "ascending" };
            json!({"columnName": key.column, "order": order})
        });
        query.insert("orderBy".to_owned(), keys.collect());
    }
    if draft.offset > 0 {
        query.insert("offset".to_owned(), draft.offset.into());
    }
    if let Some(limit) = draft.limit {
        query.insert("limit".to_owned(), limit.into());
    }
    Value::Object(query)
}

/// The scan of some columns of a datasource, of the rows for which all conditions hold.
///
/// # Errors
/// When [`takes`] is false of a condition.
pub(crate) fn plain(
    data_source: &Value,
    names: &[String],
    (conditions, table): (&[Expr], &arrow_schema::Schema),
    limit: Option<usize>,
    time_zone: &str,
) -> Result<Value> {
    let schema = DFSchema::try_from(table.clone())?;
    let outputs = table_outputs(&schema);
    let mut draft = Draft::new(data_source.clone(), None, outputs.clone(), schema.clone().into());
    let context: Map<String, Value> =
        [("sqlTimeZone".to_owned(), time_zone.into())].into_iter().collect();
    let lowering = Lowering::new(&context);
    let scope = RowScope { outputs: &outputs, schema: &schema, lowering: &lowering };
    let conditions = conditions.iter().map(unqualified).collect::<Result<Vec<_>>>()?;
    draft.filter_within(&conditions, &scope).map_err(refused)?;
    draft.limit = limit.filter(|limit| *limit > 0);
    Ok(query(&draft, names))
}

/// True when a native filter means exactly the same as a condition on a table's columns.
pub(crate) fn takes(condition: &Expr, table: &arrow_schema::Schema) -> bool {
    let context = Map::new();
    let lowering = Lowering::new(&context);
    let (Ok(schema), Ok(condition)) = (DFSchema::try_from(table.clone()), unqualified(condition))
    else {
        return false;
    };
    let outputs = table_outputs(&schema);
    let scope = RowScope { outputs: &outputs, schema: &schema, lowering: &lowering };
    super::filter::native(&condition, &scope).is_ok()
}

fn unqualified(condition: &Expr) -> Result<Expr> {
    let bare = |expr: Expr| match expr {
        Expr::Column(column) => {
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name))))
        }
        other => Ok(Transformed::no(other)),
    };
    condition.clone().transform(bare).map(|transformed| transformed.data)
}

fn refused(refusal: Refusal) -> DataFusionError {
    DataFusionError::Plan(refusal.reason)
}
