//! The schema that can hold the rows of several segments.

use henge_types::{ColumnRole, ColumnSchema, ColumnType, SegmentSchema, ValueType};

use crate::error::{Result, SegmentError};

/// Unites schemas: `__time`, then the dimensions in order of first appearance, then the metrics.
/// Roll-up and query granularity are those of the first.
///
/// # Errors
/// `Invalid` without schemas, or when a column is a sketch in one and something else in another.
pub fn combine_schemas(schemas: &[&SegmentSchema]) -> Result<SegmentSchema> {
    let Some((first, others)) = schemas.split_first() else {
        return Err(SegmentError::Invalid("no schemas to combine".into()));
    };
    let mut combined = (*first).clone();
    for schema in others {
        for column in &schema.columns {
            match combined.columns.iter_mut().find(|known| known.name == column.name) {
                Some(known) => unite(known, column)?,
                None => combined.columns.push(column.clone()),
            }
        }
        for metric in &schema.metrics {
            if combined.metrics.iter().all(|known| known.name != metric.name) {
                combined.metrics.push(metric.clone());
            }
        }
    }
    for column in &mut combined.columns {
        let everywhere = schemas.iter().all(|schema| schema.position(&column.name).is_some());
        column.has_nulls |= !everywhere;
    }
    combined.columns.sort_by_key(|column| match column.role {
        ColumnRole::Time => 0,
        ColumnRole::Dimension => 1,
        ColumnRole::Metric => 2,
    });
    Ok(combined)
}

fn unite(known: &mut ColumnSchema, other: &ColumnSchema) -> Result<()> {
    use ValueType::{Double, Float, Long, String};
    let united = match (known.column_type.value_type(), other.column_type.value_type()) {
        _ if known.column_type == other.column_type => known.column_type.clone(),
        (None, _) | (_, None) => {
            return Err(SegmentError::Invalid(format!(
                "column '{}' is {} in one segment and {} in another",
                known.name, known.column_type, other.column_type
            )));
        }
        (Some(String), _) | (_, Some(String)) => ColumnType::String,
        (Some(Long | Float | Double), _) => ColumnType::Double,
    };
    known.column_type = united;
    known.multi_value |= other.multi_value;
    known.has_nulls |= other.has_nulls;
    Ok(())
}
