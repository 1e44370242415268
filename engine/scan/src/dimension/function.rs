//! Keys that are functions of other keys: computed from these, as they would be of the rows; and the
//! texts of keys that were grouped by as numbers.

use henge_query::{DimensionSpec, VirtualColumn};
use henge_types::ValueType;
use henge_types::number::equality_bits;
use henge_vector::{Column, Float64Array, Int64Array, optional};

use super::values::LocalValues;
use crate::cancel::CancelFlag;
use crate::column::{ExpressionSource, Source};
use crate::error::Result;
use crate::id_table::IdTable;

/// A dimension whose values follow from those of one column of integers, or from nothing.
#[derive(Debug)]
pub struct KeyFunction {
    source: ExpressionSource<'static>,
    inputs: usize,
    output: ValueType,
}

impl KeyFunction {
    /// The dimension over a virtual column that reads at most one column, which has one value a row;
    /// `None` when its results may be several.
    pub fn new(spec: &DimensionSpec, column: &VirtualColumn, cancel: &CancelFlag) -> Option<Self> {
        let inputs = column.expression.identifiers().len();
        let missing = (0..inputs).map(|_| Source::Missing).collect();
        let output_type = column.output_type;
        column.expression.is_scalar().then(|| Self {
            source: ExpressionSource::new(column.expression.clone(), missing, output_type, cancel),
            inputs,
            output: spec.output_type,
        })
    }

    /// The keys for these values of the column.
    ///
    /// # Errors
    /// Those of the expression.
    pub fn keys_of(&self, numbers: &Int64Array) -> Result<Column> {
        let mut values = LocalValues::new(self.output);
        let mut ids = Vec::with_capacity(numbers.len());
        for row in 0..numbers.len() {
            let number = optional(numbers, row).into();
            let value = self.source.of_inputs(&vec![number; self.inputs])?;
            ids.push(values.id_of(&value, self.output));
        }
        Ok(values.into_keys(ids, self.output, false))
    }

    /// The key of so many groups, when it depends on nothing.
    ///
    /// # Errors
    /// Those of the expression.
    pub fn constant(&self, groups: usize) -> Result<Column> {
        let mut values = LocalValues::new(self.output);
        let id = values.id_of(&self.source.of_inputs(&[])?, self.output);
        Ok(values.into_keys(vec![id; groups], self.output, false))
    }
}

/// Keys that are numbers as the text that groups of their column have; `None` for other keys. FLOATs
/// print as such.
pub fn texts_of_numbers(numbers: &Column, is_float: bool) -> Option<Column> {
    let mut table = IdTable::default();
    let mut number = |key: Option<u64>| key.map_or(0, |key| table.id_of(key) + 1);
    let (ids, values): (Vec<u32>, fn(IdTable) -> LocalValues) = match numbers {
        Column::Long(longs) => {
            let keys = (0..longs.len()).map(|row| optional(longs, row).map(|value| value as u64));
            (keys.map(&mut number).collect(), LocalValues::Long)
        }
        Column::Double(doubles) | Column::WideFloat(doubles) => {
            (double_bits(doubles).map(&mut number).collect(), LocalValues::Double)
        }
        Column::Null(_)
        | Column::Wide(_)
        | Column::Float(_)
        | Column::Text(_)
        | Column::Lists(_)
        | Column::Objects(_)
        | Column::Timed(_)
        | Column::Mixed(_)
        | Column::SegmentIds(_)
        | Column::NodeIds(_) => return None,
    };
    Some(values(table).into_keys(ids, ValueType::String, is_float))
}

fn double_bits(doubles: &Float64Array) -> impl Iterator<Item = Option<u64>> {
    (0..doubles.len()).map(move |row| optional(doubles, row).map(equality_bits))
}
