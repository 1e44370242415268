//! From JSON values to the types of columns.
//!
//! | JSON          | STRING            | LONG                 | FLOAT, DOUBLE | sketch input |
//! |---------------|-------------------|----------------------|---------------|--------------|
//! | text          | itself            | parsed               | parsed        | itself       |
//! | whole number  | its digits        | itself               | itself        | itself       |
//! | decimal       | Java's text       | fraction dropped     | itself        | itself       |
//! | of many digits| its digits        | fraction dropped     | the nearest   | its digits   |
//! | true, false   | `true`, `false`   | 1, 0                 | 1, 0          | text         |
//! | list          | multi-value       | no number            | no number     | each value   |
//! | object        | its JSON text     | no number            | no number     | its text     |
//! | NaN, infinite | Java's text       | null                 | itself        | itself       |
//! | null, empty list | null           | null                 | null          | null         |
//!
//! What is no number is null in a dimension and refuses the event in a metric. NaN and the
//! infinities come from columns of Parquet, from transforms and as the texts `NaN`, `Infinity` and
//! `-Infinity`; there is one NaN, whatever its bits. In a LONG they are null, in metrics as well: most
//! often NaN stands for a value that is missing. Numbers out of range are always refused, never
//! wrapped or rounded to infinity. `-0.0` is `0.0`. What is stored
//! otherwise than it came (null for a value, a number without its fraction, a whole number that a
//! double does not hold, digits beyond those of a double or a FLOAT, what a metric cuts off a text) is
//! a [`Loss`] and counted.

use std::fmt::Write;

use henge_expr::number::{
    double_to_long, format_double, is_kept_by_float, keeps_digits, parse_double, text_to_long,
    write_double,
};
use henge_segment::metric::{cut, list_text};
use henge_types::ColumnType;

use crate::limits::ParseLimits;
use crate::raw::{EventBuffer, Raw, Span};
use crate::rejection::RejectReason;

/// What a column takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    String,
    /// Text of which a metric keeps so many bytes.
    CutText(u32),
    Long,
    Float,
    Double,
    /// The raw input of a sketch.
    Sketch,
    /// Nothing: `count`.
    None,
}

impl Target {
    /// What a dimension of a type takes.
    pub(crate) fn of_dimension(column_type: &ColumnType) -> Self {
        match column_type {
            ColumnType::Long => Self::Long,
            ColumnType::Float => Self::Float,
            ColumnType::Double => Self::Double,
            // A dimension of objects is refused by the index.
            ColumnType::String | ColumnType::Complex(_) => Self::String,
        }
    }

    /// True when a value is taken as the text that it is.
    pub(crate) fn is_text(self) -> bool {
        match self {
            Self::String | Self::CutText(_) => true,
            Self::Long | Self::Float | Self::Double | Self::Sketch | Self::None => false,
        }
    }
}

/// A value of the right type; text by where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    Null,
    Long(i64),
    Double(f64),
    Text(Span),
    /// A range of `Cells::parts`.
    Multi {
        first: usize,
        count: usize,
    },
}

/// One row's values.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    pub(crate) values: Vec<Cell>,
    pub(crate) parts: Vec<Option<Span>>,
    /// Values that are stored otherwise than they came.
    pub(crate) losses: Vec<Loss>,
}

/// A value that its column does not hold as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loss {
    /// Index of the column: dimensions, then metrics.
    pub(crate) column: usize,
    pub(crate) raw: Raw,
    stored: Cell,
}

impl Loss {
    pub(crate) fn is_null(&self) -> bool {
        self.stored == Cell::Null
    }

    /// What is stored, for messages.
    pub(crate) fn stored_text(&self, body: &str, buffer: &EventBuffer) -> String {
        match self.stored {
            Cell::Long(value) => value.to_string(),
            Cell::Double(value) => format_double(value),
            Cell::Text(span) => excerpt(span.text(body, &buffer.arena)),
            Cell::Null | Cell::Multi { .. } => "null".to_owned(),
        }
    }
}

