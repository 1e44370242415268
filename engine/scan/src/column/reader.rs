//! Evaluates expressions over rows: once for each combination of inputs while these are few, else
//! row by row with what can be remembered remembered.

use henge_expr::ExprValue;
use henge_segment::{
    ComplexColumn, Dictionary, IdBlock, MultiBlock, MultiScratch, NULL_ID, NumericBlock,
};
use henge_vector::read_array;
use rustc_hash::FxHashMap;

use super::combined::{Combined, Inputs};
use super::expression::ExpressionSource;
use super::{Pairs, Source, Window};
use crate::error::Result;
use crate::key_space::PartIds;
use crate::selection::Selection;

/// Values of a dictionary that were decoded, and results, that are kept: emptied or given up when
/// they become more.
const MAX_KEPT_VALUES: usize = 1 << 16;
/// Bytes of results that are kept.
const MAX_KEPT_BYTES: u64 = 16 << 20;

/// Evaluates an expression over rows of blocks.
#[derive(Debug)]
pub struct ExpressionReader<'a> {
    source: ExpressionSource<'a>,
    scratch: Vec<Scratch>,
    nested: Vec<Option<Box<Nested<'a>>>>,
    /// Present while few combinations of inputs occur.
    combined: Option<Box<Combined<'a>>>,
    /// The results of combinations, for visitors.
    results: Vec<ExprValue>,
    results_bytes: u64,
}

/// Space to decode an input's block in, and what is kept between blocks.
#[derive(Debug, Default)]
struct Scratch {
    longs: Vec<i64>,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    ids: Vec<u32>,
    multi: MultiScratch,
    decoded: FxHashMap<u32, ExprValue>,
}

/// Another virtual column as an input: its values by row.
#[derive(Debug)]
struct Nested<'a> {
    reader: ExpressionReader<'a>,
    values: Vec<ExprValue>,
}

