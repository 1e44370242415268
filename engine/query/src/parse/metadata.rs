//! The queries about data: timeBoundary, segmentMetadata and dataSourceMetadata.

use super::{WithoutIntervals, base, bounded_list};
use crate::error::Result;
use crate::node::{Node, excerpt};
use crate::query::{
    Analysis, Bound, ColumnInclusion, DataSourceMetadataQuery, SegmentMetadataQuery,
    TimeBoundaryQuery,
};

pub(super) fn time_boundary(root: &Node<'_>) -> Result<TimeBoundaryQuery> {
    let bound = match root.get("bound") {
        None => None,
        Some(node) => match node.text()?.to_ascii_lowercase().as_str() {
            "" => None,
            "mintime" => Some(Bound::MinTime),
            "maxtime" => Some(Bound::MaxTime),
            other => {
                let other = excerpt(other);
                let message = format!("unknown bound \"{other}\"; use minTime or maxTime");
                return Err(node.invalid(message));
            }
        },
    };
    Ok(TimeBoundaryQuery { base: base(root, WithoutIntervals::Eternity)?, bound })
}

pub(super) fn data_source_metadata(root: &Node<'_>) -> Result<DataSourceMetadataQuery> {
    Ok(DataSourceMetadataQuery { base: base(root, WithoutIntervals::Eternity)? })
}

pub(super) fn segment_metadata(root: &Node<'_>) -> Result<SegmentMetadataQuery> {
    let plain = SegmentMetadataQuery::new(base(root, WithoutIntervals::Eternity)?);
    Ok(SegmentMetadataQuery {
        using_default_interval: root.get("intervals").is_none(),
        to_include: to_include(root)?,
        merge: root.boolean_or("merge", false)?,
        analysis_types: match root.get("analysisTypes") {
            None => plain.analysis_types,
            Some(_) => distinct(bounded_list(root, "analysisTypes", analysis)?),
        },
        lenient_aggregator_merge: lenient_merge(root)?,
        base: plain.base,
    })
}

fn distinct(types: Vec<Analysis>) -> Vec<Analysis> {
    let mut kept: Vec<Analysis> = Vec::new();
    for analysis in types {
        if !kept.contains(&analysis) {
            kept.push(analysis);
        }
    }
    kept
}

fn analysis(node: &Node<'_>) -> Result<Analysis> {
    match node.text()?.to_ascii_lowercase().as_str() {
        "cardinality" => Ok(Analysis::Cardinality),
        "interval" => Ok(Analysis::Interval),
        "minmax" => Ok(Analysis::MinMax),
        "size" => Ok(Analysis::Size),
        "timestampspec" => Ok(Analysis::TimestampSpec),
        "querygranularity" => Ok(Analysis::QueryGranularity),
        "aggregators" => Ok(Analysis::Aggregators),
        "rollup" => Ok(Analysis::Rollup),
        "projections" => Ok(Analysis::Projections),
        other => Err(node.invalid(format!(
            "unknown analysis \"{}\"; known: cardinality, interval, minmax, size, timestampSpec, \
             queryGranularity, aggregators, rollup, projections",
            excerpt(other)
        ))),
    }
}

fn to_include(root: &Node<'_>) -> Result<ColumnInclusion> {
    const SUPPORTED: &[&str] = &["all", "none", "list"];
    let Some(node) = root.get("toInclude") else { return Ok(ColumnInclusion::All) };
    match node.type_name(SUPPORTED)? {
        "all" => Ok(ColumnInclusion::All),
        "none" => Ok(ColumnInclusion::None),
        "list" => {
            node.require("columns", "give a list of column names")?;
            bounded_list(&node, "columns", |node| node.name()).map(ColumnInclusion::List)
        }
        other => Err(node.bad_type("toInclude", other, SUPPORTED, &[])),
    }
}

fn lenient_merge(root: &Node<'_>) -> Result<bool> {
    let lenient = root.boolean_or("lenientAggregatorMerge", false)?;
    let Some(node) = root.get("aggregatorMergeStrategy") else { return Ok(lenient) };
    match node.text()?.to_ascii_lowercase().as_str() {
        "strict" => Ok(false),
        "lenient" => Ok(true),
        other @ ("earliest" | "latest") => {
            Err(node
                .unsupported(format!("strategy {other} is not supported; use strict or lenient")))
        }
        other => {
            Err(node
                .invalid(format!("unknown strategy \"{}\"; use strict or lenient", excerpt(other))))
        }
    }
}
