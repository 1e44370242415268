//! Who reads: work that is over sooner than another thread would begin with it stays where it is.

use henge_exec::SharedItem;
use henge_platform::runtime::CpuPool;
use henge_query::comparison::Comparison;
use henge_query::filter::Parts;
use henge_query::{Filter, Query};
use henge_segment::SegmentView;
use henge_types::Interval;

/// Waking a thread costs more than reading this many rows of a few segments.
const HERE_ROWS: usize = 4 << 10;
const HERE_ITEMS: usize = 8;
/// Waking a second thread costs more than reading this many rows.
const ONE_WORKER_ROWS: usize = 16 << 10;
/// Values of a list that are looked up in no time.
const FEW_VALUES: usize = 1_000;

/// Who reads what is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// The thread that took the request.
    Here,
    /// So many of the pool's.
    OfThePool(usize),
}

impl Readers {
    /// As many as it is worth.
    pub(super) fn of(pool: &CpuPool, query: &Query, items: &[SharedItem]) -> Self {
        let expected = |item: &SharedItem| expected_rows(&item.query, item.view.as_ref());
        let by_footer = matches!(query, Query::TimeBoundary(_) | Query::DataSourceMetadata(_));
        let rows: usize = if by_footer { 0 } else { items.iter().map(expected).sum() };
        if rows <= HERE_ROWS && items.len() <= HERE_ITEMS && costs_its_rows(query) {
            return Self::Here;
        }
        Self::OfThePool(if rows <= ONE_WORKER_ROWS { 1 } else { pool.threads() })
    }

    /// As many, but of the pool.
    pub(super) fn of_the_pool(self) -> Self {
        Self::OfThePool(self.count())
    }

    /// How many that are.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Here => 1,
            Self::OfThePool(count) => count,
        }
    }
}

/// About how many rows of the view lie in the query's intervals, as if they were spread evenly.
fn expected_rows(query: &Query, view: &dyn SegmentView) -> usize {
    let Some((first_ms, last_ms)) = view.time_range() else { return 0 };
    let end_ms = last_ms.saturating_add(1);
    let within =
        |i: &Interval| i.end_ms.min(end_ms).saturating_sub(i.start_ms.max(first_ms)).max(0);
    let within_ms: f64 = query.base().intervals.iter().map(|i| within(i) as f64).sum();
    let share = within_ms / end_ms.saturating_sub(first_ms).max(1) as f64;
    (view.row_count() as f64 * share.min(1.0)).ceil() as usize
}

/// True when little is to be done besides reading rows. Expressions and patterns may be evaluated
/// over a whole dictionary, however few rows there are.
fn costs_its_rows(query: &Query) -> bool {
    let Some(grouped) = query.grouped() else {
        return matches!(query, Query::TimeBoundary(_) | Query::DataSourceMetadata(_));
    };
    grouped.base.virtual_columns.is_empty()
        && grouped.base.filter.iter().all(is_looked_up)
        && grouped
            .aggregations
            .iter()
            .all(|spec| spec.kind.expression().is_none() && spec.filter.iter().all(is_looked_up))
}

/// True when a dictionary is searched for the filter's values, and not walked.
fn is_looked_up(filter: &Filter) -> bool {
    match filter.parts() {
        Parts::Nothing => true,
        Parts::Fields(fields) => fields.iter().all(is_looked_up),
        Parts::Expression(_) => false,
        Parts::Column(_) => Comparison::of(filter).is_some_and(|(_, comparison)| {
            comparison.text_span().is_some()
                || match comparison {
                    Comparison::OneOf(values) => values.len() <= FEW_VALUES,
                    other => matches!(other, Comparison::Equals(..) | Comparison::Intervals(_)),
                }
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn costs_its_rows_of(change: impl FnOnce(&mut Value)) -> bool {
        let mut query = json!({
            "queryType": "topN", "dataSource": "d", "intervals": "2026-01-01/P1D",
            "granularity": "all", "dimension": "page", "metric": "n", "threshold": 3,
            "aggregations": [
                {"type": "count", "name": "n"},
                {"type": "filtered", "filter": {"type": "null", "column": "a"},
                 "aggregator": {"type": "longSum", "name": "s", "fieldName": "x"}},
            ],
        });
        change(&mut query);
        costs_its_rows(&Query::parse(query.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn values_are_looked_up_and_patterns_are_not() {
        assert!(costs_its_rows_of(|_| {}));
        let filters = [
            (json!({"type": "selector", "dimension": "a", "value": "x"}), true),
            (json!({"type": "in", "dimension": "a", "values": ["x", "y"]}), true),
            (json!({"type": "bound", "dimension": "a", "lower": "x"}), true),
            (
                json!({"type": "bound", "dimension": "a", "lower": "1", "ordering": "numeric"}),
                false,
            ),
            (json!({"type": "like", "dimension": "a", "pattern": "x%"}), true),
            (json!({"type": "like", "dimension": "a", "pattern": "%x%"}), false),
            (json!({"type": "regex", "dimension": "a", "pattern": "x"}), false),
            (json!({"type": "expression", "expression": "a == 'x'"}), false),
        ];
        for (filter, expected) in filters {
            let wrapped = json!({"type": "not", "field": filter});
            assert_eq!(costs_its_rows_of(|query| query["filter"] = wrapped), expected, "{filter}");
            let of_one = |query: &mut Value| query["aggregations"][1]["filter"] = filter.clone();
            assert_eq!(costs_its_rows_of(of_one), expected, "{filter}");
        }
    }

    #[test]
    fn expressions_may_cost_more() {
        assert!(!costs_its_rows_of(|query| {
            let expression = json!({"type": "longSum", "name": "s", "expression": "x + 1"});
            query["aggregations"][1]["aggregator"] = expression;
        }));
        assert!(!costs_its_rows_of(|query| {
            query["virtualColumns"] =
                json!([{"type": "expression", "name": "v", "expression": "lower(page)"}]);
        }));
    }
}
