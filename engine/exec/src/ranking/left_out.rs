//! What is known of the groups that a node did not send.

/// A value that groups are ranked by, as the larger the better: where the smallest come first it is
/// turned round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Of counts and of longs.
    Long(i64),
    /// Of doubles.
    Double(f64),
}

/// Part of a share that sums of doubles may be off by, for the order in which they were added, and more.
const DOUBLE_MARGIN: f64 = 1e-6;

impl Number {
    /// The largest value that a group may have on each of so many nodes without having this one altogether.
    /// `None` when nearly every group has more.
    #[must_use]
    pub(crate) fn share_below(self, nodes: usize) -> Option<Self> {
        match (self, nodes) {
            (Self::Long(value), 0 | 1) => value.checked_sub(1).map(Self::Long),
            (Self::Double(value), 0 | 1) => Some(Self::Double(value.next_down())),
            (Self::Long(value), _) => {
                let nodes = i64::try_from(nodes).unwrap_or(i64::MAX);
                let share = value.checked_sub(1)? / nodes;
                (share > 0).then_some(Self::Long(share))
            }
            (Self::Double(value), _) => {
                let share = value / nodes as f64 * (1.0 - DOUBLE_MARGIN);
                (share > 0.0 && share.is_finite()).then_some(Self::Double(share))
            }
        }
    }
}

/// What bounds the values of the groups that a contribution lacks. There is one such group at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeftOut {
    /// No value is above this.
    pub at_most: Number,
    /// No value is below this.
    pub at_least: Number,
}

impl LeftOut {
    /// What bounds the groups of both.
    #[must_use]
    pub(crate) fn and(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self {
            at_most: either(self.at_most, other.at_most, i64::max, f64::max, f64::INFINITY),
            at_least: either(self.at_least, other.at_least, i64::min, f64::min, f64::NEG_INFINITY),
        }
    }
}

/// Of values of different types, which no query has, nothing is said.
fn either(
    left: Number,
    right: Number,
    of_longs: impl Fn(i64, i64) -> i64,
    of_doubles: impl Fn(f64, f64) -> f64,
    nothing: f64,
) -> Number {
    match (left, right) {
        (Number::Long(left), Number::Long(right)) => Number::Long(of_longs(left, right)),
        (Number::Double(left), Number::Double(right)) => Number::Double(of_doubles(left, right)),
        (Number::Long(_), Number::Double(_)) | (Number::Double(_), Number::Long(_)) => {
            Number::Double(nothing)
        }
    }
}
