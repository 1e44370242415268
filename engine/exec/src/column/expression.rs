//! Expressions over columns, evaluated row by row with what can be remembered remembered.

use henge_expr::{Ast, Expr, ExprValue};
use henge_segment::{
    Dictionary, IdBlock, MultiBlock, MultiScratch, NULL_ID, NumericBlock, StringColumn,
};
use henge_types::ColumnType;
use rustc_hash::FxHashMap;

use super::arithmetic::Arithmetic;
use super::{Source, Window};
use crate::error::{ExecError, Result};
use crate::filter::Selection;

/// Values of a dictionary that were decoded already. Emptied when it grows past this many.
const MAX_DECODED_VALUES: usize = 1 << 16;

/// An expression with the sources of its identifiers.
#[derive(Debug)]
pub(crate) struct ExpressionSource<'a> {
    expression: Expr,
    inputs: Vec<Source<'a>>,
    output_type: Option<ColumnType>,
    /// True when no function works on arrays: then a multi-value input is mapped by element.
    per_element: bool,
}

impl<'a> ExpressionSource<'a> {
    pub(super) fn new(
        expression: Expr,
        inputs: Vec<Source<'a>>,
        output_type: Option<ColumnType>,
    ) -> Self {
        let per_element = !uses_arrays(expression.ast());
        Self { expression, inputs, output_type, per_element }
    }

    /// The expression as arithmetic over stored numbers, when it is no more than that.
    pub(super) fn arithmetic(&self) -> Option<Arithmetic<'a>> {
        Arithmetic::compile(
            self.expression.ast(),
            self.expression.identifiers(),
            &self.inputs,
            self.output_type.as_ref(),
        )
    }

    /// True when a row of an input may hold several values.
    pub(crate) fn reads_lists(&self) -> bool {
        self.inputs.iter().any(|input| match input {
            Source::String(column) => column.is_multi_value(),
            Source::Expression(inner) => inner.reads_lists(),
            _ => false,
        })
    }

    /// The declared type.
    pub(crate) fn output_type(&self) -> Option<&ColumnType> {
        self.output_type.as_ref()
    }

    /// The one string column the expression depends on, when it depends on nothing else. Then it
    /// can be evaluated once per dictionary id, with [`ExpressionSource::of_text`].
    pub(crate) fn only_string_input(&self) -> Option<&'a dyn StringColumn> {
        if !self.per_element {
            return None;
        }
        let mut inputs = self.inputs.iter().filter(|input| !matches!(input, Source::Missing));
        match (inputs.next(), inputs.next()) {
            (Some(Source::String(column)), None) => Some(*column),
            _ => None,
        }
    }

    /// True when the result is the same for every row.
    pub(crate) fn is_constant(&self) -> bool {
        self.inputs.iter().all(|input| matches!(input, Source::Missing))
    }

    /// The result when the only string input has this value (and for constants).
    pub(crate) fn of_text(&self, text: Option<&str>) -> Result<ExprValue> {
        let slots: Vec<ExprValue> = self
            .inputs
            .iter()
            .map(|input| match input {
                Source::String(_) => text.map_or(ExprValue::Null, ExprValue::from),
                _ => ExprValue::Null,
            })
            .collect();
        self.eval(&slots)
    }

    fn eval(&self, slots: &[ExprValue]) -> Result<ExprValue> {
        let value = self.expression.eval_slots(slots).map_err(|error| expression_error(&error))?;
        Ok(cast(value, self.output_type.as_ref()))
    }

    /// Evaluates over slots of which some may be arrays that came from multi-value columns.
    fn eval_elements(&self, slots: &mut [ExprValue], from: usize) -> Result<ExprValue> {
        let found = slots[from..].iter().position(|slot| matches!(slot, ExprValue::Array(_)));
        let Some(position) = found.filter(|_| self.per_element) else {
            return self.eval(slots);
        };
        let position = from + position;
        let ExprValue::Array(items) = slots[position].clone() else {
            return self.eval(slots);
        };
        let mut results = Vec::with_capacity(items.len());
        for item in items.iter() {
            slots[position] = item.clone();
            match self.eval_elements(slots, position + 1)? {
                ExprValue::Array(inner) => results.extend(inner.iter().cloned()),
                value => results.push(value),
            }
        }
        slots[position] = ExprValue::Array(items);
        Ok(ExprValue::from(results))
    }
}

