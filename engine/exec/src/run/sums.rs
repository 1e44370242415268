//! Sums of what one column is multiplied by or added to: `SUM(x + 3)` is `SUM(x)` and three times the
//! number of rows. A segment is asked for the sums and counts behind them, each once, wherever no
//! row's own result can overflow; what the query's aggregators have then follows from them.
//!
//! Doubles are summed as they are: adding to them rounds.

use henge_expr::Affine;
use henge_query::aggregate::{Count, Numeric};
use henge_query::{
    AggregatorInput, AggregatorKind, AggregatorSpec, Filter, GroupedQuery, VirtualColumn,
};
use henge_scan::{ExecError, Result};
use henge_segment::{ColumnView, SegmentView};
use henge_types::{NumericOp, ValueType};
use henge_vector::{Array, Column};
use rustc_hash::FxHashMap;

use super::Blocks;
use super::grouped::{self, Flush, Output};
use crate::context::ExecContext;
use crate::partial::{GroupedPartial, Partial};
use crate::top_cut::TopCut;

/// As [`grouped::run`].
pub(super) fn run(
    query: &GroupedQuery<'_>,
    output: Output<'_>,
    view: &dyn SegmentView,
    blocks: &mut Blocks<'_>,
    mut flush: Option<Flush<'_>>,
    ctx: &ExecContext,
) -> Result<Partial> {
    let Some(plan) = SumPlan::of(query, view)? else {
        return grouped::run(query, output, view, blocks, flush, ctx);
    };
    let asked = GroupedQuery { aggregations: &plan.aggregators, ..*query };
    let cut = output.cut.and_then(|cut| plan.cut(cut));
    let output = Output { cut: cut.as_ref(), ..output };
    let is_flushed = flush.is_some();
    let mut flush_states = |mut groups: GroupedPartial, distinctness| {
        groups.states = plan.states(&groups.states)?;
        flush.as_mut().map_or(Ok(()), |flush| flush(groups, distinctness))
    };
    let flush = is_flushed.then_some(&mut flush_states as Flush<'_>);
    let mut partial = grouped::run(&asked, output, view, blocks, flush, ctx)?;
    if let Partial::Grouped(groups) = &mut partial {
        groups.states = plan.states(&groups.states)?;
    }
    Ok(partial)
}

/// What a segment is asked instead of a query's aggregators.
#[derive(Debug)]
struct SumPlan {
    aggregators: Vec<AggregatorSpec>,
    answers: Vec<Answer>,
}

/// How an aggregator's states follow from those that were asked for.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// They are those.
    As(usize),
    /// A form of the sum of a column, whose values are counted.
    Of { form: Affine, sum: usize, count: usize },
}

/// The sum of an expression over a column.
struct SumOf<'q> {
    column: &'q str,
    expression: &'q henge_expr::Expr,
}

impl SumPlan {
    /// `None` when the query's own aggregators are as good.
    fn of(query: &GroupedQuery<'_>, view: &dyn SegmentView) -> Result<Option<Self>> {
        let virtual_columns = &query.base.virtual_columns;
        let sums: Vec<Option<SumOf<'_>>> =
            query.aggregations.iter().map(|spec| SumOf::of(spec, virtual_columns)).collect();
        if sums.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut planning = Planning { virtual_columns, ..Planning::default() };
        let mut columns: FxHashMap<&str, Option<Summed>> = FxHashMap::default();
        let mut answers = Vec::with_capacity(sums.len());
        for (spec, sum) in query.aggregations.iter().zip(&sums) {
            let formed = match sum {
                None => None,
                Some(sum) => {
                    let known = columns.get(sum.column).copied();
                    let column = known.map_or_else(|| Summed::of(sum.column, view), Ok)?;
                    columns.insert(sum.column, column);
                    let form = column.and_then(|column| sum.expression.affine(column.range));
                    form.zip(column)
                }
            };
            answers.push(match (formed, sum) {
                (Some((form, column)), Some(sum)) => planning.sum(spec, sum.column, form, column),
                _ => Answer::As(planning.index_of(spec.clone())),
            });
        }
        let aggregators = planning.aggregators;
        // States cost memory by group, expressions only time.
        let pays = query.dimensions.is_empty() || aggregators.len() <= answers.len();
        let rewrites = answers.iter().any(|answer| matches!(answer, Answer::Of { .. }));
        Ok((pays && rewrites).then_some(Self { aggregators, answers }))
    }

    /// The cut in terms of what is asked for; `None` when it goes by a state that is made afterwards.
    fn cut(&self, cut: &TopCut) -> Option<TopCut> {
        match self.answers.get(cut.aggregator())? {
            Answer::As(index) => Some(cut.by(*index)),
            Answer::Of { .. } => None,
        }
    }

    /// The states of the query's aggregators.
    fn states(&self, found: &[Column]) -> Result<Vec<Column>> {
        let states = self.answers.iter().map(|answer| match answer {
            Answer::As(index) => found.get(*index).cloned(),
            Answer::Of { form, sum, count } => formed(*form, found.get(*sum)?, found.get(*count)?),
        });
        let states: Option<Vec<Column>> = states.collect();
        states.ok_or_else(|| ExecError::Internal("sums and counts are integers".to_owned()))
    }
}

