//! `having` of groupBy: tests over finished rows.
//!
//! Values compare as they do in filters, exactly. The clauses themselves are two-valued, as in
//! Druid: what is null is neither greater, less nor equal, so `not` of that keeps the row. The
//! `filter` form follows the three-valued logic of filters and keeps what is true.

use std::borrow::Cow;

use henge_expr::{Budget, ExprValue};
use henge_query::comparison::{Comparison, FilterRow, FilterValue, Leaf, RowPlan, Truth};
use henge_query::{Filter, Having, Literal, RangeBound};
use henge_scan::{ExecError, Result};
use henge_types::ValueType;
use henge_types::narrow::to_float;
use henge_vector::{Column, optional};

use crate::finalise::fields::Frame;

/// Computes the fields that the clause reads and drops the rows that fail it.
pub(crate) fn keep_rows(having: &Having, frame: &mut Frame<'_>) -> Result<Vec<u32>> {
    require_fields(having, frame)?;
    let test = compile(having, frame);
    let budget = frame.budget();
    let mut kept = Vec::new();
    for (at, &row) in frame.rows().iter().enumerate() {
        budget.renew();
        if test.holds(&RowAt { row: at, budget: &budget })? {
            kept.push(row);
        }
    }
    Ok(kept)
}

fn require_fields(having: &Having, frame: &mut Frame<'_>) -> Result<()> {
    match having {
        Having::GreaterThan { aggregation: name, .. }
        | Having::LessThan { aggregation: name, .. }
        | Having::EqualTo { aggregation: name, .. }
        | Having::DimSelector { dimension: name, .. } => frame.require(name).map(|_| ()),
        Having::And(parts) | Having::Or(parts) => {
            parts.iter().try_for_each(|part| require_fields(part, frame))
        }
        Having::Not(inner) => require_fields(inner, frame),
        Having::Always | Having::Never => Ok(()),
        Having::Filter(filter) => {
            let mut names = Vec::new();
            collect_columns(filter, &mut names);
            // As everywhere, a filter reads a column that does not exist as null.
            names.retain(|name| frame.has_field(name));
            names.into_iter().try_for_each(|name| frame.require(&name).map(|_| ()))
        }
    }
}

fn collect_columns(filter: &Filter, names: &mut Vec<String>) {
    RowPlan::new(filter, &mut |name: &str| names.push(name.to_owned()));
}

/// A clause whose fields were computed.
enum Test<'f> {
    Constant(bool),
    And(Vec<Test<'f>>),
    Or(Vec<Test<'f>>),
    Not(Box<Test<'f>>),
    Compare(Option<&'f Column>, Leaf<'f>),
    Filter(RowPlan<'f, Option<&'f Column>>),
}

fn compile<'f>(having: &'f Having, frame: &'f Frame<'_>) -> Test<'f> {
    let all = |parts: &'f [Having]| parts.iter().map(|part| compile(part, frame)).collect();
    let end = |value: &Literal| Some(Cow::Owned(RangeBound { value: value.clone(), strict: true }));
    let compare = |name: &str, comparison| Test::Compare(frame.find(name), Leaf::new(comparison));
    let number = ValueType::Double;
    match having {
        Having::Always => Test::Constant(true),
        Having::Never => Test::Constant(false),
        Having::And(parts) => Test::And(all(parts)),
        Having::Or(parts) => Test::Or(all(parts)),
        Having::Not(inner) => Test::Not(Box::new(compile(inner, frame))),
        Having::GreaterThan { aggregation, value } => {
            let range = Comparison::Range { lower: end(value), upper: None, match_type: number };
            compare(aggregation, range)
        }
        Having::LessThan { aggregation, value } => {
            let range = Comparison::Range { lower: None, upper: end(value), match_type: number };
            compare(aggregation, range)
        }
        Having::EqualTo { aggregation, value } => {
            compare(aggregation, Comparison::Equals(Cow::Borrowed(value), number))
        }
        Having::DimSelector { dimension, value } => {
            let values = Cow::Borrowed(std::slice::from_ref(value));
            compare(dimension, Comparison::OneOf(values))
        }
        Having::Filter(filter) => {
            Test::Filter(RowPlan::new(filter, &mut |name: &str| frame.find(name)))
        }
    }
}

impl Test<'_> {
    fn holds(&self, row: &RowAt<'_>) -> Result<bool> {
        Ok(match self {
            Self::Constant(value) => *value,
            Self::And(parts) => {
                for part in parts {
                    if !part.holds(row)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Or(parts) => {
                for part in parts {
                    if part.holds(row)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Not(inner) => !inner.holds(row)?,
            Self::Compare(column, leaf) => {
                leaf.of_values(&mut |see| visit(*column, row.row, see)) == Truth::True
            }
            Self::Filter(plan) => {
                let truth = plan
                    .truth(row)
                    .map_err(|error| ExecError::of_expression(&error, "having.filter: "))?;
                truth == Truth::True
            }
        })
    }
}

/// A row of a frame by its position, and what expressions may take for it.
struct RowAt<'b> {
    row: usize,
    budget: &'b Budget,
}

impl<'f> FilterRow<Option<&'f Column>> for RowAt<'_> {
    fn visit(&self, column: &Option<&'f Column>, see: &mut dyn FnMut(FilterValue<'_>) -> bool) {
        visit(*column, self.row, see);
    }

    fn expr_value(&self, column: &Option<&'f Column>) -> ExprValue {
        column.map_or(ExprValue::Null, |column| column.expr_value(self.row))
    }

    fn budget(&self) -> Option<&Budget> {
        Some(self.budget)
    }
}

/// The values of a field; a field that does not exist is null, and so is a sketch as it is.
fn visit(column: Option<&Column>, row: usize, see: &mut dyn FnMut(FilterValue<'_>) -> bool) {
    let null = FilterValue::Null;
    let value = match column {
        None => null,
        Some(Column::Long(values)) => optional(values, row).map_or(null, FilterValue::Long),
        Some(Column::Float(values)) => optional(values, row).map_or(null, FilterValue::Float),
        Some(Column::Double(values)) => optional(values, row).map_or(null, FilterValue::Double),
        Some(Column::WideFloat(values)) => {
            optional(values, row).map_or(null, |value| FilterValue::Float(to_float(value)))
        }
        Some(Column::Text(text)) => text.get(row).map_or(null, FilterValue::Text),
        Some(Column::NodeIds(keys)) => keys.get(row).map_or(null, FilterValue::Text),
        Some(Column::Mixed(values)) => {
            FilterValue::visit_expr(&values[row], see);
            return;
        }
        Some(
            column @ (Column::Null(_)
            | Column::Wide(_)
            | Column::Lists(_)
            | Column::Objects(_)
            | Column::Timed(_)
            | Column::SegmentIds(_)),
        ) => {
            FilterValue::visit_expr(&column.expr_value(row), see);
            return;
        }
    };
    see(value);
}
