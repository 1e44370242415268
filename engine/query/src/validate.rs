//! Checks of a whole query: [`bounds`], and names that must exist, must be unique or must not cycle.

mod source;

use std::collections::{HashMap, HashSet};

use henge_expr::Expr;
use henge_types::TIME_COLUMN;

use crate::aggregate::{AggregatorKind, AggregatorSpec};
use crate::bounds;
use crate::error::{QueryError, Result};
use crate::filter::Filter;
use crate::having::Having;
use crate::node::excerpt;
use crate::post_aggregator::PostAggregator;
use crate::query::{GroupByQuery, Query, QueryBase, ScanQuery, TopNMetric, TopNQuery};

impl Query {
    /// Checks the query: bounds of numbers and lists, references between its parts. [`Query::parse`]
    /// does it, and so does whoever takes a query to answer it.
    ///
    /// # Errors
    /// The first number or list that is out of bounds, or name that is missing, doubled or refers to
    /// itself.
    pub fn validate(&self) -> Result<()> {
        bounds::check(self)?;
        source::check(self)?;
        virtual_columns(self.base())?;
        uses_of_lists(self)?;
        groupings(self)?;
        match self {
            Self::Timeseries(query) => {
                let mut names = OutputNames::default();
                // The time of the bucket is on every row under this name when it is asked for.
                let time_field = query.base.context.timestamp_result_field.as_deref();
                names.known.extend(time_field);
                names.aggregations(&query.aggregations)?;
                names.post_aggregations(&query.post_aggregations)
            }
            Self::TopN(query) => top_n(query),
            Self::GroupBy(query) => group_by(query),
            Self::Scan(query) => scan(query),
            Self::Search(_)
            | Self::TimeBoundary(_)
            | Self::SegmentMetadata(_)
            | Self::DataSourceMetadata(_) => Ok(()),
        }
    }
}

/// The columns of a result row, in the order in which they come to be.
#[derive(Default)]
struct OutputNames<'q> {
    known: HashSet<&'q str>,
}

impl<'q> OutputNames<'q> {
    fn add(&mut self, path: String, name: &'q str) -> Result<()> {
        if !self.known.insert(name) {
            let message =
                format!("the result already has a column '{}'; names must differ", excerpt(name));
            return Err(QueryError::invalid(path, message));
        }
        Ok(())
    }

    fn aggregations(&mut self, aggregations: &'q [AggregatorSpec]) -> Result<()> {
        for (index, spec) in aggregations.iter().enumerate() {
            self.add(format!("aggregations[{index}].name"), &spec.name)?;
        }
        Ok(())
    }

    fn post_aggregations(&mut self, post_aggregations: &'q [PostAggregator]) -> Result<()> {
        for (index, spec) in post_aggregations.iter().enumerate() {
            let path = format!("postAggregations[{index}]");
            self.inputs(&path, spec)?;
            self.add(format!("{path}.name"), spec.name())?;
        }
        Ok(())
    }

    /// A post-aggregator reads dimensions, aggregators and the post-aggregators before it.
    fn inputs(&self, path: &str, spec: &PostAggregator) -> Result<()> {
        match spec {
            PostAggregator::FieldAccess { field, .. }
            | PostAggregator::FinalizingFieldAccess { field, .. }
            | PostAggregator::Root { field, .. } => {
                self.require(&format!("{path}.fieldName"), field)
            }
            PostAggregator::Expression { expression, .. } => expression
                .identifiers()
                .iter()
                .filter(|name| *name != TIME_COLUMN)
                .try_for_each(|name| self.require(&format!("{path}.expression"), name)),
            PostAggregator::SketchEstimate { field, .. }
            | PostAggregator::OfQuantiles { field, .. } => {
                self.inputs(&format!("{path}.field"), field)
            }
            PostAggregator::Arithmetic { fields, .. } | PostAggregator::Extreme { fields, .. } => {
                fields.iter().enumerate().try_for_each(|(index, field)| {
                    self.inputs(&format!("{path}.fields[{index}]"), field)
                })
            }
            PostAggregator::Constant { .. } => Ok(()),
        }
    }

