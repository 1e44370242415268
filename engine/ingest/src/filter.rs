//! The row filter of the transformSpec. What it means is what a query's filter means
//! ([`henge_query::comparison`]), of the values as they will be stored: dropping an event here and
//! not selecting its row later are the same decision.

use henge_expr::{Budget, ExprValue};
use henge_query::Filter;
use henge_query::comparison::{FilterRow, FilterValue, RowPlan, Truth};

use crate::coerce::{Cell, Cells, Column, Target, coerce, describe};
use crate::layout::{Layout, Source};
use crate::limits::ParseLimits;
use crate::raw::{EventBuffer, Raw};
use crate::rejection::RejectReason;
use crate::transform::batch_budget;

/// A filter with its columns resolved.
#[derive(Debug)]
pub(crate) struct RowFilter {
    /// Columns are positions in `inputs`.
    plan: RowPlan<'static, usize>,
    inputs: Vec<Input>,
    /// Dimensions there were when the inputs last looked for theirs.
    dimension_count: usize,
    /// The values of the event at hand, by input.
    values: Vec<Seen>,
    cells: Cells,
    /// What the expressions of one event may take, and those of a batch.
    budget: Budget,
}

/// A name that the filter reads.
#[derive(Debug)]
struct Input {
    name: String,
    source: Source,
    /// The dimension that will store it.
    dimension: Option<usize>,
}

/// A value as the filter sees it.
#[derive(Debug, Clone, Copy)]
enum Seen {
    /// As a column of this type stores it.
    Stored(Cell, Target),
    /// Of no dimension (yet), or nothing that its column could store: as it came.
    Sent(Raw),
}

/// An event's values and the texts they point into.
struct Row<'a> {
    values: &'a [Seen],
    cells: &'a Cells,
    body: &'a str,
    buffer: &'a EventBuffer,
    budget: &'a Budget,
}

impl RowFilter {
    pub(crate) fn new(filter: &Filter, layout: &mut Layout) -> Self {
        let mut inputs: Vec<Input> = Vec::new();
        let plan = RowPlan::new(filter, &mut |name: &str| {
            if let Some(known) = inputs.iter().position(|input| input.name == name) {
                return known;
            }
            let source = layout.resolve(name);
            inputs.push(Input { name: name.to_owned(), source, dimension: None });
            inputs.len() - 1
        });
        let plan = plan.into_owned();
        let (values, cells, budget) = (Vec::new(), Cells::default(), batch_budget());
        Self { plan, inputs, dimension_count: 0, values, cells, budget }
    }

    /// Begins a batch, see [`crate::transform::Transforms::start_batch`].
    pub(crate) fn start_batch(&mut self) {
        self.budget = batch_budget();
    }

    /// Whether the event becomes a row.
    ///
    /// # Errors
    /// When an expression fails on its values.
    pub(crate) fn keeps(
        &mut self,
        timestamp_ms: i64,
        body: &str,
        layout: &Layout,
        buffer: &mut EventBuffer,
        limits: &ParseLimits,
    ) -> Result<bool, RejectReason> {
        self.find_dimensions(layout);
        self.values.clear();
        self.cells.clear();
        for input in &self.inputs {
            let raw = Layout::value(input.source, timestamp_ms, buffer);
            let target = match input.dimension.and_then(|at| layout.dimensions.get(at)) {
                Some(plan) => Some(plan.target),
                None => layout.becomes_text(&input.name).then_some(Target::String),
            };
            let stored = target.and_then(|target| {
                let column = Column { name: &input.name, target, is_metric: false, limits };
                coerce(raw, &column, body, buffer, &mut self.cells).ok()?;
                self.cells.values.last().map(|cell| Seen::Stored(*cell, target))
            });
            self.values.push(stored.unwrap_or(Seen::Sent(raw)));
        }
        self.budget.renew();
        let (values, cells, budget) = (&self.values, &self.cells, &self.budget);
        let row = Row { values, cells, body, buffer, budget };
        let truth = self.plan.truth(&row).map_err(|error| {
            let name = "transformSpec.filter".to_owned();
            RejectReason::Transform { name, message: error.to_string() }
        })?;
        Ok(truth == Truth::True)
    }

