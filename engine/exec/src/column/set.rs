//! The columns that a query's dimensions and aggregators share: each is decoded once a block.

use henge_expr::ExprValue;
use henge_expr::number::{double_to_long, parse_double, parse_long};
use henge_query::AggregatorInput;
use henge_segment::{
    IdBlock, MultiBlock, MultiScratch, NullMask, NumericBlock, NumericColumn, NumericStats,
    NumericValues, PackedBlock, StringColumn,
};
use rustc_hash::FxHashMap;

use super::arithmetic::{Arithmetic, Number, NumberSink, for_each_value};
use super::{Columns, DictionaryMemo, ExpressionReader, Source, Window};
use crate::error::{ExecError, Result};
use crate::filter::Selection;
use crate::group::PartIds;

/// A column of a [`ColumnSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotId(usize);

/// The kind of number that text and expressions are turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumericType {
    Long,
    Double,
}

/// A window of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Loaded<'b> {
    /// Not asked for, or the segment lacks the column: all null.
    Nothing,
    Long(NumericBlock<'b, i64>),
    Float(NumericBlock<'b, f32>),
    Double(NumericBlock<'b, f64>),
    Ids(IdBlock<'b>),
    Multi(MultiBlock<'b>),
}

/// Statistics of one block of a stored numeric column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SlotStats {
    Long(NumericStats<i64>),
    Float(NumericStats<f32>),
    Double(NumericStats<f64>),
}

enum Slot<'a> {
    Missing,
    Long(&'a dyn NumericColumn<i64>, Vec<i64>),
    Float(&'a dyn NumericColumn<f32>, Vec<f32>),
    Double(&'a dyn NumericColumn<f64>, Vec<f64>),
    Ids(&'a dyn StringColumn, Vec<u32>),
    Multi(&'a dyn StringColumn, MultiScratch),
    /// Text read as numbers, parsed once per dictionary id.
    LongText(TextNumbers<'a, i64>),
    DoubleText(TextNumbers<'a, f64>),
    /// A virtual column or an aggregator's own expression.
    LongExpression(ExpressionReader<'a>, Numbers<i64>),
    DoubleExpression(ExpressionReader<'a>, Numbers<f64>),
    /// The same, when it is plain arithmetic.
    LongArithmetic(Arithmetic<'a>, Numbers<i64>),
    DoubleArithmetic(Arithmetic<'a>, Numbers<f64>),
}

/// Columns by slot.
#[derive(Default)]
pub(crate) struct ColumnSet<'a> {
    slots: Vec<Slot<'a>>,
    names: FxHashMap<String, SlotId>,
    wanted: Vec<bool>,
}

impl std::fmt::Debug for ColumnSet<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ColumnSet").field("names", &self.names).finish_non_exhaustive()
    }
}

impl<'a> ColumnSet<'a> {
    /// A slot for what a numeric aggregator reads. Stored numbers keep their type; text and
    /// expressions become `wanted`.
    pub(crate) fn numeric_input(
        &mut self,
        columns: &Columns<'a>,
        input: &AggregatorInput,
        wanted: NumericType,
    ) -> Result<SlotId> {
        let key = match input {
            AggregatorInput::Field(name) => format!("number {wanted:?} {name}"),
            AggregatorInput::Expression(expr) => format!("expression {wanted:?} {}", expr.text()),
        };
        if let Some(slot) = self.find(&key) {
            return Ok(slot);
        }
        let source = match input {
            AggregatorInput::Field(name) => columns.resolve(name)?,
            AggregatorInput::Expression(expr) => match expr.as_identifier() {
                Some(name) => columns.resolve(name)?,
                None => Source::Expression(columns.bind(expr, None)?),
            },
        };
        let slot = match (source, wanted) {
            (Source::String(column), NumericType::Long) => {
                Slot::LongText(TextNumbers::new(column, parse_text_long))
            }
            (Source::String(column), NumericType::Double) => {
                Slot::DoubleText(TextNumbers::new(column, parse_double))
            }
            (Source::Expression(source), NumericType::Long) => match source.arithmetic() {
                Some(arithmetic) => Slot::LongArithmetic(arithmetic, Numbers::default()),
                None => Slot::LongExpression(ExpressionReader::new(source), Numbers::default()),
            },
            (Source::Expression(source), NumericType::Double) => match source.arithmetic() {
                Some(arithmetic) => Slot::DoubleArithmetic(arithmetic, Numbers::default()),
                None => Slot::DoubleExpression(ExpressionReader::new(source), Numbers::default()),
            },
            (Source::Complex(_), _) => {
                return Err(ExecError::Invalid(format!(
                    "aggregator input '{key}' is a sketch column: use the sketch's own aggregator"
                )));
            }
            (stored, _) => stored_slot(&stored),
        };
        Ok(self.push(key, slot))
    }

    /// A slot for a stored column as it is; `source` must not be an expression or a sketch.
    pub(crate) fn stored(&mut self, name: &str, source: &Source<'a>) -> SlotId {
        let key = format!("stored {name}");
        match self.find(&key) {
            Some(slot) => slot,
            None => self.push(key, stored_slot(source)),
        }
    }

    fn find(&self, key: &str) -> Option<SlotId> {
        self.names.get(key).copied()
    }

    fn push(&mut self, key: String, slot: Slot<'a>) -> SlotId {
        let id = SlotId(self.slots.len());
        self.slots.push(slot);
        self.names.insert(key, id);
        id
    }

    /// True when a row of the slot may be null.
    pub(crate) fn has_nulls(&self, slot: SlotId) -> bool {
        match &self.slots[slot.0] {
            Slot::Long(column, _) => column.has_nulls(),
            Slot::Float(column, _) => column.has_nulls(),
            Slot::Double(column, _) => column.has_nulls(),
            _ => true,
        }
    }

    /// True when statistics say that a slot holds integers above 0 only.
    pub(crate) fn is_positive(&self, slot: SlotId, block_count: usize) -> Result<bool> {
        let Slot::Long(column, _) = &self.slots[slot.0] else { return Ok(false) };
        for block in 0..block_count {
            if !column.stats(block)?.is_some_and(|stats| stats.min > 0 && stats.null_count == 0) {
                return Ok(false);
            }
        }
        Ok(block_count > 0)
    }

    /// Statistics of a block, when they are kept.
    pub(crate) fn stats(&self, slot: SlotId, block: usize) -> Result<Option<SlotStats>> {
        Ok(match &self.slots[slot.0] {
            Slot::Long(column, _) => column.stats(block)?.map(SlotStats::Long),
            Slot::Float(column, _) => column.stats(block)?.map(SlotStats::Float),
            Slot::Double(column, _) => column.stats(block)?.map(SlotStats::Double),
            _ => None,
        })
    }

    /// A stored column's block as packed integers whose quotients are the values, when it is
    /// stored so. Floats are not the quotients but what these round to.
    pub(crate) fn packed(&self, slot: SlotId, block: usize) -> Result<Option<PackedBlock<'_>>> {
        Ok(match &self.slots[slot.0] {
            Slot::Long(column, _) => column.packed(block)?,
            Slot::Double(column, _) => column.packed(block)?,
            _ => None,
        })
    }

    /// True when a slot reads lists of ids, which are decoded a block at a time.
    pub(crate) fn reads_lists(&self) -> bool {
        self.slots.iter().any(|slot| match slot {
            Slot::Multi(..) => true,
            Slot::LongText(text) => text.column.is_multi_value(),
            Slot::DoubleText(text) => text.column.is_multi_value(),
            Slot::LongExpression(reader, _) => reader.reads_lists(),
            Slot::DoubleExpression(reader, _) => reader.reads_lists(),
            _ => false,
        })
    }

    /// Decodes some slots of a window. Computed columns are computed for selected rows only.
    pub(crate) fn load(
        &mut self,
        window: Window,
        selection: Selection<'_>,
        wanted: impl Iterator<Item = SlotId>,
    ) -> Result<LoadedBlock<'_>> {
        self.wanted.clear();
        self.wanted.resize(self.slots.len(), false);
        wanted.for_each(|slot| self.wanted[slot.0] = true);
        let mut slots = Vec::with_capacity(self.slots.len());
        for (slot, wanted) in self.slots.iter_mut().zip(&self.wanted) {
            slots.push(if *wanted { load_slot(slot, window, selection)? } else { Loaded::Nothing });
        }
        Ok(LoadedBlock { slots })
    }
}

/// The decoded slots of a window.
#[derive(Debug)]
pub(crate) struct LoadedBlock<'b> {
    slots: Vec<Loaded<'b>>,
}

impl<'b> LoadedBlock<'b> {
    pub(crate) fn get(&self, slot: SlotId) -> Loaded<'b> {
        self.slots[slot.0]
    }
}

fn stored_slot<'a>(source: &Source<'a>) -> Slot<'a> {
    match *source {
        Source::Long(column) => Slot::Long(column, Vec::new()),
        Source::Float(column) => Slot::Float(column, Vec::new()),
        Source::Double(column) => Slot::Double(column, Vec::new()),
        Source::String(column) if column.is_multi_value() => {
            Slot::Multi(column, MultiScratch::default())
        }
        Source::String(column) => Slot::Ids(column, Vec::new()),
        Source::Missing | Source::Complex(_) | Source::Expression(_) => Slot::Missing,
    }
}

fn load_slot<'b>(
    slot: &'b mut Slot<'_>,
    window: Window,
    selection: Selection<'_>,
) -> Result<Loaded<'b>> {
    Ok(match slot {
        Slot::Missing => Loaded::Nothing,
        Slot::Long(column, scratch) => Loaded::Long(window.numbers(*column, scratch)?),
        Slot::Float(column, scratch) => Loaded::Float(window.numbers(*column, scratch)?),
        Slot::Double(column, scratch) => Loaded::Double(window.numbers(*column, scratch)?),
        Slot::Ids(column, scratch) => Loaded::Ids(window.ids(*column, scratch)?),
        Slot::Multi(column, scratch) => Loaded::Multi(window.lists(*column, scratch)?),
        Slot::LongText(text) => Loaded::Long(text.load(window, selection)?),
        Slot::DoubleText(text) => Loaded::Double(text.load(window, selection)?),
        Slot::LongExpression(reader, numbers) => {
            numbers.compute(reader, window, selection, ExprValue::as_long)?;
            Loaded::Long(numbers.block())
        }
        Slot::DoubleExpression(reader, numbers) => {
            numbers.compute(reader, window, selection, ExprValue::as_double)?;
            Loaded::Double(numbers.block())
        }
        Slot::LongArithmetic(arithmetic, numbers) => {
            numbers.reset(window.capacity());
            arithmetic.for_each(window, selection, numbers)?;
            Loaded::Long(numbers.block())
        }
        Slot::DoubleArithmetic(arithmetic, numbers) => {
            numbers.reset(window.capacity());
            arithmetic.for_each(window, selection, numbers)?;
            Loaded::Double(numbers.block())
        }
    })
}

/// Text as an integer; decimals are truncated.
pub(crate) fn parse_text_long(text: &str) -> Option<i64> {
    parse_long(text).or_else(|| parse_double(text).and_then(double_to_long))
}

/// A window of computed numbers.
#[derive(Debug, Default)]
struct Numbers<T> {
    values: Vec<T>,
    nulls: Vec<u64>,
    any_null: bool,
    /// Results of an expression, by the numbers its reader has for them.
    results: Vec<Option<T>>,
}

impl<T: Copy + Default> Numbers<T> {
    fn reset(&mut self, rows: usize) {
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
    fn compute(
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

    fn block(&self) -> NumericBlock<'_, T> {
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

/// A string column read as numbers. A row of several values has no number.
struct TextNumbers<'a, T> {
    column: &'a dyn StringColumn,
    parse: fn(&str) -> Option<T>,
    memo: DictionaryMemo<Option<T>>,
    numbers: Numbers<T>,
    ids: Vec<u32>,
    multi: MultiScratch,
}

impl<'a, T: Copy + Default> TextNumbers<'a, T> {
    fn new(column: &'a dyn StringColumn, parse: fn(&str) -> Option<T>) -> Self {
        Self {
            column,
            parse,
            memo: DictionaryMemo::new(column.dictionary().len()),
            numbers: Numbers::default(),
            ids: Vec::new(),
            multi: MultiScratch::default(),
        }
    }

    fn load(&mut self, window: Window, selection: Selection<'_>) -> Result<NumericBlock<'_, T>> {
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
