//! Intervals and granularities.

use henge_types::{Granularity, Interval, condense};

use crate::error::Result;
use crate::limits::MAX_INTERVALS;
use crate::node::Node;

const EXAMPLE: &str = "for example \"2015-09-12/2015-09-13\"";

/// The `intervals` of a query, condensed: a string (several separated by commas), a list of
/// strings, or `{"type":"intervals","intervals":[…]}`. `None` when absent.
pub(super) fn query_intervals(query: &Node<'_>) -> Result<Option<Vec<Interval>>> {
    let Some(node) = query.get("intervals") else { return Ok(None) };
    if node.value().is_object() {
        const SUPPORTED: &[&str] = &["intervals"];
        return match node.type_name(SUPPORTED)? {
            "intervals" | "LegacySegmentSpec" => {
                let inner = node.require("intervals", &format!("give a list, {EXAMPLE}"))?;
                interval_list(&inner).map(Some)
            }
            other => Err(node.bad_type("intervals", other, SUPPORTED, &["segments"])),
        };
    }
    interval_list(&node).map(Some)
}

/// A list of interval texts, or one text. Overlaps are merged and empty intervals dropped.
pub(crate) fn interval_list(node: &Node<'_>) -> Result<Vec<Interval>> {
    let mut intervals = Vec::new();
    if node.value().is_string() {
        for text in node.text()?.split(',') {
            intervals.push(one_interval(node, text.trim())?);
        }
    } else {
        let items = node.items()?;
        if items.len() > MAX_INTERVALS {
            return Err(node.invalid(format!("more than {MAX_INTERVALS} intervals")));
        }
        for item in items {
            intervals.push(one_interval(&item, item.text()?.trim())?);
        }
    }
    Ok(condense(intervals))
}

fn one_interval(node: &Node<'_>, text: &str) -> Result<Interval> {
    Interval::parse(text).map_err(|error| node.invalid(error.to_string()))
}

/// An optional granularity.
pub(crate) fn granularity(parent: &Node<'_>, name: &str) -> Result<Option<Granularity>> {
    let Some(node) = parent.get(name) else { return Ok(None) };
    // What reads it is no cursor: the fields that it knows are noted here.
    for field in ["type", "duration", "period", "timeZone", "origin"] {
        let _ = node.get(field);
    }
    serde_json::from_value(node.value().clone())
        .map(Some)
        .map_err(|error| node.invalid(error.to_string()))
}
