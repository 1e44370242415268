//! What a query wants and nobody serves: counted, and the first few named.

use std::collections::BTreeMap;

use henge_data_node::SegmentDescriptor;
use henge_types::{Interval, SegmentId, condense};
use serde_json::{Value, json};

use super::ClusterView;

/// Segments named in an answer; more are only counted.
const NAMED_SEGMENTS: usize = 10;
/// Intervals named in an answer.
const NAMED_INTERVALS: usize = 20;

/// Segments that an answer lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unavailable {
    /// How many segments.
    pub count: usize,
    /// The first of them.
    pub segments: Vec<SegmentId>,
    /// What servers reported of these, where they did.
    pub troubles: BTreeMap<SegmentId, String>,
    /// The first of the intervals that they leave uncovered, disjoint, in order.
    pub intervals: Vec<Interval>,
}

impl Unavailable {
    /// Counts and names.
    #[must_use]
    pub(crate) fn of(missing: &[SegmentDescriptor]) -> Self {
        let mut ids: Vec<&SegmentId> = missing.iter().map(|segment| &segment.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut intervals = condense(missing.iter().map(|segment| segment.visible).collect());
        intervals.truncate(NAMED_INTERVALS);
        Self {
            count: ids.len(),
            segments: ids.into_iter().take(NAMED_SEGMENTS).cloned().collect(),
            troubles: BTreeMap::new(),
            intervals,
        }
    }

    /// The same with what is known of the reasons.
    #[must_use]
    pub(crate) fn explained(mut self, trouble: impl Fn(&SegmentId) -> Option<String>) -> Self {
        let known = self.segments.iter().filter_map(|id| Some((id.clone(), trouble(id)?)));
        self.troubles = known.collect();
        self
    }

    /// The entries of a response context: Druid's segment descriptors, with the id beside.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let segment = |id: &SegmentId| {
            json!({
                "id": id.to_string(),
                "itvl": id.interval.to_string(),
                "ver": id.version.to_string(),
                "part": id.partition,
            })
        };
        json!({
            "missingSegments": self.segments.iter().map(segment).collect::<Vec<_>>(),
            "missingSegmentCount": self.count,
            "missingIntervals": self.intervals.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = |id| match self.troubles.get(id) {
            Some(trouble) => format!("'{id}' ({trouble})"),
            None => format!("'{id}'"),
        };
        let ids: Vec<String> = self.segments.iter().map(named).collect();
        write!(f, "{} segment(s) are unavailable: {}", self.count, ids.join(", "))?;
        if self.count > ids.len() {
            write!(f, " and {} more", self.count - ids.len())?;
        }
        Ok(())
    }
}

/// What of all datasources can be queried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Availability {
    /// By datasource, segments that queries want and nobody serves.
    pub unavailable: BTreeMap<String, Unavailable>,
    /// Why the metadata cannot be read, when they cannot.
    pub metadata_away: Option<String>,
}

impl Availability {
    /// Of a view; `trouble` tells what servers reported of a segment.
    #[must_use]
    pub(crate) fn of(view: &ClusterView, trouble: impl Fn(&SegmentId) -> Option<String>) -> Self {
        let mut unavailable = BTreeMap::new();
        for (name, table) in &view.tables {
            let whole = |id: &SegmentId| SegmentDescriptor { id: id.clone(), visible: id.interval };
            let missing: Vec<_> = table.unavailable().map(whole).collect();
            if !missing.is_empty() {
                let named = Unavailable::of(&missing).explained(&trouble);
                unavailable.insert(name.to_string(), named);
            }
        }
        let away = view.metadata.away.as_ref();
        Self { unavailable, metadata_away: away.map(|away| away.reason.to_string()) }
    }

    /// Segments in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.unavailable.values().map(|unavailable| unavailable.count).sum()
    }
}
