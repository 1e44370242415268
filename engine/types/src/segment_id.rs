//! The identity of a segment, and the names of datasources.

mod name;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

pub use name::{decode_path_component, encode_path_component, validate_datasource_name};

use crate::error::{TypeError, excerpt};
use crate::interval::Interval;
use crate::time::parse_timestamp_ms;

/// A version of a time chunk: strictly increasing, issued by the metadata store, never reused.
///
/// Text has twelve digits with leading zeros, so that text order is number order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Version(pub u64);

/// The fewest digits of a version's text. A partition has at most ten, so the two never look alike.
const VERSION_DIGITS: usize = 12;

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:0width$}", self.0, width = VERSION_DIGITS)
    }
}

/// The identity of a segment. Ordered by datasource, interval, version, partition.
///
/// Text: `wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_000000000007_2`; partition 0
/// has no suffix. JSON: an object of the four fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId {
    /// The datasource.
    #[serde(deserialize_with = "valid_datasource")]
    pub datasource: Arc<str>,
    /// The time chunk.
    pub interval: Interval,
    /// The version of the chunk.
    pub version: Version,
    /// The partition within the version.
    pub partition: u32,
}

impl SegmentId {
    /// An id from its four parts.
    #[must_use]
    pub fn new(
        datasource: impl Into<Arc<str>>,
        interval: Interval,
        version: Version,
        partition: u32,
    ) -> Self {
        Self { datasource: datasource.into(), interval, version, partition }
    }
}

impl std::fmt::Display for SegmentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use crate::time::TimestampText;
        let start = TimestampText::utc(self.interval.start_ms);
        let end = TimestampText::utc(self.interval.end_ms);
        write!(f, "{}_{}_{}_{}", self.datasource, start.as_str(), end.as_str(), self.version)?;
        match self.partition {
            0 => Ok(()),
            partition => write!(f, "_{partition}"),
        }
    }
}

impl std::str::FromStr for SegmentId {
    type Err = TypeError;

    /// Parses from the right, because a datasource name may hold underscores, and accepts exactly
    /// the text that `Display` writes: an id has one spelling.
    fn from_str(text: &str) -> Result<Self, TypeError> {
        let invalid = || TypeError::SegmentId {
            text: excerpt(text),
            reason:
                "write datasource_start_end_version or datasource_start_end_version_partition, \
                     with a version of twelve digits"
                    .into(),
        };
        let (head, last) = text.rsplit_once('_').ok_or_else(invalid)?;
        let (head, version, partition) = if is_version(last) {
            (head, last, 0)
        } else {
            let (head, version) = head.rsplit_once('_').ok_or_else(invalid)?;
            (head, version, last.parse().map_err(|_| invalid())?)
        };
        if !is_version(version) {
            return Err(invalid());
        }
        let (head, end) = head.rsplit_once('_').ok_or_else(invalid)?;
        let (datasource, start) = head.rsplit_once('_').ok_or_else(invalid)?;
        validate_datasource_name(datasource)?;
        let id = Self {
            datasource: datasource.into(),
            interval: Interval::new(parse_timestamp_ms(start)?, parse_timestamp_ms(end)?)?,
            version: Version(version.parse().map_err(|_| invalid())?),
            partition,
        };
        if id.to_string() == text { Ok(id) } else { Err(invalid()) }
    }
}

fn is_version(text: &str) -> bool {
    text.len() >= VERSION_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn valid_datasource<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    let name = String::deserialize(deserializer)?;
    validate_datasource_name(&name).map_err(serde::de::Error::custom)?;
    Ok(name.into())
}
