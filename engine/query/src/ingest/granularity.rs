//! `granularitySpec`.

use henge_types::{Granularity, Interval, condense};
use serde_json::{Value, json};

use crate::error::Result;
use crate::node::Node;
use crate::parse::{granularity, interval_list};

/// Time chunks, truncation and roll-up.
#[derive(Debug, Clone, PartialEq)]
pub struct GranularitySpec {
    /// The size of time chunks; a day by default.
    pub segment_granularity: Granularity,
    /// What timestamps are truncated to; nothing by default.
    pub query_granularity: Granularity,
    /// Combine rows with the same truncated time and dimensions; true by default.
    pub rollup: bool,
    /// Only events in these are taken, and replacing replaces all of these. Empty means: whatever
    /// comes.
    pub intervals: Vec<Interval>,
}

impl Default for GranularitySpec {
    fn default() -> Self {
        Self {
            segment_granularity: day(),
            query_granularity: Granularity::None,
            rollup: true,
            intervals: Vec::new(),
        }
    }
}

fn day() -> Granularity {
    Granularity::parse_name("day").unwrap_or(Granularity::All)
}

impl GranularitySpec {
    pub(super) fn read(schema: &Node<'_>) -> Result<Self> {
        let Some(node) = schema.get("granularitySpec") else { return Ok(Self::default()) };
        node.only_fields(&[
            "type",
            "segmentGranularity",
            "queryGranularity",
            "rollup",
            "intervals",
        ])?;
        if node.get("type").is_some() {
            match node.type_name(&["uniform"])? {
                "uniform" => {}
                other => {
                    return Err(node.bad_type(
                        "granularitySpec",
                        other,
                        &["uniform"],
                        &["arbitrary"],
                    ));
                }
            }
        }
        let segment_granularity = granularity(&node, "segmentGranularity")?.unwrap_or_else(day);
        if segment_granularity == Granularity::None
            && let Some(given) = node.get("segmentGranularity")
        {
            return Err(given.invalid("none would make a segment per millisecond; use hour or day"));
        }
        Ok(Self {
            segment_granularity,
            query_granularity: granularity(&node, "queryGranularity")?.unwrap_or(Granularity::None),
            rollup: node.boolean_or("rollup", true)?,
            intervals: match node.get("intervals") {
                Some(intervals) => condense(interval_list(&intervals)?),
                None => Vec::new(),
            },
        })
    }

    pub(super) fn to_value(&self) -> Value {
        let intervals: Vec<String> = self.intervals.iter().map(ToString::to_string).collect();
        json!({
            "type": "uniform",
            "segmentGranularity": serde_json::to_value(&self.segment_granularity).ok(),
            "queryGranularity": serde_json::to_value(&self.query_granularity).ok(),
            "rollup": self.rollup,
            "intervals": intervals,
        })
    }
}
