//! Shard specs: which part of a time chunk a segment holds, and when a chunk's set is complete.

use serde::{Deserialize, Serialize};

/// Which part of a time chunk a segment holds.
///
/// All segments of one interval and version carry the same `core_partitions`: the partitions written
/// together, visible only together. Later ones are appended and visible at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "ShardSpecJson", tag = "type")]
pub enum ShardSpec {
    /// Rows are spread over numbered partitions without regard to their values.
    #[serde(rename = "numbered")]
    Numbered {
        /// The number of this partition.
        #[serde(rename = "partitionNum")]
        partition: u32,
        /// The size of the core set; 0 when every partition was appended by itself.
        #[serde(rename = "partitions")]
        core_partitions: u32,
    },
}

impl ShardSpec {
    /// The only partition of a chunk.
    pub const SINGLE: Self = Self::Numbered { partition: 0, core_partitions: 1 };

    /// One of a core set of `core_partitions`, or appended to it when beyond.
    #[must_use]
    pub fn numbered(partition: u32, core_partitions: u32) -> Self {
        Self::Numbered { partition, core_partitions }
    }

    /// A partition that is visible by itself.
    #[must_use]
    pub fn appended(partition: u32) -> Self {
        Self::Numbered { partition, core_partitions: 0 }
    }

    /// The number of this partition.
    #[must_use]
    pub fn partition(&self) -> u32 {
        match self {
            Self::Numbered { partition, .. } => *partition,
        }
    }

    /// The size of the core set; 0 when there is none.
    #[must_use]
    pub fn core_partitions(&self) -> u32 {
        match self {
            Self::Numbered { core_partitions, .. } => *core_partitions,
        }
    }
}

/// What is read: also Druid's `linear` (appended only) and `none` (a single partition).
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ShardSpecJson {
    Numbered {
        #[serde(rename = "partitionNum")]
        partition: u32,
        #[serde(default, rename = "partitions")]
        core_partitions: u32,
    },
    Linear {
        #[serde(rename = "partitionNum")]
        partition: u32,
    },
    None,
}

impl From<ShardSpecJson> for ShardSpec {
    fn from(json: ShardSpecJson) -> Self {
        match json {
            ShardSpecJson::Numbered { partition, core_partitions } => {
                Self::numbered(partition, core_partitions)
            }
            ShardSpecJson::Linear { partition } => Self::appended(partition),
            ShardSpecJson::None => Self::SINGLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ShardSpec;

    #[test]
    fn json_is_druids() {
        let spec = ShardSpec::numbered(3, 8);
        let json = r#"{"type":"numbered","partitionNum":3,"partitions":8}"#;
        assert_eq!(serde_json::to_string(&spec).unwrap(), json);
        assert_eq!(serde_json::from_str::<ShardSpec>(json).unwrap(), spec);
    }

    #[test]
    fn linear_and_none_are_read() {
        let read = |json| serde_json::from_str::<ShardSpec>(json).unwrap();
        assert_eq!(read(r#"{"type":"linear","partitionNum":7}"#), ShardSpec::appended(7));
        assert_eq!(read(r#"{"type":"none"}"#), ShardSpec::SINGLE);
        assert!(serde_json::from_str::<ShardSpec>(r#"{"type":"hashed"}"#).is_err());
    }
}
