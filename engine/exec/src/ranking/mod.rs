//! Rankings over several nodes. Each sends the groups that may be in the answer and says what bounds the
//! values of those that it left out, so that whoever merges can tell which groups are still in question
//! (`contest`). A group that is not in the answer then never travels.

mod cut;
mod findable;
mod left_out;

pub use cut::{Kept, RankCut};
pub use findable::are_keys_findable;
pub use left_out::{LeftOut, Number};

use henge_query::aggregate::Numeric;
use henge_query::{AggregatorKind, Filter, GroupByQuery, Having, Literal, Query, RangeBound};
use henge_types::{NumericOp, ValueType};

use crate::top_cut::TopCut;

/// Longer answers are not ranked this way.
const MOST_FIRST: usize = 100_000;

/// Groups of a node beside each one that is wanted, at least.
const SENT_PER_WANTED: usize = 2;

/// Whole numbers below this are doubles.
const EXACT_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// How the values that a group has on several nodes make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Combined {
    /// They are added; a node that lacks the group adds nothing.
    Sum,
    /// The best of them is it.
    Best,
}

/// Which groups can be in the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    /// So many, the best, and those that tie with the last of them.
    First(usize),
    /// Those with this value, and better ones.
    From(Number),
}

/// What nodes are asked to send of their groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    /// About so many, the best.
    Best {
        /// How many at most, but for ties.
        most: usize,
    },
    /// What leaves no group out that could have this value altogether.
    From(Number),
}

/// The value that decides which groups are in the answer of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    pub(crate) aggregator: usize,
    pub(crate) is_smallest_first: bool,
    pub(crate) combined: Combined,
    pub(crate) wanted: Wanted,
}

impl Ranking {
    /// The ranking of a query that wants the first groups by a count, a sum, a maximum, or the smallest by
    /// a minimum, or groups above a value of these. `None` for all others, which need every group.
    #[must_use]
    pub fn of(query: &Query) -> Option<Self> {
        let grouped = query.grouped()?;
        let context = &grouped.base.context;
        // A query with another filter might find no such projection.
        let is_free = context.use_projection.is_none() && !context.force_projections;
        let is_stored = grouped.base.data_source.is_stored();
        if !grouped.has_one_bucket() || grouped.dimensions.is_empty() || !is_free || !is_stored {
            return None;
        }
        let (aggregator, is_smallest_first, wanted) = match (TopCut::of(query), query) {
            (Some(cut), _) => {
                (cut.aggregator(), cut.is_smallest_first(), Wanted::First(cut.count()))
            }
            (None, Query::GroupBy(query)) => above_a_value(query)?,
            (None, _) => return None,
        };
        let kind = &grouped.aggregations.get(aggregator)?.kind;
        let combined = combined(kind, is_smallest_first)?;
        let is_short = match wanted {
            Wanted::First(count) => (1..=MOST_FIRST).contains(&count),
            Wanted::From(_) => true,
        };
        is_short.then_some(Self { aggregator, is_smallest_first, combined, wanted })
    }

    /// What nodes are asked for first: `most_groups`, unless the query itself says more.
    #[must_use]
    pub fn first_aim(&self, most_groups: usize) -> Aim {
        match self.wanted {
            Wanted::First(count) => {
                Aim::Best { most: most_groups.max(count.saturating_mul(SENT_PER_WANTED)) }
            }
            Wanted::From(value) => Aim::From(value),
        }
    }

    /// What each of so many nodes is asked for, that has more than a `few` groups. `None` where that would be
    /// everything.
    #[must_use]
    pub fn cut(&self, aim: Aim, nodes: usize, few: usize) -> Option<RankCut> {
        // The best value of one node is the best of all of them.
        let nodes = if self.combined == Combined::Best { 1 } else { nodes.max(1) };
        let kept = match aim {
            Aim::Best { most } => Kept::Best { most, least: self.least(), nodes },
            Aim::From(value) => Kept::Above(value.share_below(nodes)?),
        };
        let Self { aggregator, is_smallest_first, .. } = *self;
        Some(RankCut { aggregator, is_smallest_first, few, kept })
    }

    fn least(&self) -> usize {
        match self.wanted {
            Wanted::First(count) => count,
            Wanted::From(_) => 1,
        }
    }
}

/// How values of an aggregator combine, where the best of the whole is then bounded by those of the parts.
fn combined(kind: &AggregatorKind, is_smallest_first: bool) -> Option<Combined> {
    match (kind, is_smallest_first) {
        (AggregatorKind::Count(_), false) => Some(Combined::Sum),
        (AggregatorKind::Numeric(numeric), _) if numeric.column_type != ValueType::Float => {
            match (numeric.op, is_smallest_first) {
                (NumericOp::Sum, false) => Some(Combined::Sum),
                (NumericOp::Max, false) | (NumericOp::Min, true) => Some(Combined::Best),
                (NumericOp::Sum | NumericOp::Max, true) | (NumericOp::Min, false) => None,
            }
        }
        _other_kinds => None,
    }
}

/// The aggregator that `having` wants to be above a value, and the least value that it lets through.
fn above_a_value(query: &GroupByQuery) -> Option<(usize, bool, Wanted)> {
    if query.subtotals.is_some() {
        return None;
    }
    let (name, bound) = lower_bound(query.having.as_ref()?)?;
    let aggregator = query.aggregations.iter().position(|spec| spec.name == name)?;
    let is_double = match &query.aggregations.get(aggregator)?.kind {
        AggregatorKind::Count(_) => false,
        AggregatorKind::Numeric(Numeric { column_type, .. }) => *column_type == ValueType::Double,
        _other_kinds => return None,
    };
    let value = match (is_double, &bound.value) {
        (false, Literal::Long(value)) => {
            Number::Long(if bound.strict { value.checked_add(1)? } else { *value })
        }
        (false, Literal::Double(value)) if value.abs() < EXACT_DOUBLE => {
            Number::Long(whole(*value, bound.strict))
        }
        // Rounded, which the margin of doubles makes good.
        (true, Literal::Long(value)) => Number::Double(*value as f64),
        (true, Literal::Double(value)) if value.is_finite() => Number::Double(*value),
        (_, Literal::Double(_) | Literal::String(_)) => return None,
    };
    Some((aggregator, false, Wanted::From(value)))
}

/// The least whole number that is not below a double, or that is above it.
#[allow(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
fn whole(value: f64, strict: bool) -> i64 {
    if strict { value.floor() as i64 + 1 } else { value.ceil() as i64 }
}

/// A field and a value that it has to be above, if a clause can be true only then.
fn lower_bound(having: &Having) -> Option<(&str, RangeBound<Literal>)> {
    match having {
        Having::GreaterThan { aggregation, value } => {
            Some((aggregation.as_str(), RangeBound { value: value.clone(), strict: true }))
        }
        Having::And(parts) => parts.iter().find_map(lower_bound),
        Having::Filter(filter) => lower_bound_of(filter),
        Having::Always
        | Having::Never
        | Having::Or(_)
        | Having::Not(_)
        | Having::LessThan { .. }
        | Having::EqualTo { .. }
        | Having::DimSelector { .. } => None,
    }
}

fn lower_bound_of(filter: &Filter) -> Option<(&str, RangeBound<Literal>)> {
    match filter {
        Filter::Range { column, lower: Some(lower), match_type, .. }
            if *match_type != ValueType::String =>
        {
            Some((column.as_str(), lower.clone()))
        }
        Filter::And(parts) => parts.iter().find_map(lower_bound_of),
        _other_filters => None,
    }
}

#[cfg(test)]
mod tests;
