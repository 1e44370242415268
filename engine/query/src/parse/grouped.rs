//! The queries that aggregate: timeseries, topN and groupBy.

use henge_types::Granularity;

use super::dimension::{dimension, ranked_dimension};
use super::having::{having, limit_spec};
use super::intervals::granularity;
use super::ordering::ordering;
use super::post_aggregator::post_aggregator;
use super::{WithoutIntervals, base, bounded_list};
use crate::aggregate::{AggregatorSpec, aggregator};
use crate::dimension::DimensionSpec;
use crate::error::Result;
use crate::filter::{Filter, Ordering};
use crate::limits::{MAX_SUBTOTALS, MAX_TOP_N_THRESHOLD};
use crate::node::Node;
use crate::post_aggregator::PostAggregator;
use crate::query::{GroupByQuery, TimeseriesQuery, TopNMetric, TopNQuery};

fn aggregations(root: &Node<'_>) -> Result<(Vec<AggregatorSpec>, Vec<PostAggregator>)> {
    let aggregations = bounded_list(root, "aggregations", aggregator)?;
    let post_aggregations =
        bounded_list(root, "postAggregations", |node| post_aggregator(node, &aggregations))?;
    Ok((aggregations, post_aggregations))
}

fn granularity_or_all(root: &Node<'_>) -> Result<Granularity> {
    Ok(granularity(root, "granularity")?.unwrap_or(Granularity::All))
}

pub(super) fn timeseries(root: &Node<'_>) -> Result<TimeseriesQuery> {
    let (aggregations, post_aggregations) = aggregations(root)?;
    Ok(TimeseriesQuery {
        base: base(root, WithoutIntervals::Refuse)?,
        granularity: granularity_or_all(root)?,
        aggregations,
        post_aggregations,
        descending: root.boolean_or("descending", false)?,
        // Druid takes 0 for no limit here.
        limit: root.optional_unsigned("limit")?.filter(|limit| *limit > 0),
    })
}

pub(super) fn top_n(root: &Node<'_>) -> Result<TopNQuery> {
    let (aggregations, post_aggregations) = aggregations(root)?;
    let dimension_node = root.require("dimension", "name the column to rank")?;
    let metric_node =
        root.require("metric", "name the aggregator or post-aggregator to rank by")?;
    let threshold_node = root.require("threshold", "give the number of entries per time bucket")?;
    let (dimension, rows) = ranked_dimension(&dimension_node)?;
    let mut base = base(root, WithoutIntervals::Refuse)?;
    base.filter = match (base.filter, rows) {
        (Some(filter), Some(rows)) => Some(Filter::And(vec![filter, rows])),
        (filter, rows) => filter.or(rows),
    };
    Ok(TopNQuery {
        base,
        granularity: granularity_or_all(root)?,
        dimension,
        metric: metric(&metric_node)?,
        threshold: threshold_node.within(1, MAX_TOP_N_THRESHOLD)?,
        aggregations,
        post_aggregations,
    })
}

fn metric(node: &Node<'_>) -> Result<TopNMetric> {
    const SUPPORTED: &[&str] =
        &["numeric", "dimension", "inverted", "lexicographic", "alphaNumeric"];
    if node.value().is_string() {
        return node.name().map(TopNMetric::Numeric);
    }
    let by_value = |default: Ordering| -> Result<TopNMetric> {
        Ok(TopNMetric::Dimension {
            ordering: node.get("ordering").map_or(Ok(default), |name| ordering(&name))?,
            previous_stop: node.optional_scalar_text("previousStop")?,
        })
    };
    match node.type_name(SUPPORTED)? {
        "numeric" => {
            let hint = "name the aggregator or post-aggregator to rank by";
            Ok(TopNMetric::Numeric(node.require("metric", hint)?.name()?))
        }
        "dimension" | "lexicographic" => by_value(Ordering::Lexicographic),
        "alphaNumeric" => by_value(Ordering::Alphanumeric),
        "inverted" => {
            let inner = node.require("metric", "give the metric to invert")?;
            Ok(TopNMetric::Inverted(Box::new(metric(&inner)?)))
        }
        other => Err(node.bad_type("metric", other, SUPPORTED, &[])),
    }
}

pub(super) fn group_by(root: &Node<'_>) -> Result<GroupByQuery> {
    let (aggregations, post_aggregations) = aggregations(root)?;
    let dimensions = bounded_list(root, "dimensions", dimension)?;
    let subtotals = subtotals(root, &dimensions)?;
    Ok(GroupByQuery {
        base: base(root, WithoutIntervals::Refuse)?,
        granularity: granularity_or_all(root)?,
        aggregations,
        post_aggregations,
        having: root.get("having").map(|node| having(&node)).transpose()?,
        limit_spec: limit_spec(root)?,
        subtotals,
        dimensions,
    })
}

/// Output names to positions, ascending.
fn subtotals(root: &Node<'_>, dimensions: &[DimensionSpec]) -> Result<Option<Vec<Vec<usize>>>> {
    let Some(node) = root.get("subtotalsSpec") else { return Ok(None) };
    let sets = node.items()?;
    if sets.len() > MAX_SUBTOTALS {
        return Err(node.invalid(format!("more than {MAX_SUBTOTALS} grouping sets")));
    }
    let position = |item: &Node<'_>| -> Result<usize> {
        let name = item.text()?;
        dimensions.iter().position(|spec| spec.output_name == name).ok_or_else(|| {
            let names: Vec<&str> = dimensions.iter().map(|d| d.output_name.as_str()).collect();
            item.invalid(format!(
                "is no output name of a dimension; there are: {}",
                names.join(", ")
            ))
        })
    };
    let set = |set: Node<'_>| -> Result<Vec<usize>> {
        let mut positions =
            set.items()?.map(|item| position(&item)).collect::<Result<Vec<usize>>>()?;
        positions.sort_unstable();
        positions.dedup();
        Ok(positions)
    };
    let sets = sets.map(set).collect::<Result<Vec<_>>>()?;
    // An empty list of grouping sets is the same as none.
    Ok((!sets.is_empty()).then_some(sets))
}
