//! What is wanted of a ranking, and what is left out of it, as they are written.

use henge_exec::{Kept, LeftOut, Number, RankCut};
use serde::{Deserialize, Serialize};

/// Which groups are wanted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rank {
    aggregator: u64,
    is_smallest_first: bool,
    few: u64,
    kept: Wanted,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Wanted {
    Best { most: u64, least: u64, nodes: u64 },
    Above(Value),
}

/// Doubles by their bits, so that none is rounded on its way.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Value {
    Long(i64),
    DoubleBits(u64),
}

/// What bounds the groups that were left out.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bounds {
    at_most: Value,
    at_least: Value,
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Long(value) => Self::Long(value),
            Number::Double(value) => Self::DoubleBits(value.to_bits()),
        }
    }
}

impl From<Value> for Number {
    fn from(value: Value) -> Self {
        match value {
            Value::Long(value) => Self::Long(value),
            Value::DoubleBits(bits) => Self::Double(f64::from_bits(bits)),
        }
    }
}

impl From<&RankCut> for Rank {
    fn from(RankCut { aggregator, is_smallest_first, few, kept }: &RankCut) -> Self {
        let kept = match *kept {
            Kept::Best { most, least, nodes } => {
                Wanted::Best { most: most as u64, least: least as u64, nodes: nodes as u64 }
            }
            Kept::Above(value) => Wanted::Above(value.into()),
        };
        let (aggregator, few) = (*aggregator as u64, *few as u64);
        Self { aggregator, is_smallest_first: *is_smallest_first, few, kept }
    }
}

impl From<Rank> for RankCut {
    fn from(Rank { aggregator, is_smallest_first, few, kept }: Rank) -> Self {
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let kept = match kept {
            Wanted::Best { most, least, nodes } => {
                Kept::Best { most: size(most), least: size(least), nodes: size(nodes) }
            }
            Wanted::Above(value) => Kept::Above(value.into()),
        };
        Self { aggregator: size(aggregator), is_smallest_first, few: size(few), kept }
    }
}

impl From<LeftOut> for Bounds {
    fn from(LeftOut { at_most, at_least }: LeftOut) -> Self {
        Self { at_most: at_most.into(), at_least: at_least.into() }
    }
}

impl From<Bounds> for LeftOut {
    fn from(Bounds { at_most, at_least }: Bounds) -> Self {
        Self { at_most: at_most.into(), at_least: at_least.into() }
    }
}