/// One block of an input.
enum Input<'b> {
    Null,
    Long(NumericBlock<'b, i64>),
    Float(NumericBlock<'b, f32>),
    Double(NumericBlock<'b, f64>),
    Ids(IdBlock<'b>, Decoder<'b>),
    Multi(MultiBlock<'b>, Decoder<'b>),
    Pairs(&'b Pairs<'b>, Window),
    Arrays(&'b dyn ComplexColumn, Window),
    Values(&'b [ExprValue]),
}

struct Decoder<'b> {
    dictionary: &'b dyn Dictionary,
    decoded: &'b mut FxHashMap<u32, ExprValue>,
}

impl Decoder<'_> {
    fn value(&mut self, id: u32) -> Result<ExprValue> {
        if id == NULL_ID {
            return Ok(ExprValue::Null);
        }
        if let Some(value) = self.decoded.get(&id) {
            return Ok(value.clone());
        }
        let value = self.dictionary.get(id)?.as_deref().map_or(ExprValue::Null, ExprValue::from);
        if self.decoded.len() >= MAX_KEPT_VALUES {
            self.decoded.clear();
        }
        self.decoded.insert(id, value.clone());
        Ok(value)
    }
}

impl Input<'_> {
    fn value(&mut self, row: usize) -> Result<ExprValue> {
        Ok(match self {
            Self::Null => ExprValue::Null,
            Self::Long(block) => numeric(block, row).into(),
            Self::Float(block) => numeric(block, row).map(f64::from).into(),
            Self::Double(block) => numeric(block, row).into(),
            Self::Ids(ids, decoder) => decoder.value(ids.get(row))?,
            Self::Multi(lists, decoder) => match lists.row(row) {
                [] => ExprValue::Null,
                [id] => decoder.value(*id)?,
                ids => ids.iter().map(|id| decoder.value(*id)).collect::<Result<Vec<_>>>()?.into(),
            },
            Self::Pairs(pairs, window) => {
                let pair = pairs.get(window.absolute(row))?;
                pair.map_or(ExprValue::Null, |(_, value)| value)
            }
            Self::Arrays(column, window) => column
                .get(window.absolute(row))?
                .map_or(ExprValue::Null, |image| read_array(&image)),
            Self::Values(values) => values[row].clone(),
        })
    }
}

fn numeric<T: Copy>(block: &NumericBlock<'_, T>, row: usize) -> Option<T> {
    let null = block.nulls.is_some_and(|nulls| nulls.is_null(row));
    (!null).then(|| block.values.get(row))
}

impl<'a> ExpressionReader<'a> {
    /// A reader of an expression, with nothing evaluated yet.
    pub fn new(mut source: ExpressionSource<'a>) -> Self {
        let combined = Combined::of(&source).map(Box::new);
        let scratch = source.inputs.iter().map(|_| Scratch::default()).collect();
        let nested = source
            .inputs
            .iter_mut()
            .map(|input| match std::mem::replace(input, Source::Missing) {
                Source::Expression(inner) => Some(Box::new(Nested {
                    reader: ExpressionReader::new(inner),
                    values: Vec::new(),
                })),
                stored => {
                    *input = stored;
                    None
                }
            })
            .collect();
        Self { source, scratch, nested, combined, results: Vec::new(), results_bytes: 0 }
    }

    /// Bytes of memory of what is kept of evaluated inputs.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.combined.as_ref().map_or(0, |combined| combined.memory_bytes())
    }

    /// Finds the numbers of a window's selected rows, as `number` gives them to results: it is
    /// called once for each combination of inputs that occurs. False when these are too many; then
    /// rows must be visited one by one from here on. A reader is either numbered or visited.
    pub(crate) fn number(
        &mut self,
        window: Window,
        selection: Selection<'_>,
        number: &mut dyn FnMut(&ExprValue) -> u32,
    ) -> Result<bool> {
        let Self { source, nested, combined, .. } = self;
        source.start_window();
        let Some(some) = combined else { return Ok(false) };
        let few = some.number(window, selection, &mut |inputs| {
            Ok(number(&evaluate(source, nested, inputs)?))
        })?;
        if !few {
            *combined = None;
        }
        Ok(few)
    }

    /// What [`ExpressionReader::number`] found, for selected rows.
    pub(crate) fn numbers(&self) -> PartIds<'_> {
        match &self.combined {
            Some(combined) => combined.numbers(),
            None => PartIds::Constant(NULL_ID),
        }
    }

    /// True when a row of an input may hold several values.
    pub(crate) fn reads_lists(&self) -> bool {
        let nested = |inner: &Nested<'_>| inner.reader.reads_lists();
        self.source.reads_lists() || self.nested.iter().flatten().any(|inner| nested(inner))
    }

    /// True when a row may have several results.
    pub(crate) fn gives_lists(&self) -> bool {
        let nested = |inner: &Nested<'_>| inner.reader.gives_lists();
        self.source.gives_lists() || self.nested.iter().flatten().any(|inner| nested(inner))
    }

    /// Calls `visit` with the value of each selected row of a window.
    pub fn for_each(
        &mut self,
        window: Window,
        selection: Selection<'_>,
        visit: &mut dyn FnMut(usize, &ExprValue) -> Result<()>,
    ) -> Result<()> {
        if self.results.len() > MAX_KEPT_VALUES || self.results_bytes > MAX_KEPT_BYTES {
            self.combined = None;
            self.results = Vec::new();
            self.results_bytes = 0;
        }
        let mut results = std::mem::take(&mut self.results);
        let mut bytes = self.results_bytes;
        let few = self.number(window, selection, &mut |result| {
            bytes += result.bytes();
            results.push(result.clone());
            results.len() as u32 - 1
        })?;
        self.results = results;
        self.results_bytes = bytes;
        if !few {
            return self.for_each_row(window, selection, visit);
        }
        match self.numbers() {
            PartIds::Constant(number) => {
                selection.try_for_each(|row| visit(row, &self.results[number as usize]))
            }
            PartIds::Rows(numbers) => {
                selection.try_for_each(|row| visit(row, &self.results[numbers[row] as usize]))
            }
        }
    }

    fn for_each_row(
        &mut self,
        window: Window,
        selection: Selection<'_>,
        visit: &mut dyn FnMut(usize, &ExprValue) -> Result<()>,
    ) -> Result<()> {
        let Self { source, scratch, nested, .. } = self;
        for inner in nested.iter_mut().flatten() {
            inner.fill(window, selection)?;
        }
        let mut inputs = Vec::with_capacity(scratch.len());
        for ((input, scratch), nested) in source.inputs.iter().zip(scratch).zip(nested.iter()) {
            inputs.push(match nested {
                Some(inner) => Input::Values(&inner.values),
                None => load(input, window, scratch)?,
            });
        }
        let mut slots = vec![ExprValue::Null; inputs.len()];
        let mut last: Option<(Vec<ExprValue>, ExprValue)> = None;
        selection.try_for_each(|row| {
            for (slot, input) in slots.iter_mut().zip(&mut inputs) {
                *slot = input.value(row)?;
            }
            // Sorted columns repeat their values: evaluating again would give the same.
            if let Some((seen, value)) = &last
                && *seen == slots
            {
                return visit(row, value);
            }
            let value = source.eval_kept(&slots)?;
            visit(row, &value)?;
            match &mut last {
                Some((seen, old)) => {
                    seen.clone_from_slice(&slots);
                    *old = value;
                }
                None => last = Some((slots.clone(), value)),
            }
            Ok(())
        })
    }
}

