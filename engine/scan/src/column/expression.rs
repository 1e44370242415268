//! Expressions with the columns they read.

use std::cell::Cell;

use henge_expr::{Budget, Expr, ExprError, ExprValue, Limits};
use henge_segment::StringColumn;
use henge_types::ValueType;

use super::Source;
use super::arithmetic::Arithmetic;
use super::part::Part;
use crate::cancel::CancelFlag;
use crate::error::{ExecError, Result};

/// Bytes of texts and lists that the results for one window of rows may have.
const MAX_WINDOW_BYTES: u64 = 256 << 20;

/// An expression with the sources of its identifiers.
#[derive(Debug)]
pub struct ExpressionSource<'a> {
    expression: Expr,
    pub(super) inputs: Vec<Source<'a>>,
    output_type: Option<ValueType>,
    /// True when the result is one value as long as all inputs are.
    is_scalar: bool,
    /// What one evaluation may take, stopped with the query.
    budget: Budget,
    cancel: CancelFlag,
    /// Bytes of the window's results.
    window_bytes: Cell<u64>,
}

impl<'a> ExpressionSource<'a> {
    pub(crate) fn new(
        expression: Expr,
        inputs: Vec<Source<'a>>,
        output_type: Option<ValueType>,
        cancel: &CancelFlag,
    ) -> Self {
        let is_scalar = expression.is_scalar();
        let flag = cancel.clone();
        let budget = Budget::new(Limits::ROW, Some(std::sync::Arc::new(move || flag.is_set())));
        let (cancel, window_bytes) = (cancel.clone(), Cell::new(0));
        Self { expression, inputs, output_type, is_scalar, budget, cancel, window_bytes }
    }

    /// Begins a window of rows.
    pub(crate) fn start_window(&self) {
        self.window_bytes.set(0);
    }

    /// The expression as arithmetic over stored numbers, when it is no more than that.
    pub(crate) fn arithmetic(&self) -> Option<Arithmetic<'a>> {
        Arithmetic::compile(
            self.expression.ast(),
            self.expression.identifiers(),
            &self.inputs,
            self.output_type,
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

    /// True when a row may have several results.
    pub(crate) fn gives_lists(&self) -> bool {
        !self.is_scalar
            || self.inputs.iter().any(|input| match input {
                Source::String(column) => column.is_multi_value(),
                Source::Expression(inner) => inner.gives_lists(),
                _ => false,
            })
    }

    /// The declared type.
    pub fn output_type(&self) -> Option<ValueType> {
        self.output_type
    }

    /// The one string column the expression depends on, when it depends on nothing else. Then it
    /// can be evaluated once per dictionary id, with [`ExpressionSource::of_text`].
    pub(crate) fn only_string_input(&self) -> Option<&'a dyn StringColumn> {
        let inputs = self.inputs.iter().enumerate();
        let mut inputs = inputs.filter(|(_, input)| !matches!(input, Source::Missing));
        match (inputs.next(), inputs.next()) {
            (Some((slot, Source::String(column))), None)
                if self.is_scalar
                    && (!column.is_multi_value() || self.expression.is_by_value(slot)) =>
            {
                Some(*column)
            }
            _ => None,
        }
    }

    /// As [`ExpressionSource::only_string_input`], when each row has one value.
    pub(super) fn only_single_text(&self) -> Option<&'a dyn StringColumn> {
        self.only_string_input().filter(|column| !column.is_multi_value())
    }

    /// True when the result is the number of characters of the only text that it reads.
    pub(super) fn is_text_length(&self) -> bool {
        let plain = matches!(self.output_type, None | Some(ValueType::Long | ValueType::Double));
        plain && self.expression.as_text_length().is_some()
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
                Source::String(_) | Source::Pairs(_) | Source::Complex(_) => return None,
            });
        }
        self.is_scalar.then_some(())
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

    /// The result for these values of the inputs.
    pub(crate) fn of_inputs(&self, slots: &[ExprValue]) -> Result<ExprValue> {
        self.eval(slots)
    }

    /// As [`ExpressionSource::eval`], for a result that is kept at least as long as the window.
    pub(super) fn eval_kept(&self, slots: &[ExprValue]) -> Result<ExprValue> {
        let value = self.eval(slots)?;
        self.keep(&value)?;
        Ok(value)
    }

    /// Evaluates over slots of which some may be lists that came from multi-value columns.
    fn eval(&self, slots: &[ExprValue]) -> Result<ExprValue> {
        self.budget.renew();
        let value = self.expression.eval_within(slots, &self.budget);
        let value = value.map_err(|error| self.error(&error))?;
        Ok(cast(value, self.output_type))
    }

    /// Counts a result of the window.
    pub(crate) fn keep(&self, value: &ExprValue) -> Result<()> {
        if !matches!(value, ExprValue::String(_) | ExprValue::Array(_)) {
            return Ok(());
        }
        let bytes = self.window_bytes.get() + value.bytes();
        self.window_bytes.set(bytes);
        if bytes <= MAX_WINDOW_BYTES {
            return Ok(());
        }
        Err(ExecError::ResourceLimit(format!(
            "expression '{:.60}': its results for some thousand rows are more than \
             {MAX_WINDOW_BYTES} bytes; make shorter ones",
            self.expression.text()
        )))
    }

    fn error(&self, error: &ExprError) -> ExecError {
        match self.cancel.check() {
            Err(stopped) if *error == ExprError::Stopped => stopped,
            _ => ExecError::of_expression(error, ""),
        }
    }
}

/// Converts a result to the declared type.
fn cast(value: ExprValue, output_type: Option<ValueType>) -> ExprValue {
    let Some(output_type) = output_type else { return value };
    match (value, output_type) {
        (ExprValue::Array(items), _) => items
            .iter()
            .map(|item| cast(item.clone(), Some(output_type)))
            .collect::<Vec<_>>()
            .into(),
        (value, ValueType::Long) => value.as_long().into(),
        (value, ValueType::Double) => value.as_double().into(),
        (value, ValueType::Float) => value.as_double().map(|v| f64::from(v as f32)).into(),
        (ExprValue::String(text), ValueType::String) => ExprValue::String(text),
        (value, ValueType::String) => value.as_text().as_deref().map(ExprValue::from).into(),
    }
}
