//! Columns as queries name them: stored ones, virtual ones that shadow them, and missing ones,
//! which read as null.

mod arithmetic;
mod combined;
mod expression;
mod id_memo;
mod interner;
mod numbers;
mod pairs;
mod part;
mod pieces;
mod reader;
mod set;
mod slot;
mod text_numbers;
mod window;

use std::sync::Arc;

use henge_expr::Expr;
use henge_query::{QueryContext, VirtualColumn};
use henge_segment::{ColumnView, ComplexColumn, NumericColumn, SegmentView, StringColumn};
use henge_types::{ValueType, aggregators_of};
use henge_vector::ARRAY_TYPE;

use crate::cancel::CancelFlag;
use crate::error::{ExecError, Result};
use crate::node::NodeDictionaries;

pub(crate) use arithmetic::Arithmetic;
pub use expression::ExpressionSource;
pub(crate) use id_memo::{IdMemo, widen_ids};
pub use interner::StringInterner;
pub(crate) use numbers::parse_text_long;
pub use pairs::Pairs;
pub use reader::ExpressionReader;
pub use set::{ColumnSet, LoadedBlock, NumericType, SlotId};
pub use slot::{Loaded, SlotStats};
pub use window::Window;

/// Where a column's values come from.
pub enum Source<'a> {
    /// The segment lacks the column: every row is null.
    Missing,
    /// A stored LONG column.
    Long(&'a dyn NumericColumn<i64>),
    /// A stored FLOAT column.
    Float(&'a dyn NumericColumn<f32>),
    /// A stored DOUBLE column.
    Double(&'a dyn NumericColumn<f64>),
    /// A stored STRING column.
    String(&'a dyn StringColumn),
    /// A stored column of pairs of a time and a value.
    Pairs(Pairs<'a>),
    /// A stored sketch column.
    Complex(&'a dyn ComplexColumn),
    /// A virtual column.
    Expression(ExpressionSource<'a>),
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::Long(_) => "Long",
            Self::Float(_) => "Float",
            Self::Double(_) => "Double",
            Self::String(_) => "String",
            Self::Pairs(_) => "Pairs",
            Self::Complex(_) => "Complex",
            Self::Expression(_) => "Expression",
        })
    }
}

/// The columns of a view, with the query's virtual columns over them.
#[derive(Debug, Clone)]
pub struct Columns<'a> {
    view: &'a dyn SegmentView,
    virtual_columns: &'a [VirtualColumn],
    dictionaries: Option<Arc<NodeDictionaries>>,
    keeps_found: bool,
    reads_few: bool,
    cancel: CancelFlag,
}

impl<'a> Columns<'a> {
    /// `cancel` stops the evaluation of expressions.
    pub fn new(
        view: &'a dyn SegmentView,
        virtual_columns: &'a [VirtualColumn],
        cancel: &CancelFlag,
    ) -> Self {
        let cancel = cancel.clone();
        let (dictionaries, keeps_found, reads_few) = (None, false, false);
        Self { view, virtual_columns, dictionaries, keeps_found, reads_few, cancel }
    }

    /// The same columns on a node that keeps what is derived from dictionaries.
    pub fn on_node(mut self, dictionaries: Option<&Arc<NodeDictionaries>>) -> Self {
        self.dictionaries = dictionaries.cloned();
        self
    }

    /// The same columns for a query that lets the node keep what its filters find, as it lets it keep
    /// parts of its answer.
    pub fn keeping_found(self, context: &QueryContext) -> Self {
        Self { keeps_found: context.use_cache && context.populate_cache, ..self }
    }

    /// The same columns for whoever reads few rows: nothing is found out of values that are not met.
    pub(crate) fn for_few_rows(self) -> Self {
        Self { reads_few: true, ..self }
    }

    /// True when few rows will be read.
    pub(crate) fn reads_few(&self) -> bool {
        self.reads_few
    }

    /// Where it is kept what filters find, if it is.
    pub(crate) fn found_on_node(&self) -> Option<&NodeDictionaries> {
        self.dictionaries.as_deref().filter(|_| self.keeps_found)
    }

    /// What the node keeps.
    pub(crate) fn dictionaries(&self) -> Option<&Arc<NodeDictionaries>> {
        self.dictionaries.as_ref()
    }

    /// The segment.
    pub fn view(&self) -> &'a dyn SegmentView {
        self.view
    }

    /// The source of a column.
    pub fn resolve(&self, name: &str) -> Result<Source<'a>> {
        self.resolve_outside(name, &mut Vec::new())
    }

    /// The values of stored pairs.
    ///
    /// # Errors
    /// `Internal` only.
    pub fn values_of(&self, pairs: Pairs<'a>) -> Result<ExpressionSource<'a>> {
        let value = Expr::parse("value").map_err(|error| ExecError::Internal(error.to_string()))?;
        let output_type = Some(pairs.value_type());
        Ok(ExpressionSource::new(value, vec![Source::Pairs(pairs)], output_type, &self.cancel))
    }

    /// The error of whoever reads a COMPLEX column as what it does not hold.
    #[must_use]
    pub fn unreadable(&self, name: &str, column: &dyn ComplexColumn) -> ExecError {
        let type_name = column.type_name();
        let readers = aggregators_of(type_name).unwrap_or("the aggregator that stored it");
        ExecError::Invalid(format!(
            "column '{name}' holds {type_name} in the segment of {}: read it with {readers}",
            self.view.id().interval
        ))
    }

    /// A column as an expression that gives its values as they are, several of a row as a list.
    ///
    /// # Errors
    /// When it holds sketches.
    pub fn bind_column(&self, name: &str) -> Result<ExpressionSource<'a>> {
        let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
        let column = Expr::parse(&format!("\"{escaped}\""));
        let column = column.map_err(|error| ExecError::Internal(error.to_string()))?;
        self.bind(&column, None)
    }

    /// Binds an expression (an aggregator's or a filter's own) to the columns it reads.
    pub(crate) fn bind(
        &self,
        expression: &Expr,
        output_type: Option<ValueType>,
    ) -> Result<ExpressionSource<'a>> {
        self.bind_outside(expression, output_type, &mut Vec::new())
    }

    /// A virtual column may read others, but not itself: inside its own expression the name means
    /// the stored column.
    fn resolve_outside(&self, name: &str, open: &mut Vec<String>) -> Result<Source<'a>> {
        let found = self.virtual_columns.iter().find(|column| column.name == name);
        if let Some(column) = found.filter(|_| !open.iter().any(|outer| outer == name)) {
            if let Some(other) = column.expression.as_identifier()
                && column.output_type.is_none()
                && other != name
            {
                return self.resolve_outside(other, open);
            }
            open.push(name.to_owned());
            let source = self.bind_outside(&column.expression, column.output_type, open)?;
            open.pop();
            return Ok(Source::Expression(source));
        }
        Ok(match self.view.column(name)? {
            None => Source::Missing,
            Some(ColumnView::Long(column)) => Source::Long(column),
            Some(ColumnView::Float(column)) => Source::Float(column),
            Some(ColumnView::Double(column)) => Source::Double(column),
            Some(ColumnView::String(column)) => Source::String(column),
            Some(ColumnView::Complex(column)) => match Pairs::of(name, column) {
                Some(pairs) => Source::Pairs(pairs),
                None => Source::Complex(column),
            },
        })
    }

    fn bind_outside(
        &self,
        expression: &Expr,
        output_type: Option<ValueType>,
        open: &mut Vec<String>,
    ) -> Result<ExpressionSource<'a>> {
        if open.len() > 32 {
            return Err(ExecError::Invalid(
                "virtualColumns are nested more than 32 deep".to_owned(),
            ));
        }
        let inputs = expression
            .identifiers()
            .iter()
            .map(|name| match self.resolve_outside(name, open)? {
                Source::Complex(column) if !column.type_name().starts_with(ARRAY_TYPE) => {
                    Err(self.unreadable(name, column))
                }
                source => Ok(source),
            })
            .collect::<Result<Vec<_>>>()?;
        let expression = over_arrays(expression, &inputs)?;
        Ok(ExpressionSource::new(expression, inputs, output_type, &self.cancel))
    }
}

/// The expression for these inputs: arrays are values by themselves there.
fn over_arrays(expression: &Expr, inputs: &[Source<'_>]) -> Result<Expr> {
    let named = expression.identifiers().iter().zip(inputs);
    let arrays = named.filter(|(_, input)| matches!(input, Source::Complex(_)));
    let arrays: Vec<&str> = arrays.map(|(name, _)| name.as_str()).collect();
    if arrays.is_empty() {
        return Ok(expression.clone());
    }
    expression.over_arrays(&arrays).map_err(|error| ExecError::of_expression(&error, ""))
}
