//! First and last of stored pairs of a time and a value.

use std::sync::Arc;

use henge_query::aggregate::OneValue;
use henge_scan::{Batch, ExecError, Result, SlotId};
use henge_segment::ComplexColumn;
use henge_segment::metric::pair_of_bytes;
use henge_types::{ColumnType, MetricKind, OneOf};
use henge_vector::Column;

use crate::accumulator::{Accumulator, BlockInput};
use crate::merged::{KeptValue, KeptValues, MergedStates};
use crate::table::StateTable;

/// First or last of stored pairs.
struct StoredPairs<'a, V> {
    kept: KeptValues<V>,
    field: &'a str,
    column: &'a dyn ComplexColumn,
    max_bytes: usize,
}

impl<V: KeptValue> std::fmt::Debug for StoredPairs<'_, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredPairs").field("field", &self.field).finish_non_exhaustive()
    }
}

/// The accumulator over a stored column, which must hold pairs of the aggregator's type.
pub(super) fn accumulator<'a>(
    name: &str,
    spec: &'a OneValue,
    column: &'a dyn ComplexColumn,
) -> Result<Box<dyn Accumulator + 'a>> {
    let OneValue { value_type, max_string_bytes, .. } = spec;
    let (value_type, max_string_bytes) = (value_type.clone(), *max_string_bytes);
    let kind = MetricKind::OneValue { which: OneOf::Last, value_type, max_string_bytes };
    let readable =
        matches!(kind.column_type(), ColumnType::Complex(name) if name == column.type_name());
    if !readable {
        return Err(ExecError::Invalid(format!(
            "aggregator '{name}' cannot read column '{}', which holds {}",
            spec.field,
            column.type_name()
        )));
    }
    Ok(match &spec.value_type {
        ColumnType::Long => Box::new(StoredPairs::<i64>::new(spec, column)),
        ColumnType::Float => Box::new(StoredPairs::<f32>::new(spec, column)),
        ColumnType::Double => Box::new(StoredPairs::<f64>::new(spec, column)),
        ColumnType::String | ColumnType::Complex(_) => {
            Box::new(StoredPairs::<Arc<str>>::new(spec, column))
        }
    })
}

impl<'a, V: KeptValue> StoredPairs<'a, V> {
    fn new(spec: &'a OneValue, column: &'a dyn ComplexColumn) -> Self {
        let max_bytes = spec.max_string_bytes as usize;
        Self { kept: KeptValues::new(spec.which), field: &spec.field, column, max_bytes }
    }
}

impl<V: KeptValue> Accumulator for StoredPairs<'_, V> {
    fn slots(&self) -> Vec<SlotId> {
        Vec::new()
    }

    fn resize(&mut self, groups: usize) {
        self.kept.resize(groups);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let Self { kept, field, column, max_bytes } = self;
        batch.try_visit(|row, group| {
            let Some(bytes) = column.get(input.window.absolute(row))? else { return Ok(()) };
            let (time_ms, value) = pair_of_bytes::<V>(&bytes).ok_or_else(|| ExecError::Sketch {
                column: (*field).to_owned(),
                reason: "neither a time nor a value of the type".to_owned(),
            })?;
            kept.offer(group, time_ms, value.map(|value| value.cut(*max_bytes)));
            Ok(())
        })
    }

    fn memory_bytes(&self) -> usize {
        self.kept.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        Ok(self.kept.into_column(groups))
    }
}