    fn require(&self, path: &str, name: &str) -> Result<()> {
        if self.known.contains(name) {
            return Ok(());
        }
        let message = format!("'{}' is no column of the result; {}", excerpt(name), self.listed());
        Err(QueryError::invalid(path, message))
    }

    fn listed(&self) -> String {
        const MOST: usize = 20;
        if self.known.is_empty() {
            return "there is none before it".to_owned();
        }
        let mut names: Vec<&str> = self.known.iter().map(|name| excerpt(name)).collect();
        names.sort_unstable();
        let more = if names.len() > MOST { ", …" } else { "" };
        names.truncate(MOST);
        format!("there are: {}{more}", names.join(", "))
    }
}

/// A column cannot stand for a list and for one of its values in one expression. Schemas that were
/// stored may hold such expressions, so parsing them is no error by itself.
fn uses_of_lists(query: &Query) -> Result<()> {
    let check = |path: &str, expression: &Expr| {
        expression.check_uses().map_err(|error| QueryError::invalid(path, error.to_string()))
    };
    let check_all = |path: &str, filter: &Filter| {
        let mut expressions = Vec::new();
        filter.for_each_expression(&mut |expression| expressions.push(expression));
        expressions.into_iter().try_for_each(|expression| check(path, expression))
    };
    let base = query.base();
    for (index, column) in base.virtual_columns.iter().enumerate() {
        check(&format!("virtualColumns[{index}].expression"), &column.expression)?;
    }
    if let Some(filter) = &base.filter {
        check_all("filter", filter)?;
    }
    let aggregations = query.grouped().map_or(&[][..], |grouped| grouped.aggregations);
    for (index, spec) in aggregations.iter().enumerate() {
        if let Some(expression) = spec.kind.expression() {
            check(&format!("aggregations[{index}].expression"), expression)?;
        }
        if let Some(filter) = &spec.filter {
            check_all(&format!("aggregations[{index}].filter"), filter)?;
        }
    }
    Ok(())
}

/// What a groupBy is asked about its grouping sets are its dimensions. Other queries have none, and leave none
/// out.
fn groupings(query: &Query) -> Result<()> {
    let Query::GroupBy(query) = query else { return Ok(()) };
    for (index, spec) in query.aggregations.iter().enumerate() {
        let AggregatorKind::Grouping(grouping) = &spec.kind else { continue };
        if let Some((at, name)) = grouping.unknown(&query.dimensions) {
            let path = format!("aggregations[{index}].groupings[{at}]");
            let message = format!("'{}' is no dimension of the query", excerpt(name));
            return Err(QueryError::invalid(path, message));
        }
    }
    Ok(())
}

fn top_n(query: &TopNQuery) -> Result<()> {
    let mut names = OutputNames::default();
    names.add("dimension.outputName".to_owned(), &query.dimension.output_name)?;
    names.aggregations(&query.aggregations)?;
    names.post_aggregations(&query.post_aggregations)?;
    let mut metric = &query.metric;
    let mut path = "metric".to_owned();
    while let TopNMetric::Inverted(inner) = metric {
        metric = inner;
        path.push_str(".metric");
    }
    let TopNMetric::Numeric(name) = metric else { return Ok(()) };
    // The dimension itself is ranked by {"type":"dimension"}.
    names.known.remove(query.dimension.output_name.as_str());
    if names.known.is_empty() {
        let message = format!(
            "'{}' is no aggregator of the query; add it to aggregations, or rank by the \
             dimension's value with {{\"type\":\"dimension\"}}",
            excerpt(name)
        );
        return Err(QueryError::invalid(path, message));
    }
    names.require(&path, name)
}

