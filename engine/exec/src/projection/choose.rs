//! Whether a projection can answer a query.

use henge_aggregate::function;
use henge_query::{AggregatorSpec, GroupedQuery};
use henge_segment::Projection;
use henge_types::ProjectionDefinition;

use super::keys::Available;

/// Keys of the query's parts, the same for all projections of a segment.
#[derive(Debug)]
pub(super) struct QueryKeys {
    /// One a conjunct of the filter.
    filters: Vec<String>,
    /// One an aggregator: with its filter and, if it has one, without.
    aggregators: Vec<(String, Option<String>)>,
}

/// How one aggregator of the query is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered<'p> {
    /// By combining the states in this column. `filtered` when the aggregator's filter still counts.
    Stored { column: &'p str, filtered: bool },
    /// As ever, from grouping columns: it does not matter how often a value occurs.
    AsIs,
}

/// A projection that can answer a query.
#[derive(Debug)]
pub(super) struct Candidate<'v> {
    pub(super) position: usize,
    pub(super) projection: &'v Projection,
    /// Positions of the filter's conjuncts that all rows of the projection pass.
    pub(super) implied: Vec<usize>,
    /// One an aggregator of the query.
    pub(super) aggregators: Vec<Answered<'v>>,
}

/// Why a projection cannot answer a query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misfit {
    #[error("the query does not have the projection's filter")]
    Filter,
    #[error("it does not group by column '{0}'")]
    Column(String),
    #[error("the query's intervals cut through its time buckets")]
    Interval,
    #[error("the query's granularity is finer than its own")]
    Granularity,
    #[error("it has no aggregator that answers '{0}'")]
    Aggregator(String),
    #[error("the query has a virtual column of the name of its column '{0}'")]
    Shadowed(String),
}

impl QueryKeys {
    pub(super) fn new(query: &GroupedQuery<'_>) -> Self {
        let virtual_columns = &query.base.virtual_columns;
        let filters = query.base.filter.iter().flat_map(|filter| filter.conjuncts());
        let aggregator = |spec: &AggregatorSpec| {
            let unfiltered = spec.filter.is_some().then(|| {
                AggregatorSpec { filter: None, ..spec.clone() }.state_key(virtual_columns)
            });
            (spec.state_key(virtual_columns), unfiltered)
        };
        Self {
            filters: filters.map(|filter| filter.key(virtual_columns)).collect(),
            aggregators: query.aggregations.iter().map(aggregator).collect(),
        }
    }

    /// The positions of the conjuncts that the projection's filter makes true; `None` when the
    /// projection lacks rows that the query may select.
    fn implied(&self, definition: &ProjectionDefinition) -> Option<Vec<usize>> {
        let mut implied = Vec::new();
        for filter in &definition.filters {
            implied.push(self.filters.iter().position(|key| key == filter)?);
        }
        Some(implied)
    }
}

impl<'v> Candidate<'v> {
    /// Fails when the projection cannot answer.
    pub(super) fn new(
        query: &GroupedQuery<'_>,
        keys: &QueryKeys,
        (position, projection): (usize, &'v Projection),
        time_range: (i64, i64),
    ) -> Result<Self, Misfit> {
        let definition = &projection.definition;
        let implied = keys.implied(definition).ok_or(Misfit::Filter)?;
        let virtual_columns = query.base.virtual_columns.as_slice();
        let available = Available { definition, virtual_columns, time_range };
        for dimension in query.dimensions {
            require(&available, &dimension.dimension)?;
        }
        let conjuncts = query.base.filter.iter().flat_map(|filter| filter.conjuncts());
        for (at, filter) in conjuncts.enumerate() {
            if !implied.contains(&at) {
                let mut missing = None;
                filter.for_each_column(&mut |name| {
                    missing = missing.take().or(lacks(&available, name));
                });
                missing.map_or(Ok(()), Err)?;
            }
        }
        check_time(query, definition, &available)?;
        let aggregators = query
            .aggregations
            .iter()
            .zip(&keys.aggregators)
            .map(|(spec, keys)| answered(spec, keys, definition, &available))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { position, projection, implied, aggregators })
    }
}

fn lacks(available: &Available<'_>, name: &str) -> Option<Misfit> {
    (!available.has(name)).then(|| Misfit::Column(name.to_owned()))
}

fn require(available: &Available<'_>, name: &str) -> Result<(), Misfit> {
    lacks(available, name).map_or(Ok(()), Err)
}

/// Intervals and buckets of the query must be made of whole buckets of the projection.
fn check_time(
    query: &GroupedQuery<'_>,
    definition: &ProjectionDefinition,
    available: &Available<'_>,
) -> Result<(), Misfit> {
    let (first_ms, last_ms) = available.time_range;
    let edges = query.base.intervals.iter().flat_map(|i| [i.start_ms, i.end_ms]);
    let mut cutting = edges.filter(|edge| first_ms < *edge && *edge <= last_ms);
    if cutting.any(|edge| !definition.granularity.is_boundary(edge)) {
        return Err(Misfit::Interval);
    }
    match available.refines(query.granularity) {
        true => Ok(()),
        false => Err(Misfit::Granularity),
    }
}

fn answered<'p>(
    spec: &AggregatorSpec,
    (key, unfiltered): &(String, Option<String>),
    definition: &'p ProjectionDefinition,
    available: &Available<'_>,
) -> Result<Answered<'p>, Misfit> {
    let mut missing = None;
    if let Some(filter) = &spec.filter {
        filter.for_each_column(&mut |name| missing = missing.take().or(lacks(available, name)));
    }
    let stored = |key: &String| {
        definition.aggregators.iter().find(|stored| stored.key == *key).map(|s| s.name.as_str())
    };
    let found = match (stored(key), unfiltered.as_ref().and_then(stored)) {
        (Some(column), _) => Some((column, false)),
        (None, Some(column)) if missing.is_none() => Some((column, true)),
        _ => None,
    };
    if let Some((column, filtered)) = found {
        let shadowed = available.virtual_columns.iter().any(|known| known.name == column);
        return match shadowed {
            true => Err(Misfit::Shadowed(column.to_owned())),
            false => Ok(Answered::Stored { column, filtered }),
        };
    }
    spec.for_each_input(&mut |name| missing = missing.take().or(lacks(available, name)));
    match missing.is_none() && function(&spec.kind).is_idempotent() {
        true => Ok(Answered::AsIs),
        false => Err(Misfit::Aggregator(spec.name.clone())),
    }
}
