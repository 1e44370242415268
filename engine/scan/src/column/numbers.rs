//! Windows of numbers that are not stored.

use henge_expr::ExprValue;
use henge_expr::number::{double_to_long, parse_double, parse_long};
use henge_segment::{NullMask, NumericBlock, NumericValues};

use super::arithmetic::{Number, NumberSink, for_each_value};
use super::{ExpressionReader, Window};
use crate::error::Result;
use crate::key_space::PartIds;
use crate::selection::Selection;

/// A window of computed numbers.
#[derive(Debug, Default)]
pub(crate) struct Numbers<T> {
    values: Vec<T>,
    nulls: Vec<u64>,
    any_null: bool,
    /// Results of an expression, by the numbers its reader has for them.
    results: Vec<Option<T>>,
}

impl<T: Copy + Default> Numbers<T> {
    pub(super) fn reset(&mut self, rows: usize) {
        self.values.resize(rows, T::default());
        self.nulls.clear();
        self.nulls.resize(rows.div_ceil(64), 0);
        self.any_null = false;
    }

    #[inline]
    pub(super) fn set(&mut self, row: usize, value: Option<T>) {
        match value {
            Some(value) => self.values[row] = value,
            None => {
                self.nulls[row / 64] |= 1 << (row % 64);
                self.any_null = true;
            }
        }
    }

    /// Computes an expression for selected rows.
    pub(super) fn compute(
        &mut self,
        reader: &mut ExpressionReader<'_>,
        window: Window,
        selection: Selection<'_>,
        convert: fn(&ExprValue) -> Option<T>,
    ) -> Result<()> {
        self.reset(window.capacity());
        let results = &mut self.results;
        let few = reader.number(window, selection, &mut |value| {
            results.push(convert(value));
            results.len() as u32 - 1
        })?;
        if !few {
            self.results = Vec::new();
            return reader.for_each(window, selection, &mut |row, value| {
                self.set(row, convert(value));
                Ok(())
            });
        }
        let results = std::mem::take(&mut self.results);
        match reader.numbers() {
            PartIds::Constant(number) => {
                selection.for_each(|row| self.set(row, results[number as usize]));
            }
            PartIds::Rows(numbers) => {
                selection.for_each(|row| self.set(row, results[numbers[row] as usize]));
            }
        }
        self.results = results;
        Ok(())
    }

    pub(super) fn block(&self) -> NumericBlock<'_, T> {
        NumericBlock {
            values: NumericValues::Slice(&self.values),
            nulls: self.any_null.then_some(NullMask { words: &self.nulls }),
        }
    }
}

impl NumberSink for Numbers<i64> {
    #[inline]
    fn number(&mut self, row: usize, number: Option<Number>) {
        self.set(row, number.and_then(Number::as_long));
    }

    fn longs(&mut self, rows: Selection<'_>, values: &[i64]) {
        for_each_value(rows, values, |row, value| self.values[row] = value);
    }
}

impl NumberSink for Numbers<f64> {
    #[inline]
    fn number(&mut self, row: usize, number: Option<Number>) {
        self.set(row, number.map(Number::as_double));
    }

    fn doubles(&mut self, rows: Selection<'_>, values: &[f64]) {
        for_each_value(rows, values, |row, value| self.values[row] = value);
    }

    fn longs(&mut self, rows: Selection<'_>, values: &[i64]) {
        for_each_value(rows, values, |row, value| self.values[row] = value as f64);
    }
}

/// Text as an integer; decimals are truncated.
pub(crate) fn parse_text_long(text: &str) -> Option<i64> {
    parse_long(text).or_else(|| parse_double(text).and_then(double_to_long))
}