/// The sums of a form of a column's values.
fn formed(form: Affine, sums: &Column, counts: &Column) -> Option<Column> {
    let Column::Long(counts) = counts else { return None };
    let counts = counts.values();
    let wide = |sums: &mut dyn Iterator<Item = i128>| -> Vec<i128> {
        sums.zip(counts).map(|(sum, count)| form.sum(sum, *count)).collect()
    };
    let (values, nulls) = match sums {
        Column::Long(sums) => {
            (wide(&mut sums.values().iter().map(|sum| i128::from(*sum))), sums.nulls())
        }
        Column::Wide(sums) => (wide(&mut sums.values().iter().copied()), sums.nulls()),
        _ => return None,
    };
    Some(Column::of_wide(values, nulls.cloned()))
}

impl<'q> SumOf<'q> {
    /// What an aggregator sums, when that is a form of a stored column other than itself.
    fn of(spec: &'q AggregatorSpec, virtual_columns: &'q [VirtualColumn]) -> Option<Self> {
        let AggregatorKind::Numeric(Numeric { op: NumericOp::Sum, column_type, input }) =
            &spec.kind
        else {
            return None;
        };
        if *column_type != ValueType::Long {
            return None;
        }
        let named = |name: &str| virtual_columns.iter().find(|column| column.name == name);
        let expression = match input {
            AggregatorInput::Expression(expression) => expression,
            AggregatorInput::Field(name) => match named(name)?.output_type {
                None | Some(ValueType::Long) => &named(name)?.expression,
                Some(_) => return None,
            },
        };
        // Of values around 0 no form overflows that is worth its while.
        if expression.as_identifier().is_some() || expression.affine((0, 0)).is_none() {
            return None;
        }
        let column = expression.identifiers().first()?;
        named(column).is_none().then_some(Self { column, expression })
    }
}

/// A stored column of integers.
#[derive(Debug, Clone, Copy)]
struct Summed {
    /// The smallest and the largest value that it may have.
    range: (i64, i64),
    has_nulls: bool,
}

impl Summed {
    /// `None` when the column is of another type, or nobody knows its range.
    fn of(name: &str, view: &dyn SegmentView) -> Result<Option<Self>> {
        let Some(ColumnView::Long(column)) = view.column(name)? else { return Ok(None) };
        let mut range: Option<(i64, i64)> = None;
        for block in 0..view.block_count() {
            let Some(stats) = column.stats(block)? else { return Ok(None) };
            if (stats.null_count as usize) < view.block_rows(block) {
                let (min, max) = range.unwrap_or((stats.min, stats.max));
                range = Some((min.min(stats.min), max.max(stats.max)));
            }
        }
        Ok(range.map(|range| Self { range, has_nulls: column.has_nulls() }))
    }
}

/// The aggregators that are to be asked for, each once.
#[derive(Debug, Default)]
struct Planning<'q> {
    virtual_columns: &'q [VirtualColumn],
    aggregators: Vec<AggregatorSpec>,
    by_key: FxHashMap<String, usize>,
    /// Positions of the sum and the count of columns under filters.
    sums: FxHashMap<(String, Option<String>), (usize, usize)>,
}

impl Planning<'_> {
    /// The position of an aggregator, which is added unless its like is there.
    fn index_of(&mut self, spec: AggregatorSpec) -> usize {
        let key = spec.state_key(self.virtual_columns);
        let next = self.aggregators.len();
        let index = *self.by_key.entry(key).or_insert(next);
        if index == next {
            self.aggregators.push(spec);
        }
        index
    }

    /// The answer of a sum of a form of a column.
    fn sum(&mut self, spec: &AggregatorSpec, column: &str, form: Affine, summed: Summed) -> Answer {
        let filter = spec.filter.as_ref().map(|filter| filter.key(self.virtual_columns));
        let key = (column.to_owned(), filter);
        let (sum, count) = match self.sums.get(&key) {
            Some(known) => *known,
            None => {
                let like = |kind: AggregatorKind, filter: Option<Filter>| AggregatorSpec {
                    name: spec.name.clone(),
                    kind,
                    filter,
                };
                let input = AggregatorInput::Field(column.to_owned());
                let sum = Numeric { op: NumericOp::Sum, column_type: ValueType::Long, input };
                let sum = self.index_of(like(sum.into(), spec.filter.clone()));
                let counted = match (&spec.filter, summed.has_nulls) {
                    (filter, false) => filter.clone(),
                    (None, true) => Some(is_not_null(column)),
                    (Some(filter), true) => {
                        Some(Filter::And(vec![filter.clone(), is_not_null(column)]))
                    }
                };
                let count = self.index_of(like(Count.into(), counted));
                self.sums.insert(key, (sum, count));
                (sum, count)
            }
        };
        Answer::Of { form, sum, count }
    }
}

fn is_not_null(column: &str) -> Filter {
    Filter::Not(Box::new(Filter::IsNull { column: column.to_owned() }))
}
