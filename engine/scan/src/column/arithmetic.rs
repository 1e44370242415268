//! Arithmetic over stored numeric columns, a chunk of rows at a time. The results are those of
//! evaluating the expression by row: integers that overflow are null, as is what involves null.

use std::borrow::Cow;

use henge_expr::number::double_to_long;
use henge_expr::{Ast, BinaryOp, ExprType, ExprValue, UnaryOp};
use henge_segment::{NumericBlock, NumericColumn};
use henge_types::ValueType;

use super::{Source, Window};
use crate::error::Result;
use crate::selection::Selection;

/// Rows computed at a time: a few vectors of them stay in the first cache.
const CHUNK: usize = 1024;

/// An expression of `+ - * / %`, negation and casts over numeric columns and constants.
pub(crate) struct Arithmetic<'a> {
    root: Term,
    inputs: Vec<Input<'a>>,
    output_type: Option<ValueType>,
}

enum Term {
    Long(i64),
    Double(f64),
    Input(usize),
    Negate(Box<Term>),
    ToLong(Box<Term>),
    ToDouble(Box<Term>),
    Chain(Box<Term>, Vec<(BinaryOp, Term)>),
}

impl Term {
    fn is_long(&self, inputs: &[Input<'_>]) -> bool {
        match self {
            Self::Long(_) | Self::ToLong(_) => true,
            Self::Double(_) | Self::ToDouble(_) => false,
            Self::Input(input) => matches!(inputs[*input], Input::Long(..)),
            Self::Negate(operand) => operand.is_long(inputs),
            Self::Chain(first, rest) => {
                first.is_long(inputs) && rest.iter().all(|(_, operand)| operand.is_long(inputs))
            }
        }
    }
}

enum Input<'a> {
    Long(&'a dyn NumericColumn<i64>, Vec<i64>),
    Float(&'a dyn NumericColumn<f32>, Vec<f32>),
    Double(&'a dyn NumericColumn<f64>, Vec<f64>),
}

enum Block<'b> {
    Long(NumericBlock<'b, i64>),
    Float(NumericBlock<'b, f32>),
    Double(NumericBlock<'b, f64>),
}

/// Values of a chunk's rows.
struct Vector<'b> {
    values: Values<'b>,
    /// True where null; `None` when no row is.
    nulls: Option<Vec<bool>>,
}

enum Values<'b> {
    Long(Operand<'b, i64>),
    Double(Operand<'b, f64>),
}

enum Operand<'b, T: Clone> {
    Constant(T),
    /// A column's own values, or computed ones.
    Each(Cow<'b, [T]>),
}

impl std::fmt::Debug for Arithmetic<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arithmetic").field("inputs", &self.inputs.len()).finish_non_exhaustive()
    }
}

impl<'a> Arithmetic<'a> {
    /// Compiles an expression; `None` when it is more than arithmetic over stored numbers.
    pub(super) fn compile(
        ast: &Ast,
        identifiers: &[String],
        sources: &[Source<'a>],
        output_type: Option<ValueType>,
    ) -> Option<Self> {
        if output_type == Some(ValueType::String) {
            return None;
        }
        let inputs = sources
            .iter()
            .map(|source| match source {
                Source::Long(column) => Some(Input::Long(*column, Vec::new())),
                Source::Float(column) => Some(Input::Float(*column, Vec::new())),
                Source::Double(column) => Some(Input::Double(*column, Vec::new())),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()?;
        let root = term(ast, identifiers)?;
        Some(Self { root, inputs, output_type })
    }

    /// True when no result is a double.
    pub(crate) fn yields_longs(&self) -> bool {
        match self.output_type {
            Some(output_type) => output_type == ValueType::Long,
            None => self.root.is_long(&self.inputs),
        }
    }

    /// Computes the selected rows of a window and hands their values on.
    pub(super) fn for_each(
        &mut self,
        window: Window,
        selection: Selection<'_>,
        sink: &mut impl NumberSink,
    ) -> Result<()> {
        let Self { root, inputs, output_type } = self;
        let blocks = inputs
            .iter_mut()
            .map(|input| {
                Ok(match input {
                    Input::Long(column, scratch) => Block::Long(window.numbers(*column, scratch)?),
                    Input::Float(column, scratch) => {
                        Block::Float(window.numbers(*column, scratch)?)
                    }
                    Input::Double(column, scratch) => {
                        Block::Double(window.numbers(*column, scratch)?)
                    }
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let mut chunk = |rows: Selection<'_>| {
            let vector = evaluate(root, &blocks, rows);
            emit(&vector, rows, *output_type, sink);
        };
        match selection {
            Selection::Range { start, end } => {
                for start in (start..end).step_by(CHUNK) {
                    chunk(Selection::Range { start, end: end.min(start + CHUNK) });
                }
            }
            Selection::Rows(rows) => {
                rows.chunks(CHUNK).for_each(|rows| chunk(Selection::Rows(rows)));
            }
        }
        Ok(())
    }
}

/// Where computed numbers go.
pub(super) trait NumberSink {
    /// A row's number; `None` is null.
    fn number(&mut self, row: usize, number: Option<Number>);
    /// One double a row.
    fn doubles(&mut self, rows: Selection<'_>, values: &[f64]) {
        for_each_value(rows, values, |row, value| self.number(row, Some(Number::Double(value))));
    }
    /// One integer a row.
    fn longs(&mut self, rows: Selection<'_>, values: &[i64]) {
        for_each_value(rows, values, |row, value| self.number(row, Some(Number::Long(value))));
    }
}

/// Calls `visit` with each row and its value.
pub(super) fn for_each_value<T: Copy>(
    rows: Selection<'_>,
    values: &[T],
    mut visit: impl FnMut(usize, T),
) {
    match rows {
        Selection::Range { start, .. } => {
            (start..).zip(values).for_each(|(row, value)| visit(row, *value));
        }
        Selection::Rows(rows) => {
            rows.iter().zip(values).for_each(|(row, value)| visit(usize::from(*row), *value));
        }
    }
}

/// A computed number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Long(i64),
    Double(f64),
}

impl Number {
    pub(super) fn as_long(self) -> Option<i64> {
        match self {
            Self::Long(value) => Some(value),
            Self::Double(value) => double_to_long(value),
        }
    }

    pub(super) fn as_double(self) -> f64 {
        match self {
            Self::Long(value) => value as f64,
            Self::Double(value) => value,
        }
    }
}

fn term(ast: &Ast, identifiers: &[String]) -> Option<Term> {
    Some(match ast {
        Ast::Literal(ExprValue::Long(value)) => Term::Long(*value),
        Ast::Literal(ExprValue::Double(value)) => Term::Double(*value),
        Ast::Identifier(name) => Term::Input(identifiers.iter().position(|other| other == name)?),
        Ast::Unary(UnaryOp::Negate, operand) => Term::Negate(Box::new(term(operand, identifiers)?)),
        Ast::Call { name, arguments } if name == "cast" => cast(arguments, identifiers)?,
        Ast::Chain { first, rest } => {
            let rest = rest
                .iter()
                .map(|(op, operand)| {
                    let known = matches!(
                        op,
                        BinaryOp::Add
                            | BinaryOp::Subtract
                            | BinaryOp::Multiply
                            | BinaryOp::Divide
                            | BinaryOp::Remainder
                    );
                    known.then(|| Some((*op, term(operand, identifiers)?))).flatten()
                })
                .collect::<Option<Vec<_>>>()?;
            Term::Chain(Box::new(term(first, identifiers)?), rest)
        }
        _ => return None,
    })
}

fn cast(arguments: &[Ast], identifiers: &[String]) -> Option<Term> {
    let [operand, Ast::Literal(ExprValue::String(target))] = arguments else { return None };
    let to: fn(Box<Term>) -> Term = match ExprType::parse(target)? {
        ExprType::Long => Term::ToLong,
        ExprType::Double => Term::ToDouble,
        _ => return None,
    };
    Some(to(Box::new(term(operand, identifiers)?)))
}

fn evaluate<'b>(term: &Term, blocks: &[Block<'b>], rows: Selection<'_>) -> Vector<'b> {
    let constant = |values| Vector { values, nulls: None };
    match term {
        Term::Long(value) => constant(Values::Long(Operand::Constant(*value))),
        Term::Double(value) => constant(Values::Double(Operand::Constant(*value))),
        Term::Input(input) => match &blocks[*input] {
            Block::Long(block) => {
                let (values, nulls) = gather(block, rows, Cow::Borrowed, |v| v);
                Vector { values: Values::Long(values), nulls }
            }
            Block::Float(block) => {
                let widen = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect();
                let (values, nulls) = gather(block, rows, widen, f64::from);
                Vector { values: Values::Double(values), nulls }
            }
            Block::Double(block) => {
                let (values, nulls) = gather(block, rows, Cow::Borrowed, |v| v);
                Vector { values: Values::Double(values), nulls }
            }
        },
        Term::Negate(operand) => match evaluate(operand, blocks, rows) {
            // Zero less the value overflows just where negation does.
            Vector { values: Values::Long(values), nulls } => {
                let zero = Vector { values: Values::Long(Operand::Constant(0)), nulls: None };
                let operand = Vector { values: Values::Long(values), nulls };
                combine(BinaryOp::Subtract, zero, operand, rows.len())
            }
            Vector { values: Values::Double(values), nulls } => {
                let minus = Operand::Constant(-1.0);
                Vector { values: Values::Double(zip(&values, &minus, |a, b| a * b)), nulls }
            }
        },
        Term::ToLong(operand) => longs(evaluate(operand, blocks, rows), rows.len()),
        Term::ToDouble(operand) => {
            let Vector { values, nulls } = evaluate(operand, blocks, rows);
            Vector { values: Values::Double(doubles(values)), nulls }
        }
        Term::Chain(first, rest) => {
            let first = evaluate(first, blocks, rows);
            rest.iter().fold(first, |left, (op, right)| {
                combine(*op, left, evaluate(right, blocks, rows), rows.len())
            })
        }
    }
}

/// A column's values of some rows: `all` makes them of those of a range, `convert` of single ones.
fn gather<'b, T: Copy, S: Copy>(
    block: &NumericBlock<'b, T>,
    rows: Selection<'_>,
    all: impl Fn(&'b [T]) -> Cow<'b, [S]>,
    convert: impl Fn(T) -> S,
) -> (Operand<'b, S>, Option<Vec<bool>>) {
    let nulls = block.nulls.map(|mask| {
        let mut nulls = Vec::with_capacity(rows.len());
        rows.for_each(|row| nulls.push(mask.is_null(row)));
        nulls
    });
    let values = match (block.values, rows) {
        (henge_segment::NumericValues::Constant(value), _) => Operand::Constant(convert(value)),
        (henge_segment::NumericValues::Slice(values), Selection::Range { start, end }) => {
            Operand::Each(all(&values[start..end]))
        }
        (henge_segment::NumericValues::Slice(values), Selection::Rows(rows)) => {
            Operand::Each(rows.iter().map(|&row| convert(values[row as usize])).collect())
        }
    };
    (values, nulls)
}

fn combine<'b>(op: BinaryOp, left: Vector<'b>, right: Vector<'b>, count: usize) -> Vector<'b> {
    let nulls = match (left.nulls, right.nulls) {
        (Some(mut nulls), Some(others)) => {
            nulls.iter_mut().zip(others).for_each(|(null, other)| *null |= other);
            Some(nulls)
        }
        (nulls, None) | (None, nulls) => nulls,
    };
    match (left.values, right.values) {
        (Values::Long(left), Values::Long(right)) => combine_longs(op, &left, &right, nulls, count),
        (left, right) => {
            let (left, right) = (doubles(left), doubles(right));
            let values = match op {
                BinaryOp::Add => zip(&left, &right, |a, b| a + b),
                BinaryOp::Subtract => zip(&left, &right, |a, b| a - b),
                BinaryOp::Multiply => zip(&left, &right, |a, b| a * b),
                BinaryOp::Divide => zip(&left, &right, |a, b| a / b),
                _ => zip(&left, &right, |a, b| a % b),
            };
            Vector { values: Values::Double(values), nulls }
        }
    }
}

/// Integer results, and null where one overflows or is divided by zero.
fn combine_longs<'b>(
    op: BinaryOp,
    left: &Operand<'_, i64>,
    right: &Operand<'_, i64>,
    nulls: Option<Vec<bool>>,
    count: usize,
) -> Vector<'b> {
    let failing = |result: Option<i64>| (result.unwrap_or(0), result.is_none());
    let (values, failed) = match (op, right) {
        (BinaryOp::Add, _) => zip_checked(left, right, i64::overflowing_add),
        (BinaryOp::Subtract, _) => zip_checked(left, right, i64::overflowing_sub),
        (BinaryOp::Multiply, _) => zip_checked(left, right, i64::overflowing_mul),
        // Other constants divide everything.
        (BinaryOp::Divide, Operand::Constant(by)) if !matches!(by, 0 | -1) => {
            (zip(left, right, |a, b| a / b), None)
        }
        (BinaryOp::Divide, _) => zip_checked(left, right, |a, b| failing(a.checked_div(b))),
        _ => zip_checked(left, right, |a, b| match b {
            -1 => (0, false),
            b => failing(a.checked_rem(b)),
        }),
    };
    Vector { values: Values::Long(values), nulls: with_failed(nulls, failed.as_ref(), count) }
}

/// Nulls, and where an operation failed.
fn with_failed(
    nulls: Option<Vec<bool>>,
    failed: Option<&Operand<'_, bool>>,
    count: usize,
) -> Option<Vec<bool>> {
    match failed {
        None => nulls,
        Some(Operand::Constant(failed)) => failed.then(|| vec![true; count]).or(nulls),
        Some(Operand::Each(failed)) => {
            let mut nulls = nulls.unwrap_or_else(|| vec![false; count]);
            nulls.iter_mut().zip(failed.iter()).for_each(|(null, failed)| *null |= failed);
            Some(nulls)
        }
    }
}

/// Integers that doubles truncate to, and null where there is none.
fn longs<'b>(Vector { values, nulls }: Vector<'b>, count: usize) -> Vector<'b> {
    let doubles = match values {
        Values::Long(_) => return Vector { values, nulls },
        Values::Double(doubles) => doubles,
    };
    let none = Operand::Constant(0.0);
    let values = zip(&doubles, &none, |value, _| double_to_long(value).unwrap_or(0));
    let failed = zip(&doubles, &none, |value, _| double_to_long(value).is_none());
    let any = match &failed {
        Operand::Constant(failed) => *failed,
        Operand::Each(failed) => failed.contains(&true),
    };
    let nulls = with_failed(nulls, any.then_some(&failed), count);
    Vector { values: Values::Long(values), nulls }
}

/// The values of an operation, and where it failed if it did anywhere.
#[inline]
fn zip_checked<'b>(
    left: &Operand<'_, i64>,
    right: &Operand<'_, i64>,
    op: impl Fn(i64, i64) -> (i64, bool) + Copy,
) -> (Operand<'b, i64>, Option<Operand<'b, bool>>) {
    let values = zip(left, right, |a, b| op(a, b).0);
    // Failures are rare: it is cheaper to compute twice than to write down each result.
    let any = match (left, right) {
        (Operand::Constant(a), Operand::Constant(b)) => op(*a, *b).1,
        (Operand::Each(a), Operand::Constant(b)) => a.iter().fold(false, |f, a| f | op(*a, *b).1),
        (Operand::Constant(a), Operand::Each(b)) => b.iter().fold(false, |f, b| f | op(*a, *b).1),
        (Operand::Each(a), Operand::Each(b)) => {
            a.iter().zip(b.iter()).fold(false, |f, (a, b)| f | op(*a, *b).1)
        }
    };
    (values, any.then(|| zip(left, right, |a, b| op(a, b).1)))
}

fn doubles(values: Values<'_>) -> Operand<'_, f64> {
    match values {
        Values::Double(values) => values,
        Values::Long(Operand::Constant(value)) => Operand::Constant(value as f64),
        Values::Long(Operand::Each(values)) => {
            Operand::Each(values.iter().map(|value| *value as f64).collect())
        }
    }
}

/// Applies an operation; one loop a shape.
#[inline]
fn zip<'b, T: Copy, R: Clone>(
    left: &Operand<'_, T>,
    right: &Operand<'_, T>,
    op: impl Fn(T, T) -> R,
) -> Operand<'b, R> {
    match (left, right) {
        (Operand::Constant(a), Operand::Constant(b)) => Operand::Constant(op(*a, *b)),
        (Operand::Each(a), Operand::Constant(b)) => {
            Operand::Each(a.iter().map(|&a| op(a, *b)).collect())
        }
        (Operand::Constant(a), Operand::Each(b)) => {
            Operand::Each(b.iter().map(|&b| op(*a, b)).collect())
        }
        (Operand::Each(a), Operand::Each(b)) => {
            Operand::Each(a.iter().zip(b.iter()).map(|(&a, &b)| op(a, b)).collect())
        }
    }
}

/// Hands a chunk's values on, rounded to the declared type.
fn emit(
    vector: &Vector<'_>,
    rows: Selection<'_>,
    output_type: Option<ValueType>,
    sink: &mut impl NumberSink,
) {
    match (&vector.values, &vector.nulls, output_type) {
        (Values::Double(Operand::Each(values)), None, None | Some(ValueType::Double)) => {
            return sink.doubles(rows, values);
        }
        (Values::Long(Operand::Each(values)), None, None | Some(ValueType::Long)) => {
            return sink.longs(rows, values);
        }
        _ => {}
    }
    let value = |index: usize| match &vector.values {
        Values::Long(Operand::Constant(value)) => Number::Long(*value),
        Values::Long(Operand::Each(values)) => Number::Long(values[index]),
        Values::Double(Operand::Constant(value)) => Number::Double(*value),
        Values::Double(Operand::Each(values)) => Number::Double(values[index]),
    };
    let mut index = 0;
    rows.for_each(|row| {
        let null = vector.nulls.as_ref().is_some_and(|nulls| nulls[index]);
        let number = (!null).then(|| value(index)).and_then(|number| match output_type {
            None => Some(number),
            Some(ValueType::Long) => number.as_long().map(Number::Long),
            Some(ValueType::Float) => Some(Number::Double(f64::from(number.as_double() as f32))),
            Some(_) => Some(Number::Double(number.as_double())),
        });
        sink.number(row, number);
        index += 1;
    });
}
