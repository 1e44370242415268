//! Druid's aggregate functions: what SQL calls them, what they give, and which native aggregators they are.
//!
//! [`native`] writes a call as native aggregators with a post-aggregator where one is needed. COUNT, SUM, MIN, MAX
//! and AVG may run on DataFusion too ([`runs_on_datafusion`]); the others run natively only, over segments or over
//! the rows of any plan, so that each has one implementation; `windowed` has what windows need of them.

mod collections;
mod counts;
mod declared;
mod long_sum;
mod native;
mod numbers;
mod one_value;
mod sketches;
mod statistics;
mod table;
mod widened;
mod windowed;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::functions_aggregate::{average, count, grouping, min_max, sum};
use datafusion::logical_expr::AggregateUDF;

pub(crate) use declared::pair_value;
pub(crate) use long_sum::too_wide;
pub(crate) use native::{Names, native};

use declared::DeclaredAggregate;
use table::Aggregate;
use widened::Widened;

/// All tables of aggregates that run natively only.
const FAMILIES: [&[Aggregate]; 5] = [
    collections::AGGREGATES,
    counts::AGGREGATES,
    one_value::AGGREGATES,
    sketches::AGGREGATES,
    statistics::AGGREGATES,
];

static REGISTRY: LazyLock<Vec<Arc<AggregateUDF>>> = LazyLock::new(|| {
    let on_datafusion =
        [sum::sum_udaf(), average::avg_udaf(), min_max::min_udaf(), min_max::max_udaf()];
    let widened =
        on_datafusion.into_iter().map(|inner| AggregateUDF::new_from_impl(Widened::over(inner)));
    let declared = FAMILIES.into_iter().flatten();
    let declared = declared.map(|one| AggregateUDF::new_from_impl(DeclaredAggregate::new(one)));
    let mut all = vec![count::count_udaf(), grouping::grouping_udaf()];
    all.extend(widened.chain(declared).map(Arc::new));
    all
});

static BY_NAME: LazyLock<HashMap<String, Arc<AggregateUDF>>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for aggregate in REGISTRY.iter() {
        names.insert(aggregate.name().to_owned(), Arc::clone(aggregate));
        for alias in aggregate.aliases() {
            names.insert(alias.clone(), Arc::clone(aggregate));
        }
    }
    names
});

/// Every aggregate function, once; aliases are within.
#[must_use]
pub(crate) fn all() -> Vec<Arc<AggregateUDF>> {
    REGISTRY.clone()
}

/// The aggregate function of a name or alias in lower case.
#[must_use]
pub(crate) fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    BY_NAME.get(name).cloned()
}

/// True for aggregates that DataFusion computes as Druid does, over plain rows and in windows: COUNT (with DISTINCT
/// exactly), SUM (of BIGINT a BIGINT), MIN, MAX, AVG (a DOUBLE). Over no rows all but COUNT are null.
#[must_use]
pub(crate) fn runs_on_datafusion(aggregate: &AggregateUDF) -> bool {
    aggregate.inner().downcast_ref::<DeclaredAggregate>().is_none()
}

#[cfg(test)]
mod tests;
