//! The values expressions work on.

use std::borrow::Cow;
use std::sync::Arc;

use crate::number::{double_to_long, format_double, parse_double, text_to_long};

/// What an element of an array counts besides its text.
pub(crate) const ELEMENT_BYTES: u64 = 16;

/// A value. Cloning is cheap: text and arrays are shared.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ExprValue {
    /// SQL null.
    #[default]
    Null,
    /// 64-bit integer; booleans are 1 and 0.
    Long(i64),
    /// 64-bit float.
    Double(f64),
    /// Text.
    String(Arc<str>),
    /// An array; its elements are null or of one type.
    Array(Arc<[ExprValue]>),
}

impl ExprValue {
    /// True (1) or false (0).
    #[must_use]
    pub fn of_bool(value: bool) -> Self {
        Self::Long(i64::from(value))
    }

    /// True for null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// True when the value counts as true: a number over zero, or the text `true` in any case.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.truth() == Some(true)
    }

    /// The truth value; `None` (unknown) for null.
    #[must_use]
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Null => None,
            Self::Long(value) => Some(*value > 0),
            Self::Double(value) => Some(*value > 0.0),
            Self::String(text) => Some(text.eq_ignore_ascii_case("true")),
            Self::Array(items) => match items.as_ref() {
                [one] => one.truth(),
                _ => Some(false),
            },
        }
    }

    /// What a filter makes of the value: of a list, true when one of its values is, unknown when one
    /// might be.
    #[must_use]
    pub fn filter_truth(&self) -> Option<bool> {
        let Self::Array(items) = self else { return self.truth() };
        let truths = || items.iter().map(Self::filter_truth);
        if truths().any(|truth| truth == Some(true)) {
            return Some(true);
        }
        truths().all(|truth| truth.is_some()).then_some(false)
    }

    /// As an integer: doubles are truncated, text is parsed; null when that is impossible.
    #[must_use]
    pub fn as_long(&self) -> Option<i64> {
        match self {
            Self::Null => None,
            Self::Long(value) => Some(*value),
            Self::Double(value) => double_to_long(*value),
            Self::String(text) => text_to_long(text, parse_double(text)?),
            Self::Array(items) => single(items)?.as_long(),
        }
    }

    /// As a double: text is parsed; null when that is impossible.
    #[must_use]
    pub fn as_double(&self) -> Option<f64> {
        match self {
            Self::Null => None,
            Self::Long(value) => Some(*value as f64),
            Self::Double(value) => Some(*value),
            Self::String(text) => parse_double(text),
            Self::Array(items) => single(items)?.as_double(),
        }
    }

    /// As text; arrays are written `[a, b]`. Null has no text.
    #[must_use]
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::String(text) => Some(Cow::Borrowed(text)),
            Self::Long(value) => Some(Cow::Owned(value.to_string())),
            Self::Double(value) => Some(Cow::Owned(format_double(*value))),
            Self::Array(items) => {
                let parts: Vec<_> =
                    items.iter().map(|i| i.as_text().unwrap_or(Cow::Borrowed("null"))).collect();
                Some(Cow::Owned(format!("[{}]", parts.join(", "))))
            }
        }
    }

    /// As shared text, without copying when it already is text.
    pub(crate) fn to_shared_text(&self) -> Option<Arc<str>> {
        match self {
            Self::String(text) => Some(text.clone()),
            other => other.as_text().map(Arc::from),
        }
    }

    /// Bytes of text, and sixteen for each element of an array with those of arrays within; none for
    /// numbers.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::String(text) => text.len() as u64,
            Self::Array(items) => items.iter().map(|item| ELEMENT_BYTES + item.bytes()).sum(),
            Self::Null | Self::Long(_) | Self::Double(_) => 0,
        }
    }

    /// Arrays within arrays: 0 for scalars.
    pub(crate) fn array_depth(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.iter().map(Self::array_depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// The elements when seen as an array: a scalar is an array of one; null has none.
    pub(crate) fn elements(&self) -> Option<&[ExprValue]> {
        match self {
            Self::Null => None,
            Self::Array(items) => Some(items),
            scalar => Some(std::slice::from_ref(scalar)),
        }
    }
}

fn single(items: &[ExprValue]) -> Option<&ExprValue> {
    match items {
        [one] => Some(one),
        _ => None,
    }
}

impl From<i64> for ExprValue {
    fn from(value: i64) -> Self {
        Self::Long(value)
    }
}

impl From<f64> for ExprValue {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl From<bool> for ExprValue {
    fn from(value: bool) -> Self {
        Self::of_bool(value)
    }
}

impl From<&str> for ExprValue {
    fn from(value: &str) -> Self {
        Self::String(Arc::from(value))
    }
}

impl From<String> for ExprValue {
    fn from(value: String) -> Self {
        Self::String(Arc::from(value))
    }
}

impl From<Arc<str>> for ExprValue {
    fn from(value: Arc<str>) -> Self {
        Self::String(value)
    }
}

impl From<Vec<ExprValue>> for ExprValue {
    fn from(values: Vec<ExprValue>) -> Self {
        Self::Array(values.into())
    }
}

impl<T: Into<ExprValue>> From<Option<T>> for ExprValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
