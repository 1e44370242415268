//! A generation: all that a datasource buffers of a source between two hand-offs. It covers a range of
//! positions in each partition, and its chunks are published one by one (ADR 18).

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_index::IndexSchema;
use henge_platform::runtime::{Charge, MemoryAccount};
use henge_types::Interval;

use super::known::KnownColumns;
use super::schema::DatasourceSchema;
use super::source::{Positions, Remembered};
use crate::options::RealtimeOptions;
use crate::sink::{PartFiles, Sink};

/// What is buffered between two hand-offs.
#[derive(Debug)]
pub(crate) struct Generation {
    /// How its events became rows.
    pub(crate) schema: Arc<DatasourceSchema>,
    /// The positions before its first events; partitions that are not named begin with it.
    pub(crate) start: Positions,
    /// The positions of its last events.
    pub(crate) end: Positions,
    /// Sinks by start and end of their chunk. A chunk may lie in another: the wider one came to be
    /// there after the sink of the narrower one was opened.
    pub(crate) sinks: BTreeMap<(i64, i64), Arc<Sink>>,
    /// Rows added.
    pub(crate) rows: usize,
    /// Bytes of the requests that brought them.
    pub(crate) request_bytes: u64,
    /// When the first event was added.
    pub(crate) opened_ms: Option<i64>,
    /// What is published with it.
    pub(crate) remembered: Vec<Remembered>,
    /// Columns that events brought, beyond those of the schema. Their types do not change within a
    /// generation: a segment has one type a column.
    pub(crate) known: Arc<KnownColumns>,
    /// The memory of its indexes.
    pub(crate) held: Charge,
    columns: Option<Arc<IndexSchema>>,
}

impl Generation {
    /// An empty one that goes on where the last one ended.
    #[must_use]
    pub(crate) fn new(
        schema: Arc<DatasourceSchema>,
        start: Positions,
        known: Arc<KnownColumns>,
        account: &MemoryAccount,
    ) -> Self {
        Self {
            schema,
            end: start.clone(),
            start,
            sinks: BTreeMap::new(),
            rows: 0,
            request_bytes: 0,
            opened_ms: None,
            remembered: Vec::new(),
            known,
            held: account.nothing(),
            columns: None,
        }
    }

    /// A sink whose chunk holds all of `chunk`.
    #[must_use]
    pub(crate) fn sink_for(&self, chunk: Interval) -> Option<&Arc<Sink>> {
        let before = self.sinks.range(..=(chunk.start_ms, i64::MAX)).rev();
        before.map(|(_, sink)| sink).find(|sink| sink.chunk.contains_interval(&chunk))
    }

    /// Adds a sink.
    pub(crate) fn insert(&mut self, sink: Arc<Sink>) {
        self.sinks.insert((sink.chunk.start_ms, sink.chunk.end_ms), sink);
    }

    /// Rows and bytes in the indexes in front of the sinks.
    #[must_use]
    pub(crate) fn in_memory(&self) -> (usize, usize) {
        self.sinks
            .values()
            .map(|sink| sink.in_memory())
            .fold((0, 0), |(rows, bytes), (r, b)| (rows + r, bytes + b))
    }

    /// The columns that sinks have now, one schema for all of them.
    #[must_use]
    pub(crate) fn columns(&mut self) -> Arc<IndexSchema> {
        let known = self.schema.index_schema.dimensions.len() + self.known.dimensions.len();
        match &self.columns {
            Some(columns) if columns.dimensions.len() == known => Arc::clone(columns),
            _ => Arc::clone(self.columns.insert(Arc::new(self.index_schema()))),
        }
    }

    /// The columns that sinks have now.
    #[must_use]
    pub(crate) fn index_schema(&self) -> IndexSchema {
        let mut schema = self.schema.index_schema.clone();
        schema.dimensions.extend(self.known.dimensions.iter().cloned());
        schema
    }

    /// How parts and segments of its sinks are written.
    #[must_use]
    pub(crate) fn part_files(&self, options: &RealtimeOptions) -> PartFiles {
        let projections = &self.schema.data_schema.projections;
        PartFiles::new(&self.index_schema(), projections, options)
    }
}
