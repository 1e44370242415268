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
    /// `auto`, which is ours: a batch task chooses the size by the times of its whole input, and
    /// `segment_granularity` stands in until then.
    pub is_automatic: bool,
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
            is_automatic: false,
            query_granularity: Granularity::None,
            rollup: true,
            intervals: Vec::new(),
        }
    }
}

/// The segment granularity that the input decides.
const AUTO: &str = "auto";

fn is_automatic(node: &Node<'_>) -> bool {
    let given = node.get("segmentGranularity");
    given.is_some_and(|given| given.value().as_str().is_some_and(|s| s.eq_ignore_ascii_case(AUTO)))
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
        let is_automatic = is_automatic(&node);
        let segment_granularity = match is_automatic {
            true => day(),
            false => granularity(&node, "segmentGranularity")?.unwrap_or_else(day),
        };
        if segment_granularity == Granularity::None
            && let Some(given) = node.get("segmentGranularity")
        {
            return Err(given.invalid("none would make a segment per millisecond; use hour or day"));
        }
        Ok(Self {
            segment_granularity,
            is_automatic,
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
        let segment_granularity = match self.is_automatic {
            true => Some(AUTO.into()),
            false => serde_json::to_value(&self.segment_granularity).ok(),
        };
        json!({
            "type": "uniform",
            "segmentGranularity": segment_granularity,
            "queryGranularity": serde_json::to_value(&self.query_granularity).ok(),
            "rollup": self.rollup,
            "intervals": intervals,
        })
    }
}
