//! Distinct values by id, and columns of rows that name them.

use arrow_array::{Float64Array, Int64Array};

use crate::column::Column;
use crate::ids::{NodeIds, SegmentIds};
use crate::numbers::nulls_of;
use crate::text::Text;

/// The distinct values of a column; id 0 is null, value `i` has id `i + 1`.
#[derive(Debug, Clone)]
pub enum Distinct {
    /// LONG.
    Long(Vec<i64>),
    /// DOUBLE.
    Double(Vec<f64>),
    /// FLOAT, as doubles.
    WideFloat(Vec<f64>),
    /// STRING; the rows of the text mean nothing.
    Text(Text),
    /// STRING, by the ids of a segment's dictionary.
    SegmentIds(Vec<u32>),
    /// STRING, numbered by the node; the rows mean nothing.
    NodeIds(NodeIds),
}

impl Distinct {
    /// Number of ids, null's included.
    #[must_use]
    pub fn id_count(&self) -> usize {
        match self {
            Self::Long(values) => values.len() + 1,
            Self::Double(values) | Self::WideFloat(values) => values.len() + 1,
            Self::Text(text) => text.id_count(),
            Self::SegmentIds(ids) => ids.len() + 1,
            Self::NodeIds(keys) => keys.numbering().id_count(),
        }
    }

    /// The column of rows with these ids.
    #[must_use]
    pub fn rows(&self, ids: Vec<u32>) -> Column {
        match self {
            Self::Long(values) => {
                let nulls = nulls_of(ids.len(), |row| ids[row] != 0);
                let values: Vec<i64> = ids.into_iter().map(|id| by_id(values, id)).collect();
                Column::Long(Int64Array::new(values.into(), nulls))
            }
            Self::Double(values) => Column::Double(doubles(values, &ids)),
            Self::WideFloat(values) => Column::WideFloat(doubles(values, &ids)),
            Self::Text(text) => Column::Text(text.with_ids(ids)),
            Self::SegmentIds(values) => {
                let ids = ids.into_iter().map(|id| by_id(values, id)).collect();
                Column::SegmentIds(SegmentIds::new(ids))
            }
            Self::NodeIds(keys) => Column::NodeIds(keys.with_ids(ids)),
        }
    }
}

fn doubles(values: &[f64], ids: &[u32]) -> Float64Array {
    let nulls = nulls_of(ids.len(), |row| ids[row] != 0);
    let values: Vec<f64> = ids.iter().map(|&id| by_id(values, id)).collect();
    Float64Array::new(values.into(), nulls)
}

#[inline]
fn by_id<T: Copy + Default>(values: &[T], id: u32) -> T {
    if id == 0 { T::default() } else { values[id as usize - 1] }
}
