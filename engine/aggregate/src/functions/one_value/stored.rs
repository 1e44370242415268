//! First and last of stored pairs of a time and a value.

use std::sync::Arc;

use henge_query::aggregate::OneValue;
use henge_scan::{Batch, Columns, ExecError, Pairs, Result, SlotId};
use henge_segment::ComplexColumn;
use henge_segment::metric::pair_of_bytes;
use henge_types::{OneOf, TIME_COLUMN, ValueType};
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

/// The accumulator over stored pairs, which must be of the aggregator's type and have their own times.
pub(super) fn accumulator<'a>(
    spec: &'a OneValue,
    pairs: &Pairs<'a>,
    columns: &Columns<'a>,
) -> Result<Box<dyn Accumulator + 'a>> {
    let column = pairs.column();
    if pairs.value_type() != spec.value_type {
        return Err(columns.unreadable(&spec.field, column));
    }
    if spec.which != OneOf::Any && spec.time_column != TIME_COLUMN {
        return Err(ExecError::Invalid(format!(
            "timeColumn '{}' has no effect on column '{}', whose values were stored with the times \
             of their events: leave timeColumn out",
            spec.time_column, spec.field
        )));
    }
    Ok(match &spec.value_type {
        ValueType::Long => Box::new(StoredPairs::<i64>::new(spec, column)),
        ValueType::Float => Box::new(StoredPairs::<f32>::new(spec, column)),
        ValueType::Double => Box::new(StoredPairs::<f64>::new(spec, column)),
        ValueType::String => Box::new(StoredPairs::<Arc<str>>::new(spec, column)),
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
