//! The types of discovered columns. They grow from value to value and never shrink, and a column
//! has one type for all values of a batch:
//!
//! ```text
//!            STRING           text, lists, objects, numbers beyond 64 bits or a double's digits
//!           /      \
//!      DOUBLE      wide LONG  whole numbers that a DOUBLE does not hold
//!           \      /
//!             LONG            whole numbers, true and false (1 and 0)
//! ```
//!
//! A wide LONG is a LONG that no decimal may follow: the common type of both is STRING.

use henge_types::ColumnType;

use crate::raw::Raw;

/// Whole numbers up to here are exact as doubles.
const EXACT_IN_DOUBLE: i64 = 1 << 53;

/// What a discovered column has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiscoveredType {
    /// Whole numbers that a double holds as well.
    Long,
    /// Whole numbers of up to 64 bits.
    WideLong,
    /// Numbers.
    Double,
    /// Anything, as text.
    String,
}

/// A column that events brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveredColumn {
    /// Its name.
    pub name: String,
    /// What it has to hold.
    pub discovered_type: DiscoveredType,
}

impl DiscoveredType {
    /// The type of the column.
    #[must_use]
    pub fn column_type(self) -> ColumnType {
        match self {
            Self::Long | Self::WideLong => ColumnType::Long,
            Self::Double => ColumnType::Double,
            Self::String => ColumnType::String,
        }
    }

    /// The narrowest type that holds all that either holds.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Long, wider) | (wider, Self::Long) => wider,
            _ => Self::String,
        }
    }

    /// The number of a type in stored records, where it never changes.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Long => 0,
            Self::WideLong => 1,
            Self::Double => 2,
            Self::String => 3,
        }
    }

    /// The type of a number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Long, Self::WideLong, Self::Double, Self::String].get(usize::from(code)).copied()
    }

    /// What one value needs; `None` for null.
    #[inline]
    pub(crate) fn of(raw: Raw) -> Option<Self> {
        Some(match raw {
            Raw::Missing | Raw::Null | Raw::List { count: 0, .. } => return None,
            Raw::Bool(_) => Self::Long,
            Raw::Long(value) if value.unsigned_abs() <= EXACT_IN_DOUBLE.unsigned_abs() => {
                Self::Long
            }
            Raw::Long(_) => Self::WideLong,
            Raw::Double(_) => Self::Double,
            Raw::HugeNumber(_)
            | Raw::LongDecimal(_)
            | Raw::Text(_)
            | Raw::List { .. }
            | Raw::Json(_) => Self::String,
        })
    }

    /// What the column needs once it also holds a value, when that is more than it is now.
    #[inline]
    pub(crate) fn grown(self, raw: Raw) -> Option<Self> {
        if self == Self::String {
            return None;
        }
        let joined = self.join(Self::of(raw)?);
        (joined != self).then_some(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [DiscoveredType; 4] = [
        DiscoveredType::Long,
        DiscoveredType::WideLong,
        DiscoveredType::Double,
        DiscoveredType::String,
    ];

    #[test]
    fn joining_is_a_lattice() {
        for a in ALL {
            assert_eq!((a.join(a), DiscoveredType::from_code(a.code())), (a, Some(a)));
            for b in ALL {
                assert_eq!(a.join(b), b.join(a));
                for c in ALL {
                    assert_eq!(a.join(b).join(c), a.join(b.join(c)));
                }
            }
        }
        assert_eq!(DiscoveredType::WideLong.join(DiscoveredType::Double), DiscoveredType::String);
        assert_eq!(DiscoveredType::from_code(4), None);
    }
}
