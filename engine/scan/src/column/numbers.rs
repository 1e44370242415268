//! Windows of numbers that are not stored: results of expressions, and text read as numbers.

use henge_expr::ExprValue;
use henge_expr::number::{double_to_long, parse_double, parse_long};
use henge_segment::{MultiScratch, NullMask, NumericBlock, NumericValues, StringColumn};

use super::arithmetic::{Number, NumberSink, for_each_value};
use super::{ExpressionReader, Window};
use crate::error::{ExecError, Result};
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
    fn set(&mut self, row: usize, value: Option<T>) {
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

/// A string column read as numbers. A row of several values has no number.
pub(crate) struct TextNumbers<'a, T> {
    column: &'a dyn StringColumn,
    parse: fn(&str) -> Option<T>,
    memo: DictionaryMemo<Option<T>>,
    numbers: Numbers<T>,
    ids: Vec<u32>,
    multi: MultiScratch,
}

impl<'a, T: Copy + Default> TextNumbers<'a, T> {
    pub(super) fn new(column: &'a dyn StringColumn, parse: fn(&str) -> Option<T>) -> Self {
        Self {
            column,
            parse,
            memo: DictionaryMemo::new(column.dictionary().len()),
            numbers: Numbers::default(),
            ids: Vec::new(),
            multi: MultiScratch::default(),
        }
    }

    /// True when rows hold lists of values.
    pub(super) fn reads_lists(&self) -> bool {
        self.column.is_multi_value()
    }

    pub(super) fn load(
        &mut self,
        window: Window,
        selection: Selection<'_>,
    ) -> Result<NumericBlock<'_, T>> {
        let Self { column, parse, memo, numbers, ids, multi } = self;
        let dictionary = column.dictionary();
        let mut number_of =
            |id: u32| memo.get(id, || Ok(dictionary.get(id)?.as_deref().and_then(*parse)));
        numbers.reset(window.capacity());
        if column.is_multi_value() {
            let lists = window.lists(*column, multi)?;
            selection.try_for_each(|row| {
                let value = match lists.row(row) {
                    [id] => number_of(*id)?,
                    _ => None,
                };
                numbers.set(row, value);
                Ok::<_, ExecError>(())
            })?;
        } else {
            let block_ids = window.ids(*column, ids)?;
            selection.try_for_each(|row| {
                numbers.set(row, number_of(block_ids.get(row))?);
                Ok::<_, ExecError>(())
            })?;
        }
        Ok(numbers.block())
    }
}

/// What is computed once per dictionary id and remembered.
#[derive(Debug)]
struct DictionaryMemo<T> {
    values: Vec<Option<T>>,
}

impl<T: Copy> DictionaryMemo<T> {
    fn new(id_count: u32) -> Self {
        Self { values: vec![None; id_count as usize] }
    }

    /// The result for an id, computed on first use.
    #[inline]
    fn get(&mut self, id: u32, compute: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.values.get(id as usize) {
            Some(Some(value)) => Ok(*value),
            _ => self.fill(id, compute),
        }
    }

    #[cold]
    fn fill(&mut self, id: u32, compute: impl FnOnce() -> Result<T>) -> Result<T> {
        let value = compute()?;
        if let Some(slot) = self.values.get_mut(id as usize) {
            *slot = Some(value);
        }
        Ok(value)
    }
}
