//! What an index holds, and how much of it.

use henge_segment::metric::metric_input;
use henge_types::{ColumnType, Granularity, MetricSpec, TIME_COLUMN};

use crate::error::{IndexError, Result};

/// What to do with the order and the repetitions of a multi-value row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MultiValueHandling {
    /// Sort, keep repetitions.
    #[default]
    SortedArray,
    /// Sort, drop repetitions.
    SortedSet,
    /// Keep as it came.
    Array,
}

/// A dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimensionSchema {
    /// Column name.
    pub name: String,
    /// STRING, LONG, FLOAT or DOUBLE.
    pub column_type: ColumnType,
    /// For STRING.
    pub multi_value: MultiValueHandling,
    /// Whether segments made of this index get a bitmap index for it; the index itself has none.
    pub bitmap: bool,
}

impl DimensionSchema {
    /// A STRING dimension with the defaults.
    #[must_use]
    pub fn string(name: impl Into<String>) -> Self {
        Self::new(name, ColumnType::String)
    }

    /// A dimension with the defaults of its type: strings have a bitmap index.
    #[must_use]
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Self {
        let bitmap = column_type == ColumnType::String;
        let multi_value = MultiValueHandling::default();
        Self { name: name.into(), column_type, multi_value, bitmap }
    }
}

/// The columns of an index.
#[derive(Debug, Clone)]
pub struct IndexSchema {
    /// Dimensions, in sort order but for those of `before_time`.
    pub dimensions: Vec<DimensionSchema>,
    /// Names of the dimensions that segments made of this index are sorted by before the time, in
    /// order; the index keeps its rows as they come.
    pub before_time: Vec<String>,
    /// Metrics.
    pub metrics: Vec<MetricSpec>,
    /// What timestamps are truncated to.
    pub query_granularity: Granularity,
    /// Whether rows with equal truncated time and dimensions are combined.
    pub rollup: bool,
}

/// When an index is full. It takes the row that crosses a limit, then no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexLimits {
    /// Rows, after roll-up.
    pub max_rows: usize,
    /// Bytes of memory, dictionaries and sketches included; beyond 8 GiB it counts as 8 GiB.
    pub max_bytes: usize,
}

impl IndexSchema {
    /// Checks that columns have names of their own and types that an index can hold.
    ///
    /// # Errors
    /// [`IndexError::Schema`] names the column.
    pub fn validate(&self) -> Result<()> {
        let mut names: Vec<&str> = vec![TIME_COLUMN];
        names.extend(self.dimensions.iter().map(|dimension| dimension.name.as_str()));
        names.extend(self.metrics.iter().map(|metric| metric.name.as_str()));
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(IndexError::Schema(format!("column '{}' occurs twice", pair[0])));
        }
        self.dimensions.iter().try_for_each(validate_dimension)?;
        self.metrics.iter().try_for_each(validate_metric)
    }
}

fn validate_dimension(dimension: &DimensionSchema) -> Result<()> {
    if let ColumnType::Complex(name) = &dimension.column_type {
        return Err(IndexError::Schema(format!(
            "dimension '{}' is COMPLEX<{name}>: use STRING, LONG, FLOAT or DOUBLE",
            dimension.name
        )));
    }
    Ok(())
}

fn validate_metric(metric: &MetricSpec) -> Result<()> {
    let refuse = |error| IndexError::Schema(format!("metric '{}' {error}", metric.name));
    metric_input(&metric.kind).map(|_| ()).map_err(refuse)
}
