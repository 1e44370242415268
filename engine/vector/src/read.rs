//! Values of single rows, as other stages read them.

use std::borrow::Cow;

use henge_expr::ExprValue;
use henge_expr::number::parse_double;

use crate::column::Column;
use crate::numbers::optional;

impl Column {
    /// A row's value as an expression sees it. Objects have none: it is null.
    #[must_use]
    pub fn expr_value(&self, row: usize) -> ExprValue {
        match self {
            Self::Null(_) | Self::Objects(_) => ExprValue::Null,
            Self::Long(values) => optional(values, row).into(),
            Self::Wide(values) => optional(values, row).map(|value| value as f64).into(),
            Self::Float(values) => optional(values, row).map(f64::from).into(),
            Self::Double(values) | Self::WideFloat(values) => optional(values, row).into(),
            Self::Text(text) => text.get(row).into(),
            Self::Lists(lists) => match lists.row(row) {
                [] => ExprValue::Null,
                [id] => lists.value(*id).into(),
                ids => ids.iter().map(|&id| lists.value(id).into()).collect::<Vec<_>>().into(),
            },
            Self::Timed(timed) => timed.values().expr_value(row),
            Self::Mixed(values) => values[row].clone(),
            Self::SegmentIds(keys) => match keys.ids()[row] {
                0 => ExprValue::Null,
                id => ExprValue::Long(i64::from(id)),
            },
            Self::NodeIds(keys) => keys.get(row).into(),
        }
    }

    /// A row's value as a double; text is parsed. `None` is null.
    #[must_use]
    pub fn double(&self, row: usize) -> Option<f64> {
        match self {
            Self::Null(_) | Self::Objects(_) => None,
            Self::Long(values) => optional(values, row).map(|value| value as f64),
            Self::Wide(values) => optional(values, row).map(|value| value as f64),
            Self::Float(values) => optional(values, row).map(f64::from),
            Self::Double(values) | Self::WideFloat(values) => optional(values, row),
            Self::Text(text) => text.get(row).and_then(parse_double),
            Self::NodeIds(keys) => keys.get(row).and_then(parse_double),
            Self::Timed(timed) => timed.values().double(row),
            Self::Mixed(values) => values[row].as_double(),
            Self::Lists(_) | Self::SegmentIds(_) => self.expr_value(row).as_double(),
        }
    }

    /// A row's value as text, numbers as they are written. `None` is null.
    #[must_use]
    pub fn text(&self, row: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => text.get(row).map(Cow::Borrowed),
            Self::NodeIds(keys) => keys.get(row).map(Cow::Borrowed),
            Self::Timed(timed) => timed.values().text(row),
            Self::Mixed(values) => values[row].as_text(),
            Self::Null(_)
            | Self::Long(_)
            | Self::Wide(_)
            | Self::Float(_)
            | Self::Double(_)
            | Self::WideFloat(_)
            | Self::Lists(_)
            | Self::Objects(_)
            | Self::SegmentIds(_) => {
                self.expr_value(row).as_text().map(|text| Cow::Owned(text.into_owned()))
            }
        }
    }

    /// A row's value as a long; doubles are truncated, text is parsed. `None` is null.
    #[must_use]
    pub fn long(&self, row: usize) -> Option<i64> {
        match self {
            Self::Long(values) => optional(values, row),
            Self::Timed(timed) => timed.values().long(row),
            Self::Null(_)
            | Self::Wide(_)
            | Self::Float(_)
            | Self::Double(_)
            | Self::WideFloat(_)
            | Self::Text(_)
            | Self::Lists(_)
            | Self::Objects(_)
            | Self::Mixed(_)
            | Self::SegmentIds(_)
            | Self::NodeIds(_) => self.expr_value(row).as_long(),
        }
    }
}
