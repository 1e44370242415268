//! Aggregators of queries: one file each, and the list of them all.
//!
//! To add one: its file here, a line in [`aggregates!`](crate::aggregates), its file in
//! `henge-aggregate` and its plain version in `henge-oracle`. See `CONTRIBUTING.md`.

mod cardinality;
mod count;
mod exact_distinct;
mod folded;
mod grouping;
mod hll;
mod hyper_unique;
mod input;
mod moments;
mod numeric;
mod one_value;
mod quantiles;
mod registry;
mod spec;
mod text_bound;
mod theta;

pub use cardinality::Cardinality;
pub use count::Count;
pub use exact_distinct::ExactDistinctCount;
pub use folded::{FINALIZED, Folded};
pub use grouping::Grouping;
pub use hll::Hll;
pub use hyper_unique::HyperUnique;
pub use input::AggregatorInput;
pub use moments::{Moment, Moments};
pub use numeric::Numeric;
pub use one_value::OneValue;
pub use quantiles::Quantiles;
pub use registry::AggregatorKind;
pub use spec::AggregatorSpec;
pub use text_bound::{TextBound, TextEnd};
pub use theta::Theta;

pub(crate) use exact_distinct::EXACT_DISTINCT_COUNT;
pub(crate) use hll::{hll_lg_k, hll_type};
pub(crate) use input::field_name;
pub(crate) use moments::is_population;
pub(crate) use numeric::numeric_type;
pub(crate) use one_value::{METRIC_NAMES, max_string_bytes, meaning, type_name};
pub(crate) use quantiles::{DEFAULT_KLL_K, DEFAULT_QUANTILES_K, quantiles_k};
pub(crate) use spec::{aggregator, to_values};
pub(crate) use theta::theta_size;

use henge_expr::Expr;
use henge_types::{MetricKind, ValueType};
use serde_json::Value;

use crate::error::Result;
use crate::node::Node;

/// What a kind of aggregator says of itself.
pub(crate) trait Aggregate {
    /// The names that Druid gives it, each a `type`.
    fn types() -> &'static [&'static str]
    where
        Self: Sized;

    /// Reads the fields of one of these types.
    fn parse(node: &Node<'_>, type_name: &str) -> Result<Self>
    where
        Self: Sized;

    /// The fields as Druid's JSON, with the type and without the name.
    fn to_value(&self) -> Value;

    /// What decides the states: the fields but for those that say how states are finished. Segments
    /// keep it with their projections, so it never changes.
    fn state_value(&self) -> Value;

    /// Visits the names of the columns it reads.
    fn for_each_input(&self, visit: &mut dyn FnMut(&str));

    /// The expression of its own that it reads.
    fn expression(&self) -> Option<&Expr> {
        None
    }

    /// The type of the finished values.
    fn output_type(&self) -> ValueType;

    /// How the states are stored in a projection, and combined there; `None` when they cannot be.
    fn stored_states(&self) -> Option<MetricKind>;

    /// True when a finished estimate is rounded to a whole number.
    fn rounds(&self) -> bool {
        false
    }
}

/// The type of a finished estimate.
fn estimate_type(round: bool) -> ValueType {
    if round { ValueType::Long } else { ValueType::Double }
}
