//! One column of a set: a stored one, or numbers that are computed from others.

use henge_expr::ExprValue;
use henge_segment::{
    IdBlock, MultiBlock, MultiScratch, NumericBlock, NumericColumn, NumericStats, PackedBlock,
    StringColumn,
};

use super::arithmetic::Arithmetic;
use super::numbers::Numbers;
use super::text_numbers::TextNumbers;
use super::{ExpressionReader, Source, Window};
use crate::error::Result;
use crate::selection::Selection;

/// A window of a column.
#[derive(Debug, Clone, Copy)]
pub enum Loaded<'b> {
    /// Not asked for, or the segment lacks the column: all null.
    Nothing,
    /// LONG values.
    Long(NumericBlock<'b, i64>),
    /// FLOAT values.
    Float(NumericBlock<'b, f32>),
    /// DOUBLE values.
    Double(NumericBlock<'b, f64>),
    /// Ids of a dictionary.
    Ids(IdBlock<'b>),
    /// Lists of ids of a dictionary.
    Multi(MultiBlock<'b>),
}

/// Statistics of one block of a stored numeric column.
#[derive(Debug, Clone, Copy)]
pub enum SlotStats {
    /// Of a LONG column.
    Long(NumericStats<i64>),
    /// Of a FLOAT column.
    Float(NumericStats<f32>),
    /// Of a DOUBLE column.
    Double(NumericStats<f64>),
}

/// What a column of a set is of, with room for a window of it.
pub(super) enum Slot<'a> {
    Missing,
    Long(&'a dyn NumericColumn<i64>, Vec<i64>),
    Float(&'a dyn NumericColumn<f32>, Vec<f32>),
    Double(&'a dyn NumericColumn<f64>, Vec<f64>),
    Ids(&'a dyn StringColumn, Vec<u32>),
    Multi(&'a dyn StringColumn, MultiScratch),
    /// Numbers that follow from a text, found once per dictionary id.
    LongText(TextNumbers<'a, i64>),
    DoubleText(TextNumbers<'a, f64>),
    /// A virtual column or an aggregator's own expression.
    LongExpression(ExpressionReader<'a>, Numbers<i64>),
    DoubleExpression(ExpressionReader<'a>, Numbers<f64>),
    /// The same, when it is plain arithmetic.
    LongArithmetic(Arithmetic<'a>, Numbers<i64>),
    DoubleArithmetic(Arithmetic<'a>, Numbers<f64>),
}

impl<'a> Slot<'a> {
    /// A stored column as it is.
    pub(super) fn stored(source: &Source<'a>) -> Self {
        match *source {
            Source::Long(column) => Self::Long(column, Vec::new()),
            Source::Float(column) => Self::Float(column, Vec::new()),
            Source::Double(column) => Self::Double(column, Vec::new()),
            Source::String(column) if column.is_multi_value() => {
                Self::Multi(column, MultiScratch::default())
            }
            Source::String(column) => Self::Ids(column, Vec::new()),
            Source::Missing | Source::Pairs(_) | Source::Complex(_) | Source::Expression(_) => {
                Self::Missing
            }
        }
    }

    /// True when a row may be null.
    pub(super) fn has_nulls(&self) -> bool {
        match self {
            Self::Long(column, _) => column.has_nulls(),
            Self::Float(column, _) => column.has_nulls(),
            Self::Double(column, _) => column.has_nulls(),
            _ => true,
        }
    }

    /// True when statistics say that it holds integers above 0 only.
    pub(super) fn is_positive(&self, block_count: usize) -> Result<bool> {
        let Self::Long(column, _) = self else { return Ok(false) };
        for block in 0..block_count {
            if !column.stats(block)?.is_some_and(|stats| stats.min > 0 && stats.null_count == 0) {
                return Ok(false);
            }
        }
        Ok(block_count > 0)
    }

    /// Statistics of a block, when they are kept.
    pub(super) fn stats(&self, block: usize) -> Result<Option<SlotStats>> {
        Ok(match self {
            Self::Long(column, _) => column.stats(block)?.map(SlotStats::Long),
            Self::Float(column, _) => column.stats(block)?.map(SlotStats::Float),
            Self::Double(column, _) => column.stats(block)?.map(SlotStats::Double),
            _ => None,
        })
    }

    /// A stored column's block as packed integers whose quotients are the values, when it is
    /// stored so. Floats are not the quotients but what these round to.
    pub(super) fn packed(&self, block: usize) -> Result<Option<PackedBlock<'_>>> {
        Ok(match self {
            Self::Long(column, _) => column.packed(block)?,
            Self::Double(column, _) => column.packed(block)?,
            _ => None,
        })
    }

    /// True when it reads lists of ids.
    pub(super) fn reads_lists(&self) -> bool {
        match self {
            Self::Multi(..) => true,
            Self::LongText(text) => text.reads_lists(),
            Self::DoubleText(text) => text.reads_lists(),
            Self::LongExpression(reader, _) => reader.reads_lists(),
            Self::DoubleExpression(reader, _) => reader.reads_lists(),
            _ => false,
        }
    }

    /// Decodes a window. Computed columns are computed for selected rows only.
    pub(super) fn load<'b>(
        &'b mut self,
        window: Window,
        selection: Selection<'_>,
    ) -> Result<Loaded<'b>> {
        Ok(match self {
            Self::Missing => Loaded::Nothing,
            Self::Long(column, scratch) => Loaded::Long(window.numbers(*column, scratch)?),
            Self::Float(column, scratch) => Loaded::Float(window.numbers(*column, scratch)?),
            Self::Double(column, scratch) => Loaded::Double(window.numbers(*column, scratch)?),
            Self::Ids(column, scratch) => Loaded::Ids(window.ids(*column, scratch)?),
            Self::Multi(column, scratch) => Loaded::Multi(window.lists(*column, scratch)?),
            Self::LongText(text) => Loaded::Long(text.load(window, selection)?),
            Self::DoubleText(text) => Loaded::Double(text.load(window, selection)?),
            Self::LongExpression(reader, numbers) => {
                numbers.compute(reader, window, selection, ExprValue::as_long)?;
                Loaded::Long(numbers.block())
            }
            Self::DoubleExpression(reader, numbers) => {
                numbers.compute(reader, window, selection, ExprValue::as_double)?;
                Loaded::Double(numbers.block())
            }
            Self::LongArithmetic(arithmetic, numbers) => {
                numbers.reset(window.capacity());
                arithmetic.for_each(window, selection, numbers)?;
                Loaded::Long(numbers.block())
            }
            Self::DoubleArithmetic(arithmetic, numbers) => {
                numbers.reset(window.capacity());
                arithmetic.for_each(window, selection, numbers)?;
                Loaded::Double(numbers.block())
            }
        })
    }
}