impl Cells {
    /// Notes that the value of the column at hand is stored as something else.
    #[cold]
    fn lose(&mut self, raw: Raw, stored: Cell) {
        self.losses.push(Loss { column: self.values.len(), raw, stored });
    }

    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.parts.clear();
        self.losses.clear();
    }
}

/// Converts the value of one column and adds it to the row.
#[inline]
pub(crate) fn coerce(
    raw: Raw,
    column: &Column<'_>,
    body: &str,
    buffer: &mut EventBuffer,
    cells: &mut Cells,
) -> Result<(), RejectReason> {
    // Most values have the type of their column.
    let cell = match (column.target, raw) {
        (Target::String, Raw::Text(span)) if span.length() <= column.limits.max_string_bytes => {
            Cell::Text(span)
        }
        (Target::Long, Raw::Long(value)) => Cell::Long(value),
        (Target::Double, Raw::Double(value)) if value.is_finite() => Cell::Double(value + 0.0),
        (Target::None, _) => Cell::Null,
        _ => return coerce_other(raw, column, body, buffer, cells),
    };
    cells.values.push(cell);
    Ok(())
}

#[inline(never)]
fn coerce_other(
    raw: Raw,
    column: &Column<'_>,
    body: &str,
    buffer: &mut EventBuffer,
    cells: &mut Cells,
) -> Result<(), RejectReason> {
    let cell = match column.target {
        Target::None => Cell::Null,
        _ if raw.is_null() || matches!(raw, Raw::List { count: 0, .. }) => Cell::Null,
        Target::String => text_cell(raw, column, buffer, cells)?,
        Target::CutText(most) => {
            let cell = text_cell(raw, column, buffer, cells)?;
            note_cut(raw, cell, most as usize, body, buffer, cells);
            cell
        }
        Target::Long => long_cell(raw, column, body, buffer, cells)?,
        Target::Double | Target::Float => double_cell(raw, column, body, buffer, cells)?,
        Target::Sketch => match raw {
            Raw::Long(value) => Cell::Long(value),
            Raw::Double(value) => Cell::Double(canonical(value)),
            _ => text_cell(raw, column, buffer, cells)?,
        },
    };
    cells.values.push(cell);
    Ok(())
}

/// What is being filled.
#[derive(Debug)]
pub(crate) struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) target: Target,
    pub(crate) is_metric: bool,
    pub(crate) limits: &'a ParseLimits,
}

impl Column<'_> {
    fn expected(&self) -> &'static str {
        match self.target {
            Target::Long => "a whole number in the range of LONG",
            Target::Float => "a number in the range of FLOAT",
            Target::Double => "a number in the range of DOUBLE",
            _ => "text",
        }
    }

    #[cold]
    fn refuse(&self, raw: Raw, body: &str, buffer: &EventBuffer) -> RejectReason {
        RejectReason::WrongType {
            column: self.name.to_owned(),
            expected: self.expected(),
            found: excerpt(&describe(raw, body, buffer)),
        }
    }

    /// Something that is no number: null in a dimension, a refusal in a metric.
    fn not_a_number(
        &self,
        raw: Raw,
        body: &str,
        buffer: &EventBuffer,
        cells: &mut Cells,
    ) -> Result<Cell, RejectReason> {
        if self.is_metric {
            return Err(self.refuse(raw, body, buffer));
        }
        cells.lose(raw, Cell::Null);
        Ok(Cell::Null)
    }

    fn check_length(&self, span: Span) -> Result<Span, RejectReason> {
        let limit = self.limits.max_string_bytes;
        if span.length() <= limit {
            return Ok(span);
        }
        let column = self.name.to_owned();
        Err(RejectReason::ColumnOverLimit { column, what: "bytes of text", limit })
    }
}

