//! Record batches as a segment in memory.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use henge_exec::{ExecError, Result};
use henge_index::{
    AddOutcome, DimensionSchema, IndexLimits, IndexSchema, IndexSnapshot, MultiValueHandling,
    WriteIndex,
};
use henge_types::{ColumnType, Granularity, Interval, SegmentId, TIME_COLUMN, ValueRef, Version};

const DAY_MS: i64 = 86_400_000;

/// Rows as a segment.
pub(super) struct View {
    pub(super) segment: Arc<IndexSnapshot>,
    /// What it takes.
    pub(super) memory_bytes: usize,
}

/// The rows of batches as a segment; without a `__time` their time is 0.
///
/// # Errors
/// When a column is of a type that no segment has, or the rows take more than `max_bytes`.
pub(super) fn view_of(schema: &SchemaRef, rows: &[RecordBatch], max_bytes: usize) -> Result<View> {
    let time = schema.fields().iter().position(|field| field.name() == TIME_COLUMN);
    let others: Vec<usize> = (0..schema.fields().len()).filter(|at| Some(*at) != time).collect();
    let dimensions = others.iter().map(|at| {
        let field = schema.field(*at);
        let column_type = column_type(field.name(), field.data_type())?;
        let multi_value = MultiValueHandling::Array;
        Ok(DimensionSchema { multi_value, ..DimensionSchema::new(field.name(), column_type) })
    });
    let index_schema = IndexSchema {
        dimensions: dimensions.collect::<Result<_>>()?,
        before_time: Vec::new(),
        metrics: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    };
    let limits = IndexLimits { max_rows: u32::MAX as usize, max_bytes };
    let internal = |error: henge_index::IndexError| ExecError::Internal(error.to_string());
    let mut index = WriteIndex::new(index_schema, limits).map_err(internal)?;
    for batch in rows {
        let times = time.map(|at| batch.column(at));
        for row in 0..batch.num_rows() {
            let time_ms = times.map_or(0, |times| time_ms(&**times, row));
            let cells: Vec<Cell<'_>> =
                others.iter().map(|at| Cell::of(&**batch.column(*at), row)).collect();
            let values: Vec<ValueRef<'_>> = cells.iter().map(Cell::value).collect();
            if index.add(time_ms, &values).map_err(internal)? == AddOutcome::Full {
                return Err(ExecError::ResourceLimit(format!(
                    "the rows that are to be aggregated take more than {max_bytes} bytes: filter \
                     them first, or raise query.memory_budget_bytes"
                )));
            }
        }
    }
    let id = SegmentId::new("rows", Interval::ETERNITY, Version(0), 0);
    let segment = index.snapshot(id);
    Ok(View { segment, memory_bytes: index.memory_bytes() })
}

fn column_type(name: &str, data_type: &DataType) -> Result<ColumnType> {
    Ok(match data_type {
        DataType::Int64 | DataType::Boolean | DataType::Timestamp(..) | DataType::Date32 => {
            ColumnType::Long
        }
        DataType::Float32 => ColumnType::Float,
        DataType::Float64 => ColumnType::Double,
        DataType::Utf8 | DataType::Utf8View | DataType::Null => ColumnType::String,
        DataType::List(items) if *items.data_type() == DataType::Utf8 => ColumnType::String,
        other => {
            return Err(ExecError::Unsupported(format!(
                "column '{name}' is of type {other}, which is not aggregated natively"
            )));
        }
    })
}

fn time_ms(times: &dyn Array, row: usize) -> i64 {
    if times.is_null(row) {
        return 0;
    }
    match Cell::of(times, row) {
        Cell::Value(ValueRef::Long(ms)) => ms,
        _ => 0,
    }
}