fn group_by(query: &GroupByQuery) -> Result<()> {
    let mut names = OutputNames::default();
    for (index, spec) in query.dimensions.iter().enumerate() {
        let path = format!("dimensions[{index}].outputName");
        if spec.output_name == TIME_COLUMN {
            let message = "__time cannot be an output name; give another outputName";
            return Err(QueryError::invalid(path, message));
        }
        names.add(path, &spec.output_name)?;
    }
    names.aggregations(&query.aggregations)?;
    names.post_aggregations(&query.post_aggregations)?;
    // From here on the bucket's time counts as a column too.
    names.known.insert(TIME_COLUMN);
    if let Some(spec) = &query.limit_spec {
        for (index, column) in spec.columns.iter().enumerate() {
            names.require(&format!("limitSpec.columns[{index}].dimension"), &column.column)?;
        }
    }
    query.having.as_ref().map_or(Ok(()), |clause| having(&names, "having", clause))
}

fn having(names: &OutputNames<'_>, path: &str, clause: &Having) -> Result<()> {
    match clause {
        Having::GreaterThan { aggregation, .. }
        | Having::LessThan { aggregation, .. }
        | Having::EqualTo { aggregation, .. } => {
            names.require(&format!("{path}.aggregation"), aggregation)
        }
        Having::DimSelector { dimension, .. } => {
            names.require(&format!("{path}.dimension"), dimension)
        }
        Having::And(clauses) | Having::Or(clauses) => clauses
            .iter()
            .enumerate()
            .try_for_each(|(i, clause)| having(names, &format!("{path}.havingSpecs[{i}]"), clause)),
        Having::Not(clause) => having(names, &format!("{path}.havingSpec"), clause),
        // A filter over a column that rows lack sees null, as any filter does.
        Having::Always | Having::Never | Having::Filter(_) => Ok(()),
    }
}

fn scan(query: &ScanQuery) -> Result<()> {
    if query.columns.is_empty() {
        return Ok(());
    }
    match query.order_by.iter().find(|key| !query.columns.contains(&key.column)) {
        None => Ok(()),
        Some(key) => {
            let column = excerpt(&key.column);
            let message = format!("a scan ordered by {column} must select it; add it to columns");
            Err(QueryError::invalid("columns", message))
        }
    }
}

/// Virtual columns may read each other, but not in a circle. One may read the stored column that it
/// shadows only if it does not carry its name, as in Druid.
fn virtual_columns(base: &QueryBase) -> Result<()> {
    let columns = &base.virtual_columns;
    let mut positions = HashMap::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        if positions.insert(column.name.as_str(), index).is_some() {
            let message = format!("there is another virtual column '{}'", excerpt(&column.name));
            return Err(QueryError::invalid(format!("virtualColumns[{index}].name"), message));
        }
    }
    // Columns whose inputs are all settled are settled themselves, until nothing moves.
    let inputs = |index: usize| {
        let names = columns[index].expression.identifiers().iter();
        names.filter_map(|name| positions.get(name.as_str()).copied()).collect::<Vec<usize>>()
    };
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); columns.len()];
    let mut open_inputs: Vec<usize> = vec![0; columns.len()];
    for (index, open) in open_inputs.iter_mut().enumerate() {
        for input in inputs(index) {
            readers[input].push(index);
            *open += 1;
        }
    }
    let mut settled: Vec<usize> =
        (0..columns.len()).filter(|index| open_inputs[*index] == 0).collect();
    let mut next = 0;
    while let Some(&done) = settled.get(next) {
        next += 1;
        for &reader in &readers[done] {
            open_inputs[reader] -= 1;
            if open_inputs[reader] == 0 {
                settled.push(reader);
            }
        }
    }
    match open_inputs.iter().position(|open| *open > 0) {
        None => Ok(()),
        Some(index) => Err(QueryError::invalid(
            format!("virtualColumns[{index}].expression"),
            format!("virtual column '{}' reads itself", excerpt(&columns[index].name)),
        )),
    }
}