fn expression_error(error: &henge_expr::ExprError) -> ExecError {
    ExecError::Invalid(error.to_string())
}

/// Converts a result to the declared type.
fn cast(value: ExprValue, output_type: Option<&ColumnType>) -> ExprValue {
    let Some(output_type) = output_type else { return value };
    match (value, output_type) {
        (ExprValue::Array(items), _) => items
            .iter()
            .map(|item| cast(item.clone(), Some(output_type)))
            .collect::<Vec<_>>()
            .into(),
        (value, ColumnType::Long) => value.as_long().into(),
        (value, ColumnType::Double) => value.as_double().into(),
        (value, ColumnType::Float) => value.as_double().map(|v| f64::from(v as f32)).into(),
        (ExprValue::String(text), ColumnType::String) => ExprValue::String(text),
        (value, ColumnType::String) => value.as_text().as_deref().map(ExprValue::from).into(),
        (value, ColumnType::Complex(_)) => value,
    }
}

/// True when a function of the expression takes or makes arrays.
fn uses_arrays(ast: &Ast) -> bool {
    match ast {
        Ast::Literal(value) => matches!(value, ExprValue::Array(_)),
        Ast::Identifier(_) => false,
        Ast::Unary(_, operand) => uses_arrays(operand),
        Ast::Chain { first, rest } => {
            uses_arrays(first) || rest.iter().any(|(_, operand)| uses_arrays(operand))
        }
        Ast::Lambda { .. } => true,
        Ast::Call { name, arguments } => {
            name.starts_with("array")
                || name.starts_with("mv_")
                || name.starts_with("cartesian_")
                || matches!(
                    name.as_str(),
                    "string_to_array" | "map" | "filter" | "fold" | "any" | "all"
                )
                || arguments.iter().any(uses_arrays)
        }
    }
}

/// Evaluates an expression over rows of blocks.
#[derive(Debug)]
pub(crate) struct ExpressionReader<'a> {
    source: ExpressionSource<'a>,
    scratch: Vec<Scratch>,
    nested: Vec<Option<Box<Nested<'a>>>>,
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
        if self.decoded.len() >= MAX_DECODED_VALUES {
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
            Self::Values(values) => values[row].clone(),
        })
    }
}

fn numeric<T: Copy>(block: &NumericBlock<'_, T>, row: usize) -> Option<T> {
    let null = block.nulls.is_some_and(|nulls| nulls.is_null(row));
    (!null).then(|| block.values.get(row))
}

impl<'a> ExpressionReader<'a> {
    pub(crate) fn new(mut source: ExpressionSource<'a>) -> Self {
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
        Self { source, scratch, nested }
    }

    /// True when a row of an input may hold several values.
    pub(crate) fn reads_lists(&self) -> bool {
        let nested = |inner: &Nested<'_>| inner.reader.reads_lists();
        self.source.reads_lists() || self.nested.iter().flatten().any(|inner| nested(inner))
    }

    /// Calls `visit` with the value of each selected row of a window.
    pub(crate) fn for_each(
        &mut self,
        window: Window,
        selection: Selection<'_>,
        visit: &mut dyn FnMut(usize, &ExprValue) -> Result<()>,
    ) -> Result<()> {
        let Self { source, scratch, nested } = self;
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
            let value = source.eval_elements(&mut slots, 0)?;
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
        Source::Complex(_) => {
            return Err(ExecError::Invalid("an expression cannot read a sketch column".to_owned()));
        }
    })
}
