//! The cost of a copy on a node, by term: what decides, and what is shown of it.

use serde::Serialize;

use super::share::ShareWeight;

/// What each term counts. The unit is one other segment at the same time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Segments near in time, of whatever datasource.
    pub near: f64,
    /// The same once more when they are of one datasource.
    pub same_datasource: f64,
    /// Segments of one datasource and chunk: every query that reads one reads the other.
    pub together: f64,
    /// Bytes, by the node's part of its tier's capacity.
    pub bytes: ShareWeight,
    /// Work of queries, by the same parts.
    pub load: ShareWeight,
    /// Copies of one segment in one zone.
    pub zone: f64,
    /// A move has to gain so much,
    pub least_gain: f64,
    /// and so much more for each average segment that it has bytes of.
    pub least_gain_of_size: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            near: 1.0,
            same_datasource: 1.0,
            together: 8.0,
            bytes: ShareWeight { gentle: 10.0, steep: 1_000.0, tolerance: 0.02 },
            load: ShareWeight { gentle: 0.0, steep: 1_000.0, tolerance: 0.02 },
            zone: 10_000.0,
            least_gain: 2.0,
            least_gain_of_size: 1.0,
        }
    }
}

/// The cost of one copy on one node, by term.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Segments near in time.
    pub near: f64,
    /// Those of the same datasource.
    pub same_datasource: f64,
    /// Those that queries read with it.
    pub together: f64,
    /// Bytes of the node.
    pub bytes: f64,
    /// Work of the node.
    pub load: f64,
    /// Copies in its zone.
    pub zone: f64,
}

impl Cost {
    /// All terms.
    #[must_use]
    pub fn total(&self) -> f64 {
        let Self { near, same_datasource, together, bytes, load, zone } = self;
        near + same_datasource + together + bytes + load + zone
    }

    /// The terms with their names, as they are shown.
    #[must_use]
    pub fn terms(&self) -> [(&'static str, f64); 6] {
        let Self { near, same_datasource, together, bytes, load, zone } = *self;
        [
            ("near", near),
            ("sameDatasource", same_datasource),
            ("together", together),
            ("bytes", bytes),
            ("load", load),
            ("zone", zone),
        ]
    }

    /// The term that is smaller than in `before` by most: why a copy is better off here.
    #[must_use]
    pub fn main_gain(&self, before: &Self) -> &'static str {
        let gains = before.terms().into_iter().zip(self.terms());
        let gains = gains.map(|((name, before), (_, after))| (name, before - after));
        gains.max_by(|left, right| left.1.total_cmp(&right.1)).map_or("near", |(name, _)| name)
    }
}
