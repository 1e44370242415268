//! [`IndexSink`]: rows into the write-optimised index of their time chunk.

use henge_index::{AddOutcome, DimensionSchema, IndexError, IndexSchema, WriteIndex};
use henge_query::ingest::DataSchema;
use henge_types::{Granularity, Interval, ValueRef};

use crate::rejection::{RejectReason, Rejection, RowError, RowSink};

/// Owns the indexes, one or more per time chunk.
pub trait ChunkRouter {
    /// True when the chunk has an index.
    fn is_open(&self, chunk: Interval) -> bool;

    /// Chunks that have an index.
    fn open_chunks(&self) -> usize;

    /// The index that takes the chunk's rows; one is made (see [`index_schema`]) when there is
    /// none.
    ///
    /// # Errors
    /// When the row is refused, or no index can be had now.
    fn index_for(&mut self, chunk: Interval) -> Result<&mut WriteIndex, RowError>;

    /// The index of the chunk is full: puts it aside and returns an empty one.
    ///
    /// # Errors
    /// [`RowError::Stop`] when there is no room for another one: the source has to wait.
    fn next_index_for(&mut self, chunk: Interval) -> Result<&mut WriteIndex, RowError>;

    /// An event was refused.
    fn rejected(&mut self, rejection: Rejection<'_>);
}

/// The schema of an index that takes the rows of a parser with these dimensions.
#[must_use]
pub fn index_schema(schema: &DataSchema, dimensions: &[DimensionSchema]) -> IndexSchema {
    IndexSchema {
        dimensions: dimensions.to_vec(),
        metrics: schema.metrics_spec.clone(),
        query_granularity: schema.granularity_spec.query_granularity.clone(),
        rollup: schema.granularity_spec.rollup,
    }
}

/// Feeds the rows of one batch to the indexes of a router.
pub struct IndexSink<'a, R: ChunkRouter> {
    router: &'a mut R,
    dimensions: Vec<DimensionSchema>,
    segment_granularity: Granularity,
    max_open_chunks: usize,
    last_chunk: Option<Interval>,
}

impl<'a, R: ChunkRouter> IndexSink<'a, R> {
    /// Time chunks a source may have open at once, by default.
    pub const DEFAULT_MAX_OPEN_CHUNKS: usize = 1_000;

    /// A sink for a batch. `dimensions` are those of the parser
    /// ([`crate::RowParser::dimensions`]) before the batch.
    #[must_use]
    pub fn new(
        router: &'a mut R,
        dimensions: &[DimensionSchema],
        segment_granularity: Granularity,
        max_open_chunks: usize,
    ) -> Self {
        let dimensions = dimensions.to_vec();
        Self { router, dimensions, segment_granularity, max_open_chunks, last_chunk: None }
    }

    fn chunk_of(&mut self, timestamp_ms: i64) -> Result<Interval, RowError> {
        if let Some(last) = self.last_chunk
            && last.contains(timestamp_ms)
        {
            return Ok(last);
        }
        let chunk = self.segment_granularity.bucket(timestamp_ms);
        let open = self.router.open_chunks();
        if open >= self.max_open_chunks && !self.router.is_open(chunk) {
            return Err(RowError::Reject(RejectReason::TooManyChunks { open }));
        }
        self.last_chunk = Some(chunk);
        Ok(chunk)
    }
}

/// Adds a row to an index that may not know the latest dimensions yet.
fn add(
    index: &mut WriteIndex,
    dimensions: &[DimensionSchema],
    timestamp_ms: i64,
    values: &[ValueRef<'_>],
) -> Result<AddOutcome, RowError> {
    for missing in dimensions.get(index.dimensions().len()..).unwrap_or_default() {
        index.add_dimension(missing.clone()).map_err(|error| row_error(&error))?;
    }
    index.add(timestamp_ms, values).map_err(|error| row_error(&error))
}

fn row_error(error: &IndexError) -> RowError {
    match error {
        IndexError::Sketch { .. } => {
            RowError::Reject(RejectReason::Index { message: error.to_string() })
        }
        IndexError::Schema(_) | IndexError::Width { .. } => RowError::Stop(error.to_string()),
    }
}

impl<R: ChunkRouter> RowSink for IndexSink<'_, R> {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        let chunk = self.chunk_of(timestamp_ms)?;
        let index = self.router.index_for(chunk)?;
        if add(index, &self.dimensions, timestamp_ms, values)? != AddOutcome::Full {
            return Ok(());
        }
        let index = self.router.next_index_for(chunk)?;
        match add(index, &self.dimensions, timestamp_ms, values)? {
            AddOutcome::Full => Err(RowError::Stop("a new index is full already".to_owned())),
            _ => Ok(()),
        }
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        self.router.rejected(rejection);
    }

    fn new_dimension(&mut self, dimension: &DimensionSchema) {
        self.dimensions.push(dimension.clone());
    }
}

impl<R: ChunkRouter> std::fmt::Debug for IndexSink<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexSink").field("dimensions", &self.dimensions).finish_non_exhaustive()
    }
}