fn text_cell(
    raw: Raw,
    column: &Column<'_>,
    buffer: &mut EventBuffer,
    cells: &mut Cells,
) -> Result<Cell, RejectReason> {
    let Raw::List { first, count } = raw else {
        let span = scalar_text(raw, buffer);
        return match span {
            Some(span) => column.check_length(span).map(Cell::Text),
            None => Ok(Cell::Null),
        };
    };
    let start = cells.parts.len();
    for index in first..first + count {
        let item = buffer.items.get(index as usize).copied().unwrap_or(Raw::Null);
        let span = scalar_text(item, buffer);
        cells.parts.push(span.map(|span| column.check_length(span)).transpose()?);
    }
    Ok(match cells.parts[start..] {
        [] => Cell::Null,
        [only] => {
            cells.parts.truncate(start);
            only.map_or(Cell::Null, Cell::Text)
        }
        _ => Cell::Multi { first: start, count: count as usize },
    })
}

/// Notes what a metric will not keep of a text, or of the text of several values.
fn note_cut(
    raw: Raw,
    cell: Cell,
    max_bytes: usize,
    body: &str,
    buffer: &mut EventBuffer,
    cells: &mut Cells,
) {
    const NULL: &str = "null";
    let text = match cell {
        Cell::Text(span) if span.length() > max_bytes => span.text(body, &buffer.arena).to_owned(),
        Cell::Multi { first, count } => {
            let parts = &cells.parts[first..first + count];
            let of = |part: &Option<Span>| part.map_or(NULL, |s| s.text(body, &buffer.arena));
            list_text(&parts.iter().map(of).collect::<Vec<_>>())
        }
        Cell::Text(_) | Cell::Null | Cell::Long(_) | Cell::Double(_) => return,
    };
    if text.len() > max_bytes {
        let kept = buffer.keep(cut(&text, max_bytes));
        cells.lose(raw, Cell::Text(kept));
    }
}

/// The text of a value that is no list; computed text goes to the arena.
fn scalar_text(raw: Raw, buffer: &mut EventBuffer) -> Option<Span> {
    match raw {
        Raw::Missing | Raw::Null | Raw::List { .. } => None,
        Raw::Text(span) | Raw::Json(span) | Raw::HugeNumber(span) | Raw::LongDecimal(span) => {
            Some(span)
        }
        Raw::Bool(value) => Some(buffer.keep(if value { "true" } else { "false" })),
        Raw::Long(value) => Some(buffer.keep_with(|arena| {
            // Writing to a String cannot fail.
            let _ = write!(arena, "{value}");
        })),
        Raw::Double(value) => Some(buffer.keep_with(|arena| write_double(arena, value))),
    }
}

fn long_cell(
    raw: Raw,
    column: &Column<'_>,
    body: &str,
    buffer: &EventBuffer,
    cells: &mut Cells,
) -> Result<Cell, RejectReason> {
    let mut has_fraction = false;
    let value = match raw {
        Raw::Long(value) => Some(value),
        Raw::Bool(value) => Some(i64::from(value)),
        Raw::Double(value) if !value.is_finite() => {
            cells.lose(raw, Cell::Null);
            return Ok(Cell::Null);
        }
        Raw::Double(value) => {
            has_fraction = value.fract() != 0.0;
            double_to_long(value)
        }
        Raw::Text(span) => {
            let text = span.text(body, &buffer.arena).trim();
            if text.is_empty() {
                return Ok(Cell::Null);
            }
            match parse_double(text) {
                None => return column.not_a_number(raw, body, buffer, cells),
                Some(_) if is_not_finite(text) => {
                    cells.lose(raw, Cell::Null);
                    return Ok(Cell::Null);
                }
                Some(value) => {
                    has_fraction = value.fract() != 0.0 || has_digits_behind_point(text);
                    text_to_long(text, value)
                }
            }
        }
        Raw::LongDecimal(span) => {
            let text = span.text(body, &buffer.arena);
            has_fraction = has_digits_behind_point(text);
            parse_double(text).and_then(|value| text_to_long(text, value))
        }
        Raw::List { .. } | Raw::Json(_) => {
            return column.not_a_number(raw, body, buffer, cells);
        }
        Raw::Missing | Raw::Null | Raw::HugeNumber(_) => None,
    };
    let cell = value.map(Cell::Long).ok_or_else(|| column.refuse(raw, body, buffer))?;
    if has_fraction {
        cells.lose(raw, cell);
    }
    Ok(cell)
}

