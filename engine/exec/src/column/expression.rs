//! Expressions with the columns they read.

use henge_expr::{Ast, Expr, ExprValue};
use henge_segment::StringColumn;
use henge_types::ColumnType;

use super::Source;
use super::arithmetic::Arithmetic;
use super::part::Part;
use crate::error::{ExecError, Result};

/// An expression with the sources of its identifiers.
#[derive(Debug)]
pub(crate) struct ExpressionSource<'a> {
    expression: Expr,
    pub(super) inputs: Vec<Source<'a>>,
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
    pub(crate) fn arithmetic(&self) -> Option<Arithmetic<'a>> {
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

    /// Adds the stored columns that it reads, and those that the virtual columns in it read, as
    /// parts of what its result depends on; `None` when a row's result may be several values.
    pub(super) fn collect_parts(&self, parts: &mut Vec<Part<'a>>) -> Option<()> {
        for (name, input) in self.expression.identifiers().iter().zip(&self.inputs) {
            parts.push(match input {
                Source::Missing => continue,
                Source::Expression(inner) => {
                    inner.collect_parts(parts)?;
                    continue;
                }
                Source::String(column) if !column.is_multi_value() => Part::text(*column),
                Source::Long(column) => Part::long(*column, self.expression.time_pieces(name)),
                Source::Float(column) => Part::float(*column),
                Source::Double(column) => Part::double(*column),
                Source::String(_) | Source::Complex(_) => return None,
            });
        }
        self.per_element.then_some(())
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
    pub(super) fn eval_elements(&self, slots: &mut [ExprValue], from: usize) -> Result<ExprValue> {
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