/// The result for a combination of stored inputs, given in the order of the sources that read them.
fn evaluate(
    source: &ExpressionSource<'_>,
    nested: &[Option<Box<Nested<'_>>>],
    inputs: &mut Inputs<'_>,
) -> Result<ExprValue> {
    let mut slots = Vec::with_capacity(nested.len());
    for (input, nested) in source.inputs.iter().zip(nested) {
        slots.push(match (nested, input) {
            (Some(inner), _) => evaluate(&inner.reader.source, &inner.reader.nested, inputs)?,
            (None, Source::Missing) => ExprValue::Null,
            (None, _) => inputs.next().transpose()?.unwrap_or_default(),
        });
    }
    source.eval_kept(&slots)
}

impl Nested<'_> {
    fn fill(&mut self, window: Window, selection: Selection<'_>) -> Result<()> {
        let Self { reader, values } = self;
        values.clear();
        values.resize(window.capacity(), ExprValue::Null);
        reader.for_each(window, selection, &mut |row, value| {
            values[row] = value.clone();
            Ok(())
        })
    }
}

fn load<'b>(source: &'b Source<'_>, window: Window, scratch: &'b mut Scratch) -> Result<Input<'b>> {
    Ok(match source {
        Source::Missing | Source::Expression(_) => Input::Null,
        Source::Long(column) => Input::Long(window.numbers(*column, &mut scratch.longs)?),
        Source::Float(column) => Input::Float(window.numbers(*column, &mut scratch.floats)?),
        Source::Double(column) => Input::Double(window.numbers(*column, &mut scratch.doubles)?),
        Source::String(column) => {
            let decoder =
                Decoder { dictionary: column.dictionary(), decoded: &mut scratch.decoded };
            if column.is_multi_value() {
                Input::Multi(window.lists(*column, &mut scratch.multi)?, decoder)
            } else {
                Input::Ids(window.ids(*column, &mut scratch.ids)?, decoder)
            }
        }
        Source::Pairs(pairs) => Input::Pairs(pairs, window),
        // Nothing else of its kind is bound: lists that count as one value.
        Source::Complex(column) => Input::Arrays(*column, window),
    })
}
