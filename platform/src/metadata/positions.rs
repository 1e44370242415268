//! How much of a source is published: a position in each of its partitions.
//!
//! A position is JSON in the words of its source: a number of a log, an offset, an id of a stream. The
//! store keeps it, compares it for equality and nothing else; only the source can say which of two
//! comes first.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A position in a partition, in the words of its source; the default is none at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(Value);

impl Position {
    /// A number, for sources whose positions are numbers.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.0.as_u64()
    }

    /// A text, for sources whose positions are texts.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// False when nothing was ever published of the partition.
    #[must_use]
    pub fn is_some(&self) -> bool {
        !self.0.is_null()
    }
}

impl From<u64> for Position {
    fn from(number: u64) -> Self {
        Self(number.into())
    }
}

impl From<&str> for Position {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// As JSON.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is committed of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceMark {
    /// Everything up to here is published.
    pub position: Position,
    /// What reading on from there depends on, in the words of its owner; empty when on nothing.
    pub state: String,
}

/// What is committed of a source, by partition. What is not named was never published from.
pub type SourceMarks = BTreeMap<String, SourceMark>;

/// Moves what is committed of a source in some partitions, by compare-and-swap on all of it: all of
/// them move, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceAdvance {
    /// Which source.
    pub source_id: String,
    /// By partition. The position may stay where it is while the state changes; that it never goes
    /// back is the caller's to see to.
    pub partitions: BTreeMap<String, PartitionAdvance>,
}

/// Moves what is committed of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionAdvance {
    /// What must be committed now; the default when nothing ever was.
    pub expected: SourceMark,
    /// What is from then on.
    pub next: SourceMark,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_the_json_that_they_were_made_of() {
        for (position, text) in
            [(9.into(), "9"), ("5-1".into(), "\"5-1\""), (Position::default(), "null")]
        {
            assert_eq!(position.to_string(), text);
            assert_eq!(serde_json::from_str::<Position>(text).unwrap(), position);
        }
        assert_eq!(
            (Position::from(9).as_u64(), Position::from("a").as_str()),
            (Some(9), Some("a"))
        );
    }
}
