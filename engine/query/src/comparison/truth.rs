//! Three-valued truth, as SQL has it.

use henge_expr::ExprValue;

/// True, false or (null was compared) unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// The row is kept.
    True,
    /// The negation keeps the row.
    False,
    /// Neither the filter nor its negation keeps the row.
    Unknown,
}

impl Truth {
    /// The truth of an expression's value. An array is true when an element is.
    #[must_use]
    pub fn of_expr_value(value: &ExprValue) -> Self {
        match value {
            ExprValue::Array(items) => Self::any(items.iter().map(Self::of_expr_value)),
            value => value.truth().map_or(Self::Unknown, Self::from),
        }
    }

    /// OR: true when any is true, false when all are false.
    pub fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::False;
        for truth in truths {
            match truth {
                Self::True => return Self::True,
                Self::Unknown => result = Self::Unknown,
                Self::False => {}
            }
        }
        result
    }
}

/// NOT: unknown stays unknown.
impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}
