//! Taking snapshots of the writer.

use std::collections::HashMap;
use std::sync::Arc;

use henge_types::{ColumnRole, ColumnSchema, ColumnType, SegmentId, SegmentSchema, TIME_COLUMN};

use super::WriteIndex;
use crate::dimension::Dimension;
use crate::snapshot::{AllNull, IndexSnapshot, SnapshotColumn};

impl WriteIndex {
    /// The rows as they are now. Cheap: it shares all but the newest rows with the writer, and
    /// nothing the writer does later shows in it.
    pub fn snapshot(&mut self, id: SegmentId) -> Arc<IndexSnapshot> {
        if let Some(latest) = self.latest.as_ref().filter(|latest| latest.id == id) {
            return Arc::clone(latest);
        }
        let snapshot = Arc::new(IndexSnapshot {
            id,
            schema: self.segment_schema(),
            row_count: self.rows,
            event_count: self.events,
            time_range: self.time_range,
            max_event_time_ms: self.max_event_time_ms,
            is_time_sorted: self.is_time_sorted,
            size_bytes: self.memory_bytes(),
            columns: self.snapshot_columns(),
            all_null: AllNull::default(),
        });
        self.latest = Some(Arc::clone(&snapshot));
        snapshot
    }

    fn snapshot_columns(&mut self) -> HashMap<String, SnapshotColumn> {
        let mut columns = HashMap::with_capacity(1 + self.begun + self.metrics.len());
        columns.insert(TIME_COLUMN.to_owned(), self.time.snapshot().into());
        let dimensions = self.schema.dimensions.iter().zip(&mut self.dimensions).enumerate();
        for (number, (schema, dimension)) in dimensions {
            if number < self.declared || !dimension.is_absent() {
                columns.insert(schema.name.clone(), dimension.snapshot());
            }
        }
        for metric in &self.metrics {
            columns.insert(metric.spec().name.clone(), metric.snapshot());
        }
        columns
    }

    fn segment_schema(&self) -> SegmentSchema {
        let time = ColumnSchema {
            name: TIME_COLUMN.to_owned(),
            column_type: ColumnType::Long,
            role: ColumnRole::Time,
            multi_value: false,
            has_nulls: false,
        };
        let dimensions = self.schema.dimensions.iter().zip(&self.dimensions).enumerate();
        let is_shown =
            |number: usize, column: &Dimension| number < self.declared || !column.is_absent();
        let dimensions = dimensions.filter(|(number, (_, column))| is_shown(*number, column));
        let dimensions = dimensions.map(|(_, (schema, dimension))| ColumnSchema {
            name: schema.name.clone(),
            column_type: schema.column_type.clone(),
            role: ColumnRole::Dimension,
            multi_value: dimension.is_multi_value(),
            has_nulls: dimension.has_nulls(self.rows),
        });
        let metrics = self.metrics.iter().map(|metric| ColumnSchema {
            name: metric.spec().name.clone(),
            column_type: metric.spec().kind.column_type(),
            role: ColumnRole::Metric,
            multi_value: false,
            has_nulls: metric.has_nulls(),
        });
        let mut schema = SegmentSchema {
            columns: std::iter::once(time).chain(dimensions).chain(metrics).collect(),
            metrics: self.schema.metrics.clone(),
            rollup: self.schema.rollup,
            query_granularity: self.schema.query_granularity.clone(),
        };
        schema.sort_before_time(&self.schema.before_time);
        schema
    }
}
