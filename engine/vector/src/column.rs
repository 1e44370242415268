//! [`Column`]: the kinds of values that travel between stages.

use arrow_array::{Array, Decimal128Array, Float32Array, Float64Array, Int64Array};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use henge_expr::ExprValue;

use crate::ids::{NodeIds, SegmentIds};
use crate::lists::Lists;
use crate::objects::Objects;
use crate::text::Text;
use crate::timed::Timed;

/// The type of [`Column::Wide`]: integers of 128 bits.
pub(crate) const WIDE_TYPE: DataType = DataType::Decimal128(38, 0);

/// Values of one kind, one a row. A clone shares what is in arrays.
#[derive(Debug, Clone)]
pub enum Column {
    /// Every row is null: so many rows of a column that a segment lacks.
    Null(usize),
    /// LONG, `__time` as milliseconds, counts, long sums, minima and maxima.
    Long(Int64Array),
    /// Long sums of which one at least is beyond 64 bits so far: what is merged with it may bring it
    /// back. Only a finished answer is refused for it.
    Wide(Decimal128Array),
    /// FLOAT, as stored.
    Float(Float32Array),
    /// DOUBLE. In keys -0 was made 0 and NaNs were made one.
    Double(Float64Array),
    /// FLOAT while it is computed with: keys and states, which are doubles until they are shown.
    WideFloat(Float64Array),
    /// STRING, one value a row.
    Text(Text),
    /// STRING, several values a row.
    Lists(Lists),
    /// COMPLEX: sketches, and what is stored of them.
    Objects(Objects),
    /// Values with their times: states of first, last and any.
    Timed(Timed),
    /// Values of an expression, each of its own type.
    Mixed(Vec<ExprValue>),
    /// STRING, as ids of the dictionary of the one segment that all rows are of.
    SegmentIds(SegmentIds),
    /// STRING, as ids of a node-wide dictionary.
    NodeIds(NodeIds),
}

impl Column {
    /// Longs, null where `nulls` says so.
    #[must_use]
    pub fn longs(values: Vec<i64>, nulls: Option<NullBuffer>) -> Self {
        Self::Long(Int64Array::new(values.into(), nulls))
    }

    /// Doubles, null where `nulls` says so.
    #[must_use]
    pub fn doubles(values: Vec<f64>, nulls: Option<NullBuffer>) -> Self {
        Self::Double(Float64Array::new(values.into(), nulls))
    }

    /// FLOATs kept as doubles, null where `nulls` says so.
    #[must_use]
    pub fn wide_floats(values: Vec<f64>, nulls: Option<NullBuffer>) -> Self {
        Self::WideFloat(Float64Array::new(values.into(), nulls))
    }

    /// FLOATs, null where `nulls` says so.
    #[must_use]
    pub fn floats(values: Vec<f32>, nulls: Option<NullBuffer>) -> Self {
        Self::Float(Float32Array::new(values.into(), nulls))
    }

    /// Integers of 128 bits, as narrow as they may be.
    #[must_use]
    pub fn of_wide(values: Vec<i128>, nulls: Option<NullBuffer>) -> Self {
        match values.iter().map(|value| i64::try_from(*value)).collect() {
            Ok(values) => Self::longs(values, nulls),
            Err(_) => Self::Wide(wide_array(values, nulls)),
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Null(rows) => *rows,
            Self::Long(values) => values.len(),
            Self::Wide(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Double(values) | Self::WideFloat(values) => values.len(),
            Self::Text(text) => text.len(),
            Self::Lists(lists) => lists.len(),
            Self::Objects(objects) => objects.len(),
            Self::Timed(timed) => timed.len(),
            Self::Mixed(values) => values.len(),
            Self::SegmentIds(keys) => keys.ids().len(),
            Self::NodeIds(keys) => keys.ids().len(),
        }
    }

    /// True when all values are LONG, DOUBLE or FLOAT as they are computed with: keys of numbers.
    #[must_use]
    pub fn holds_numbers(&self) -> bool {
        match self {
            Self::Long(_) | Self::Double(_) | Self::WideFloat(_) => true,
            Self::Null(_)
            | Self::Wide(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Lists(_)
            | Self::Objects(_)
            | Self::Timed(_)
            | Self::Mixed(_)
            | Self::SegmentIds(_)
            | Self::NodeIds(_) => false,
        }
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when the row's value is null; a sketch of no values is none.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null(_) => true,
            Self::Long(values) => values.is_null(row),
            Self::Wide(values) => values.is_null(row),
            Self::Float(values) => values.is_null(row),
            Self::Double(values) | Self::WideFloat(values) => values.is_null(row),
            Self::Text(text) => text.ids()[row] == 0,
            Self::Lists(lists) => lists.row(row).is_empty(),
            Self::Objects(objects) => objects.is_null(row),
            Self::Timed(timed) => timed.values().is_null(row),
            Self::Mixed(values) => values[row].is_null(),
            Self::SegmentIds(keys) => keys.ids()[row] == 0,
            Self::NodeIds(keys) => keys.ids()[row] == 0,
        }
    }

    /// What the values are, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null(_) => "null",
            Self::Long(_) => "long",
            Self::Wide(_) => "wide",
            Self::Float(_) => "float",
            Self::Double(_) => "double",
            Self::WideFloat(_) => "wide_float",
            Self::Text(_) => "text",
            Self::Lists(_) => "lists",
            Self::Objects(objects) => objects.kind(),
            Self::Timed(_) => "timed",
            Self::Mixed(_) => "mixed",
            Self::SegmentIds(_) => "segment_ids",
            Self::NodeIds(_) => "node_ids",
        }
    }
}

pub(crate) fn wide_array(values: Vec<i128>, nulls: Option<NullBuffer>) -> Decimal128Array {
    Decimal128Array::new(values.into(), nulls).with_data_type(WIDE_TYPE)
}
