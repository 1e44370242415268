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