fn double_cell(
    raw: Raw,
    column: &Column<'_>,
    body: &str,
    buffer: &EventBuffer,
    cells: &mut Cells,
) -> Result<Cell, RejectReason> {
    let value = match raw {
        Raw::Long(value) => Some(value as f64),
        Raw::Bool(value) => Some(f64::from(u8::from(value))),
        Raw::Double(value) => Some(value),
        // An integer beyond 64 bits may still be a fine double.
        Raw::HugeNumber(span) | Raw::LongDecimal(span) => {
            span.text(body, &buffer.arena).parse().ok()
        }
        Raw::Text(span) => {
            let text = span.text(body, &buffer.arena).trim();
            if text.is_empty() {
                return Ok(Cell::Null);
            }
            match parse_double(text) {
                Some(value) if is_not_finite(text) => return Ok(Cell::Double(canonical(value))),
                Some(value) => Some(value),
                None => return column.not_a_number(raw, body, buffer, cells),
            }
        }
        Raw::List { .. } | Raw::Json(_) => {
            return column.not_a_number(raw, body, buffer, cells);
        }
        Raw::Missing | Raw::Null => None,
    };
    if let (Raw::Double(value), Some(false)) = (raw, value.map(f64::is_finite)) {
        return Ok(Cell::Double(canonical(value)));
    }
    // Beyond the range is not infinite, it is a number that the type does not hold.
    let in_range = |value: &f64| {
        value.is_finite() && (column.target != Target::Float || (*value as f32).is_finite())
    };
    let value = value.filter(in_range).map(canonical);
    let value = value.ok_or_else(|| column.refuse(raw, body, buffer))?;
    let is_float = column.target == Target::Float;
    let held = if is_float { f64::from(value as f32) } else { value };
    if is_rounded(raw, held, body, buffer) || (is_float && !is_kept_by_float(value)) {
        cells.lose(raw, Cell::Double(held));
    }
    Ok(Cell::Double(value))
}

/// One zero and one NaN, so that equal values are one group and one key.
fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

/// True for the texts that are read as NaN and the infinities: they have no digits.
fn is_not_finite(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_digit())
}

/// True for decimals written without an exponent that are no whole numbers.
fn has_digits_behind_point(text: &str) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// True for a whole number that the double it became does not equal, and for a decimal of more digits
/// than doubles have. Shorter ones are read back as they were written.
#[inline]
fn is_rounded(raw: Raw, value: f64, body: &str, buffer: &EventBuffer) -> bool {
    let whole = match raw {
        Raw::Long(whole) => i128::from(whole),
        Raw::HugeNumber(span) | Raw::Text(span) if span.length() > 15 => {
            let text = span.text(body, &buffer.arena).trim();
            match text.parse::<i128>() {
                Ok(whole) => whole,
                Err(_) => return !keeps_digits(text, value),
            }
        }
        Raw::LongDecimal(_) => return true,
        _ => return false,
    };
    value as i128 != whole
}

/// A value as text, for messages and for numbers in STRING columns.
pub(crate) fn describe(raw: Raw, body: &str, buffer: &EventBuffer) -> String {
    match raw {
        Raw::Missing | Raw::Null => "null".to_owned(),
        Raw::Bool(value) => value.to_string(),
        Raw::Long(value) => value.to_string(),
        Raw::Double(value) => {
            let mut text = String::new();
            write_double(&mut text, value);
            text
        }
        Raw::Text(span) | Raw::Json(span) | Raw::HugeNumber(span) | Raw::LongDecimal(span) => {
            span.text(body, &buffer.arena).to_owned()
        }
        Raw::List { count, .. } => format!("a list of {count} values"),
    }
}

/// The first characters of a text, safe to print.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push_str("...");
    }
    shown
}
