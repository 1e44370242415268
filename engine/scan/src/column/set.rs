//! The columns that a query's dimensions and aggregators share: each is decoded once a block.

use henge_expr::ExprValue;
use henge_expr::number::parse_double;
use henge_query::AggregatorInput;
use henge_segment::PackedBlock;
use henge_types::parse_timestamp_ms;
use rustc_hash::FxHashMap;

use super::arithmetic::Arithmetic;
use super::numbers::{Numbers, parse_text_long};
use super::slot::{Loaded, Slot, SlotStats};
use super::text_numbers::{TextFunction, TextNumbers};
use super::{Columns, ExpressionReader, ExpressionSource, Source, Window};
use crate::error::{ExecError, Result};
use crate::selection::Selection;

/// A column of a [`ColumnSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotId(usize);

/// The kind of number that text and expressions are turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumericType {
    /// Integers of 64 bits.
    Long,
    /// Doubles.
    Double,
}

/// Columns by slot.
#[derive(Default)]
pub struct ColumnSet<'a> {
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
    pub fn numeric_input(
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
                Slot::LongText(TextNumbers::new(column, TextFunction::Parse(parse_text_long)))
            }
            (Source::String(column), NumericType::Double) => {
                Slot::DoubleText(TextNumbers::new(column, TextFunction::Parse(parse_double)))
            }
            (Source::Expression(source), NumericType::Long) => long_expression(source),
            (Source::Expression(source), NumericType::Double) => double_expression(source),
            (Source::Pairs(pairs), _) => {
                return Err(columns.unreadable(name_of(input), pairs.column()));
            }
            (Source::Complex(column), _) => {
                return Err(columns.unreadable(name_of(input), column));
            }
            (
                stored @ (Source::Missing | Source::Long(_) | Source::Float(_) | Source::Double(_)),
                _,
            ) => Slot::stored(&stored),
        };
        Ok(self.push(key, slot))
    }

    /// A slot for times in milliseconds: a LONG, text of such or of ISO 8601, or an expression.
    ///
    /// # Errors
    /// When the column holds something else.
    pub fn times(&mut self, columns: &Columns<'a>, name: &str) -> Result<SlotId> {
        let column = match columns.resolve(name)? {
            Source::Missing | Source::Long(_) | Source::Expression(_) => {
                let input = AggregatorInput::Field(name.to_owned());
                return self.numeric_input(columns, &input, NumericType::Long);
            }
            Source::String(column) => column,
            Source::Float(_) => return Err(no_times(name, "FLOAT")),
            Source::Double(_) => return Err(no_times(name, "DOUBLE")),
            Source::Pairs(pairs) => return Err(no_times(name, pairs.column().type_name())),
            Source::Complex(column) => return Err(no_times(name, column.type_name())),
        };
        let key = format!("times {name}");
        if let Some(slot) = self.find(&key) {
            return Ok(slot);
        }
        let parse = TextFunction::Parse(parse_text_time);
        Ok(self.push(key, Slot::LongText(TextNumbers::new(column, parse))))
    }

    /// A slot for a stored column as it is; `source` must not be an expression or a sketch.
    pub fn stored(&mut self, name: &str, source: &Source<'a>) -> SlotId {
        let key = format!("stored {name}");
        match self.find(&key) {
            Some(slot) => slot,
            None => self.push(key, Slot::stored(source)),
        }
    }

    /// A slot for the integers of a virtual column that is plain arithmetic.
    pub(crate) fn computed_longs(&mut self, name: &str, arithmetic: Arithmetic<'a>) -> SlotId {
        let key = format!("number {:?} {name}", NumericType::Long);
        match self.find(&key) {
            Some(slot) => slot,
            None => self.push(key, Slot::LongArithmetic(arithmetic, Numbers::default())),
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

    /// True when a row of a slot may be null.
    #[must_use]
    pub fn has_nulls(&self, slot: SlotId) -> bool {
        self.slots[slot.0].has_nulls()
    }

    /// True when statistics say that a slot holds integers above 0 only.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn is_positive(&self, slot: SlotId, block_count: usize) -> Result<bool> {
        self.slots[slot.0].is_positive(block_count)
    }

    /// Statistics of a block of a stored column, when they are kept.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn stats(&self, slot: SlotId, block: usize) -> Result<Option<SlotStats>> {
        self.slots[slot.0].stats(block)
    }

    /// A stored column's block as packed integers whose quotients are the values, when it is
    /// stored so. Floats are not the quotients but what these round to.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn packed(&self, slot: SlotId, block: usize) -> Result<Option<PackedBlock<'_>>> {
        self.slots[slot.0].packed(block)
    }

    /// True when a slot reads lists of ids, which are decoded a block at a time.
    pub fn reads_lists(&self) -> bool {
        self.slots.iter().any(Slot::reads_lists)
    }

    /// Decodes some slots of a window. Computed columns are computed for selected rows only.
    pub fn load(
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
            slots.push(if *wanted { slot.load(window, selection)? } else { Loaded::Nothing });
        }
        Ok(LoadedBlock { slots })
    }
}

fn name_of(input: &AggregatorInput) -> &str {
    match input {
        AggregatorInput::Field(name) => name,
        AggregatorInput::Expression(expression) => {
            expression.as_identifier().unwrap_or(expression.text())
        }
    }
}

#[cold]
fn no_times(name: &str, held: &str) -> ExecError {
    ExecError::Invalid(format!(
        "timeColumn '{name}' holds {held}, no times: name a LONG of milliseconds, text of such or of \
         ISO 8601, or a virtual column of the type LONG"
    ))
}

/// Text as a time in milliseconds.
fn parse_text_time(text: &str) -> Option<i64> {
    parse_text_long(text).or_else(|| parse_timestamp_ms(text.trim()).ok())
}

/// Integers of an expression.
fn long_expression(source: ExpressionSource<'_>) -> Slot<'_> {
    if let Some(arithmetic) = source.arithmetic() {
        return Slot::LongArithmetic(arithmetic, Numbers::default());
    }
    match source.only_single_text() {
        Some(column) => {
            let function = text_function(source, |length| length, ExprValue::as_long);
            Slot::LongText(TextNumbers::new(column, function))
        }
        None => Slot::LongExpression(ExpressionReader::new(source), Numbers::default()),
    }
}

/// Doubles of an expression.
fn double_expression(source: ExpressionSource<'_>) -> Slot<'_> {
    if let Some(arithmetic) = source.arithmetic() {
        return Slot::DoubleArithmetic(arithmetic, Numbers::default());
    }
    match source.only_single_text() {
        Some(column) => {
            let function = text_function(source, |length| length as f64, ExprValue::as_double);
            Slot::DoubleText(TextNumbers::new(column, function))
        }
        None => Slot::DoubleExpression(ExpressionReader::new(source), Numbers::default()),
    }
}

/// An expression as a function of the only text that it reads.
fn text_function<T>(
    source: ExpressionSource<'_>,
    of_length: fn(i64) -> T,
    convert: fn(&ExprValue) -> Option<T>,
) -> TextFunction<'_, T> {
    if source.is_text_length() {
        return TextFunction::Length(of_length);
    }
    TextFunction::Expression(Box::new(source), convert)
}

/// The decoded slots of a window.
#[derive(Debug)]
pub struct LoadedBlock<'b> {
    slots: Vec<Loaded<'b>>,
}

impl<'b> LoadedBlock<'b> {
    /// What was decoded of a slot.
    #[inline]
    pub fn get(&self, slot: SlotId) -> Loaded<'b> {
        self.slots[slot.0]
    }
}