/// A value of a row, or the texts of one that has several.
enum Cell<'a> {
    Value(ValueRef<'a>),
    Refs(Vec<Option<&'a str>>),
}

impl<'a> Cell<'a> {
    fn of(array: &'a dyn Array, row: usize) -> Self {
        if array.is_null(row) {
            return Self::Value(ValueRef::Null);
        }
        Self::Value(match array.data_type() {
            DataType::Int64 => ValueRef::Long(array.as_primitive::<Int64Type>().value(row)),
            DataType::Boolean => ValueRef::Long(array.as_boolean().value(row).into()),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                ValueRef::Long(array.as_primitive::<TimestampMillisecondType>().value(row))
            }
            DataType::Date32 => {
                let days = array.as_primitive::<Date32Type>().value(row);
                ValueRef::Long(i64::from(days) * DAY_MS)
            }
            DataType::Float32 => {
                ValueRef::Double(array.as_primitive::<Float32Type>().value(row).into())
            }
            DataType::Float64 => ValueRef::Double(array.as_primitive::<Float64Type>().value(row)),
            DataType::Utf8 => ValueRef::String(array.as_string::<i32>().value(row)),
            DataType::Utf8View => ValueRef::String(array.as_string_view().value(row)),
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                let (start, end) = (lists.value_offsets()[row], lists.value_offsets()[row + 1]);
                let texts = lists.values().as_string::<i32>();
                let items = (start as usize)..(end as usize);
                return Self::Refs(
                    items.map(|item| texts.is_valid(item).then(|| texts.value(item))).collect(),
                );
            }
            _ => ValueRef::Null,
        })
    }

    fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Value(value) => *value,
            Self::Refs(texts) => ValueRef::Multi(texts),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
    use arrow_schema::{Field, Schema};
    use henge_exec::ExecContext;
    use henge_query::Query;
    use serde_json::{Value, json};

    use super::*;

    fn batch() -> (SchemaRef, RecordBatch) {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for items in [&["x", "y"][..], &["x"], &[]] {
            items.iter().for_each(|item| lists.values().append_value(item));
            lists.append(!items.is_empty());
        }
        let columns: [(&str, ArrayRef); 4] = [
            ("s", Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]))),
            ("n", Arc::new(Int64Array::from(vec![Some(1), Some(2), None]))),
            ("d", Arc::new(Float64Array::from(vec![0.5, 0.25, 4.0]))),
            ("m", Arc::new(lists.finish())),
        ];
        let fields =
            columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        (Arc::clone(&schema), RecordBatch::try_new(schema, arrays).unwrap())
    }

    fn answer(dimension: &str) -> Value {
        let query = json!({"queryType": "groupBy", "dataSource": "rows", "granularity": "all",
            "intervals": ["1960/2000"], "dimensions": [dimension], "aggregations": [
                {"type": "count", "name": "rows"},
                {"type": "longSum", "name": "n", "fieldName": "n"},
                {"type": "doubleMax", "name": "d", "fieldName": "d"}]});
        let query = Query::from_value(&query).unwrap();
        let (schema, batch) = batch();
        let view = view_of(&schema, &[batch.clone(), batch], 1 << 30).unwrap();
        let context = ExecContext::default();
        let partial = henge_exec::run(&query, &*view.segment, &context).unwrap();
        let merged = henge_exec::merge(&query, vec![partial], &context).unwrap();
        let answer = henge_exec::finalise(&query, merged, &context).unwrap();
        let text = henge_answer::to_json(&query, &answer).unwrap();
        let rows: Vec<Value> = serde_json::from_slice(&text).unwrap();
        rows.into_iter().map(|row| row["event"].clone()).collect()
    }

    #[test]
    fn rows_of_batches_are_grouped_like_those_of_segments() {
        assert_eq!(
            answer("s"),
            json!([
                {"s": null, "rows": 2, "n": 4, "d": 0.25},
                {"s": "a", "rows": 4, "n": 2, "d": 4.0},
            ])
        );
        let lists = answer("m");
        let shown: Vec<(&Value, &Value)> =
            lists.as_array().unwrap().iter().map(|row| (&row["m"], &row["rows"])).collect();
        assert_eq!(
            shown,
            [(&Value::Null, &json!(2)), (&json!("x"), &json!(4)), (&json!("y"), &json!(2))]
        );
    }

    #[test]
    fn rows_beyond_the_memory_of_a_query_are_refused() {
        let (schema, batch) = batch();
        let refused = view_of(&schema, &vec![batch; 1_000], 4_096);
        let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("query.memory_budget_bytes"), "{error}");
    }
}