    /// Dimensions are only ever added, behind the others.
    fn find_dimensions(&mut self, layout: &Layout) {
        let known = self.dimension_count;
        if layout.dimensions.len() == known {
            return;
        }
        self.dimension_count = layout.dimensions.len();
        for input in self.inputs.iter_mut().filter(|input| input.dimension.is_none()) {
            let mut new = layout.dimensions.iter().skip(known);
            let found = new.position(|plan| plan.name == input.name);
            input.dimension = found.map(|at| known + at);
        }
    }
}

impl FilterRow<usize> for Row<'_> {
    fn visit(&self, column: &usize, visit: &mut dyn FnMut(FilterValue<'_>) -> bool) {
        match self.values.get(*column) {
            Some(Seen::Stored(cell, target)) => self.visit_cell(*cell, *target, visit),
            Some(Seen::Sent(raw)) => {
                self.visit_raw(*raw, visit);
            }
            None => {}
        }
    }

    fn expr_value(&self, column: &usize) -> ExprValue {
        let mut values = Vec::new();
        self.visit(column, &mut |value| {
            values.push(match value {
                FilterValue::Null => ExprValue::Null,
                FilterValue::Long(value) => ExprValue::Long(value),
                FilterValue::Float(value) => ExprValue::Double(f64::from(value)),
                FilterValue::Double(value) => ExprValue::Double(value),
                FilterValue::Text(text) => ExprValue::from(text),
            });
            true
        });
        match self.values.get(*column) {
            // Booleans are numbers of expressions and texts of columns.
            Some(Seen::Sent(Raw::Bool(value))) => ExprValue::of_bool(*value),
            _ if values.len() == 1 => values.swap_remove(0),
            _ => ExprValue::from(values),
        }
    }

    fn budget(&self) -> Option<&Budget> {
        Some(self.budget)
    }
}

impl Row<'_> {
    fn visit_cell(
        &self,
        cell: Cell,
        target: Target,
        visit: &mut dyn FnMut(FilterValue<'_>) -> bool,
    ) {
        let arena = &self.buffer.arena;
        let value = match cell {
            Cell::Null => FilterValue::Null,
            Cell::Long(value) => FilterValue::Long(value),
            Cell::Double(value) if target == Target::Float => FilterValue::Float(value as f32),
            Cell::Double(value) => FilterValue::Double(value),
            Cell::Text(span) => FilterValue::Text(span.text(self.body, arena)),
            Cell::Multi { first, count } => {
                let parts = self.cells.parts.get(first..first + count).unwrap_or_default();
                parts.iter().all(|part| {
                    visit(part.map_or(FilterValue::Null, |span| {
                        FilterValue::Text(span.text(self.body, arena))
                    }))
                });
                return;
            }
        };
        visit(value);
    }

    fn visit_raw(&self, raw: Raw, visit: &mut dyn FnMut(FilterValue<'_>) -> bool) -> bool {
        let arena = &self.buffer.arena;
        match raw.nearest_double(self.body, arena) {
            Raw::Missing | Raw::Null | Raw::List { count: 0, .. } => visit(FilterValue::Null),
            Raw::Long(value) => visit(FilterValue::Long(value)),
            Raw::Double(value) => visit(FilterValue::Double(value)),
            Raw::Bool(_) => visit(FilterValue::Text(&describe(raw, self.body, self.buffer))),
            Raw::Text(span) | Raw::Json(span) | Raw::HugeNumber(span) | Raw::LongDecimal(span) => {
                visit(FilterValue::Text(span.text(self.body, arena)))
            }
            Raw::List { first, count } => {
                self.buffer.list(first, count).iter().all(|item| self.visit_raw(*item, visit))
            }
        }
    }
}
