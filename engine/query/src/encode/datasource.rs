//! Data sources as JSON.

use serde_json::{Value, json};

use crate::datasource::{DataSource, Filtered, InlineRows, Join, Unnest};
use crate::filter::Filter;

pub(super) fn data_source(data_source: &DataSource) -> Value {
    match data_source {
        DataSource::Table(name) => json!({"type": "table", "name": name}),
        DataSource::Union(names) => json!({"type": "union", "dataSources": names}),
        DataSource::Inline(rows) => inline(rows),
        DataSource::Lookup(lookup) => json!({"type": "lookup", "lookup": lookup.name}),
        DataSource::Query(query) => json!({"type": "query", "query": query.to_value()}),
        DataSource::Join(join) => self::join(join),
        DataSource::Unnest(unnest) => self::unnest(unnest),
        DataSource::Filtered(filtered) => {
            let Filtered { base, filter } = &**filtered;
            json!({"type": "filter", "base": self::data_source(base), "filter": filter.to_value()})
        }
        DataSource::Rows(rows) => rows.to_value(),
    }
}

fn inline(rows: &InlineRows) -> Value {
    let columns = &rows.columns;
    let types = columns.iter().map(|column| column.column_type.as_ref().map(ToString::to_string));
    json!({
        "type": "inline",
        "columnNames": columns.iter().map(|column| &column.name).collect::<Vec<_>>(),
        "columnTypes": types.collect::<Vec<_>>(),
        "rows": rows.rows,
    })
}

fn join(join: &Join) -> Value {
    let Join { left, right, prefix, condition, join_type, left_filter } = join;
    json!({
        "type": "join",
        "left": data_source(left),
        "right": data_source(right),
        "rightPrefix": prefix,
        "condition": condition.text(),
        "joinType": join_type.name(),
        "leftFilter": left_filter.as_ref().map(Filter::to_value),
    })
}

fn unnest(unnest: &Unnest) -> Value {
    let Unnest { base, column, filter } = unnest;
    json!({
        "type": "unnest",
        "base": data_source(base),
        "virtualColumn": column.to_value(),
        "unnestFilter": filter.as_ref().map(Filter::to_value),
    })
}
