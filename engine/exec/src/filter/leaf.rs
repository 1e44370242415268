//! Leaves that evaluate values one by one: numbers seen as text, and expressions.

use henge_expr::ExprValue;
use henge_segment::NumericColumn;

use super::bits::BlockBits;
use super::comparison::{Truth, any};
use super::numeric_test::NumericValue;
use super::selection::Selection;
use crate::column::{ExpressionReader, Window};
use crate::error::Result;

/// Says whether a value's text passes.
pub(crate) type TextTest<'a> = Box<dyn Fn(&ExprValue) -> Truth + 'a>;

/// A numeric column seen as text (LIKE over a LONG column): slow, and rare.
pub(crate) struct TextLeaf<'a> {
    values: RowValues<'a>,
    test: TextTest<'a>,
    wanted: Truth,
}

/// A numeric column of any type.
pub(crate) enum RowValues<'a> {
    Long(&'a dyn NumericColumn<i64>),
    Float(&'a dyn NumericColumn<f32>),
    Double(&'a dyn NumericColumn<f64>),
}

impl std::fmt::Debug for TextLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TextLeaf")
    }
}

impl<'a> TextLeaf<'a> {
    pub(crate) fn new(values: RowValues<'a>, test: TextTest<'a>, wanted: Truth) -> Self {
        Self { values, test, wanted }
    }

    pub(crate) fn narrow(&mut self, block: usize, candidates: &mut BlockBits) -> Result<()> {
        let (test, wanted) = (&self.test, self.wanted);
        match self.values {
            RowValues::Long(column) => {
                narrow_text(column, block, candidates, ExprValue::Long, |v| test(&v) == wanted)
            }
            RowValues::Float(column) => {
                let widen = |v| ExprValue::Double(widen_shortest(v));
                narrow_text(column, block, candidates, widen, |v| test(&v) == wanted)
            }
            RowValues::Double(column) => {
                narrow_text(column, block, candidates, ExprValue::Double, |v| test(&v) == wanted)
            }
        }
    }
}

/// The double whose shortest decimal form is the float's: `1.1f32` becomes 1.1.
pub(crate) fn widen_shortest(value: f32) -> f64 {
    if value.is_finite() {
        value.to_string().parse().unwrap_or(f64::from(value))
    } else {
        f64::from(value)
    }
}

fn narrow_text<T: NumericValue>(
    column: &dyn NumericColumn<T>,
    block: usize,
    candidates: &mut BlockBits,
    wrap: impl Fn(T) -> ExprValue,
    keep: impl Fn(ExprValue) -> bool,
) -> Result<()> {
    let mut scratch = Vec::new();
    let loaded = column.block(block, &mut scratch)?;
    let mut last: Option<(T, bool)> = None;
    let of_null = keep(ExprValue::Null);
    candidates.retain(|row| {
        if loaded.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return of_null;
        }
        let value = loaded.values.get(row);
        match last {
            Some((seen, kept)) if seen == value => kept,
            _ => {
                let kept = keep(wrap(value));
                last = Some((value, kept));
                kept
            }
        }
    });
    Ok(())
}

/// An expression, or a comparison of a virtual column, evaluated by row.
pub(crate) struct ExpressionLeaf<'a> {
    reader: ExpressionReader<'a>,
    test: TextTest<'a>,
    wanted: Truth,
    rows: Vec<u16>,
}

impl std::fmt::Debug for ExpressionLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExpressionLeaf").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl<'a> ExpressionLeaf<'a> {
    pub(crate) fn new(reader: ExpressionReader<'a>, test: TextTest<'a>, wanted: Truth) -> Self {
        Self { reader, test, wanted, rows: Vec::new() }
    }

    pub(crate) fn narrow(&mut self, block: usize, candidates: &mut BlockBits) -> Result<()> {
        let Self { reader, test, wanted, rows } = self;
        candidates.positions(rows);
        candidates.clear();
        reader.for_each(Window::whole(block), Selection::Rows(rows), &mut |row, value| {
            if test(value) == *wanted {
                candidates.insert(row);
            }
            Ok(())
        })
    }
}

/// The truth of an expression's value. An array is true when an element is.
pub(crate) fn truth_of(value: &ExprValue) -> Truth {
    match value {
        ExprValue::Array(items) => any(items.iter().map(truth_of)),
        value => value.truth().map_or(Truth::Unknown, Truth::from),
    }
}
