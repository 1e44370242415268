//! GROUP BY, aggregates and DISTINCT taken into a draft.

use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable};

use super::Lowering;
use super::draft::{Dimension, Draft, Groups};
use super::scope::{Output, RowScope};
use crate::aggregates;
use crate::functions::expression::Refusal;
use crate::functions::types;

/// Grouping sets that a query may have: so many columns of a CUBE make 1,024 of them.
const MOST_CUBED: usize = 10;

impl Draft {
    /// Groups its rows and computes aggregates of them.
    ///
    /// # Errors
    /// When a group or an aggregate has no native form. The draft is as before then.
    pub(super) fn group(
        &mut self,
        aggregate: &Aggregate,
        lowering: &Lowering<'_>,
    ) -> Result<(), Refusal> {
        if self.groups.is_some() {
            return Err(Refusal::new("groups of groups"));
        }
        if self.is_cut() {
            return Err(Refusal::new("groups of what a limit leaves"));
        }
        let mut trial = self.clone();
        // An order of rows means nothing to groups of them.
        trial.order.clear();
        let scope = self.scope(lowering);
        let (keys, sets) = grouping(&aggregate.group_expr)?;
        let mut groups = Groups { sets, ..Groups::default() };
        let mut outputs = Vec::new();
        for key in keys {
            let dimension = dimension(&mut trial, groups.dimensions.len(), key, &scope)?;
            outputs.push(Output::column(&dimension.name));
            groups.dimensions.push(dimension);
        }
        if groups.sets.is_some() {
            // The number of the grouping set.
            outputs.push(Output::missing());
        }
        for call in &aggregate.aggr_expr {
            outputs.push(computed(&mut trial, &mut groups, call, &scope)?);
        }
        if trial.base.names_taken && !trial.base.virtual_columns.is_empty() {
            return Err(Refusal::new("a column is called like a virtual column: v0, v1, …"));
        }
        trial.groups = Some(groups);
        trial.put(outputs, aggregate.schema.clone())?;
        *self = trial;
        Ok(())
    }
}

/// The columns of groups, and grouping sets as positions of them.
#[expect(clippy::type_complexity, reason = "two lists that belong together")]
fn grouping(group_expr: &[Expr]) -> Result<(Vec<&Expr>, Option<Vec<Vec<usize>>>), Refusal> {
    let [Expr::GroupingSet(set)] = group_expr else {
        let is_set = |expr: &Expr| matches!(expr, Expr::GroupingSet(_));
        return match group_expr.iter().any(is_set) {
            true => Err(Refusal::new("grouping sets beside other groups")),
            false => Ok((group_expr.iter().collect(), None)),
        };
    };
    let keys = set.distinct_expr();
    let place = |expr: &Expr| keys.iter().position(|key| *key == expr).unwrap_or_default();
    let places = |exprs: &[Expr]| exprs.iter().map(place).collect::<Vec<usize>>();
    let sets: Vec<Vec<usize>> = match set {
        GroupingSet::GroupingSets(sets) => sets.iter().map(|set| places(set)).collect(),
        GroupingSet::Rollup(exprs) => {
            let places = places(exprs);
            (0..=places.len()).rev().map(|length| places[..length].to_vec()).collect()
        }
        GroupingSet::Cube(exprs) if exprs.len() <= MOST_CUBED => {
            let places = places(exprs);
            let subset = |bits: usize| -> Vec<usize> {
                let chosen = places.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0);
                chosen.map(|(_, place)| *place).collect()
            };
            (0..1 << places.len()).rev().map(subset).collect()
        }
        GroupingSet::Cube(_) => return Err(Refusal::new("a CUBE of more than ten columns")),
    };
    let mut sorted: Vec<Vec<usize>> = sets
        .iter()
        .map(|set| {
            let mut set = set.clone();
            set.sort_unstable();
            set.dedup();
            set
        })
        .collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::new("a grouping set that comes twice"));
    }
    Ok((keys, Some(sets)))
}

fn dimension(
    draft: &mut Draft,
    place: usize,
    key: &Expr,
    scope: &RowScope<'_>,
) -> Result<Dimension, Refusal> {
    let (_, field) =
        key.to_field(scope.schema).map_err(|error| Refusal::new(error.strip_backtrace()))?;
    if types::is_array(field.data_type()) {
        return Err(Refusal::new("groups of arrays"));
    }
    let output = scope.computed(key)?;
    let output_type = match field.metadata().get(types::DRUID_TYPE) {
        // Pairs of a time and a value are grouped by the value.
        Some(object) => match aggregates::pair_value(object) {
            Some(value) => types::native_name(&value),
            None => return Err(Refusal::new("groups of objects")),
        },
        None => types::native_name(field.data_type()),
    };
    let column = draft.column_of(&output, output_type)?;
    Ok(Dimension { column, text: output.text, name: format!("d{place}"), output_type })
}

fn computed(
    draft: &mut Draft,
    groups: &mut Groups,
    call: &Expr,
    scope: &RowScope<'_>,
) -> Result<Output, Refusal> {
    match call {
        Expr::Alias(alias) => computed(draft, groups, &alias.expr, scope),
        Expr::AggregateFunction(call) => {
            let native = aggregates::native(call, scope, &mut draft.base.names)?;
            draft.base.virtual_columns.extend(native.virtual_columns);
            groups.aggregations.extend(native.aggregations);
            groups.post_aggregations.extend(native.post_aggregation);
            Ok(Output::column(&native.output))
        }
        other => Err(Refusal::new(format!("{other} is no aggregate"))),
    }
}
