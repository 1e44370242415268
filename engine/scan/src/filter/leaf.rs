//! Leaves that evaluate values one by one: numbers seen as text, and expressions.

use henge_expr::ExprValue;
use henge_query::comparison::{FilterValue, Leaf, NumericValue, Truth};
use henge_segment::NumericColumn;

use crate::column::{ExpressionReader, Window};
use crate::error::Result;
use crate::selection::BlockBits;
use crate::selection::Selection;

/// What is said of an expression's value.
pub(crate) type ValueTest<'a> = Box<dyn Fn(&ExprValue) -> Truth + 'a>;

/// A numeric column seen as text (LIKE over a LONG column): slow, and rare.
pub(crate) struct TextLeaf<'a> {
    values: RowValues<'a>,
    leaf: Leaf<'a>,
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
    pub(crate) fn new(values: RowValues<'a>, leaf: Leaf<'a>, wanted: Truth) -> Self {
        Self { values, leaf, wanted }
    }

    pub(crate) fn narrow(&mut self, block: usize, candidates: &mut BlockBits) -> Result<()> {
        let keep = |value: FilterValue<'_>| self.leaf.truth(value) == self.wanted;
        match self.values {
            RowValues::Long(column) => {
                narrow_text(column, block, candidates, FilterValue::Long, keep)
            }
            RowValues::Float(column) => {
                narrow_text(column, block, candidates, FilterValue::Float, keep)
            }
            RowValues::Double(column) => {
                narrow_text(column, block, candidates, FilterValue::Double, keep)
            }
        }
    }
}

fn narrow_text<T: NumericValue>(
    column: &dyn NumericColumn<T>,
    block: usize,
    candidates: &mut BlockBits,
    wrap: impl Fn(T) -> FilterValue<'static>,
    keep: impl Fn(FilterValue<'_>) -> bool,
) -> Result<()> {
    let mut scratch = Vec::new();
    let loaded = column.block(block, &mut scratch)?;
    let mut last: Option<(T, bool)> = None;
    let of_null = keep(FilterValue::Null);
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
    test: ValueTest<'a>,
    wanted: Truth,
    rows: Vec<u16>,
}

impl std::fmt::Debug for ExpressionLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExpressionLeaf").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl<'a> ExpressionLeaf<'a> {
    pub(crate) fn new(reader: ExpressionReader<'a>, test: ValueTest<'a>, wanted: Truth) -> Self {
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
