//! The state that segments are to be in, and its fingerprint.

use henge_types::Granularity;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::order::Order;

/// What segments are to be like. What is not given stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wanted {
    /// Rows of one segment, at most.
    pub target_rows: u64,
    /// The time that one chunk covers.
    pub segment_granularity: Option<Granularity>,
    /// What times are truncated to, where they are finer.
    pub query_granularity: Option<Granularity>,
    /// Whether rows of equal times and dimensions become one.
    pub rollup: Option<bool>,
    /// The order of columns and rows.
    pub order: Option<Order>,
}

/// Rows of a segment unless something else is said, as Druid has it.
pub(crate) const TARGET_ROWS: u64 = 5_000_000;

impl Default for Wanted {
    fn default() -> Self {
        Self {
            target_rows: TARGET_ROWS,
            segment_granularity: None,
            query_granularity: None,
            rollup: None,
            order: None,
        }
    }
}

impl Wanted {
    /// Tells states apart: segments that a task wrote for this state carry it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        format!("{:016x}", xxh3_64(&canonical))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_of_every_field_and_stays() {
        let plain = Wanted::default();
        let named = |name: &str| Granularity::parse_name(name).ok();
        let order = Some(Order { dimensions: vec!["a".into()], time_position: 1, others: true });
        let all = [
            plain.clone(),
            Wanted { target_rows: 7, ..plain.clone() },
            Wanted { segment_granularity: named("day"), ..plain.clone() },
            Wanted { query_granularity: named("day"), ..plain.clone() },
            Wanted { rollup: Some(true), ..plain.clone() },
            Wanted { rollup: Some(false), ..plain.clone() },
            Wanted { order, ..plain.clone() },
        ];
        let mut prints: Vec<String> = all.iter().map(Wanted::fingerprint).collect();
        // Recorded with segments: another one here means that everything is compacted once more.
        assert_eq!(prints[0], "04f6f362344d18ac");
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), all.len());
    }
}
