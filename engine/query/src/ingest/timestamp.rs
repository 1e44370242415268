//! `timestampSpec`.

use henge_expr::joda::JodaPattern;
use henge_types::{format_timestamp, parse_timestamp_ms};
use serde_json::{Value, json};

use crate::error::Result;
use crate::node::{Node, excerpt};

/// Where an event's time is and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampSpec {
    /// The field; `timestamp` by default.
    pub column: String,
    /// How it is written.
    pub format: TimestampFormat,
    /// The time of events that lack the field; without it they are refused.
    pub missing_value_ms: Option<i64>,
}

/// How a time is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TimestampFormat {
    /// By what it looks like: a number's unit by its size, digits of a date, or ISO 8601.
    #[default]
    Auto,
    /// `auto` as schemas mean it that were stored before it had a version: milliseconds when it is
    /// a whole number, else ISO 8601.
    AutoV1,
    /// ISO 8601.
    Iso,
    /// Seconds since 1970.
    Posix,
    /// Milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micro,
    /// Nanoseconds since 1970.
    Nano,
    /// Seconds since 1970 with a fraction.
    Ruby,
    /// A Joda pattern, for example `yyyy-MM-dd HH:mm:ss`, in UTC unless it reads a zone. It was
    /// checked: [`JodaPattern`] parses it and can read text.
    Joda(String),
}

/// Says in a stored schema which rules `auto` follows.
const AUTO_VERSION: &str = "autoVersion";
/// The rules of [`TimestampFormat::Auto`].
const NEWEST_AUTO: i64 = 2;

impl Default for TimestampSpec {
    fn default() -> Self {
        Self {
            column: "timestamp".to_owned(),
            format: TimestampFormat::default(),
            missing_value_ms: None,
        }
    }
}

impl TimestampSpec {
    pub(super) fn read(schema: &Node<'_>) -> Result<Self> {
        let mut spec = Self::default();
        let Some(node) = schema.get("timestampSpec") else { return Ok(spec) };
        node.only_fields(&["column", "format", "missingValue", AUTO_VERSION])?;
        if let Some(column) = node.optional_name("column")? {
            spec.column = column;
        }
        if let Some(format) = node.get("format") {
            spec.format = read_format(&format)?;
        }
        if let Some(version) = node.get(AUTO_VERSION)
            && version.within::<i64>(1, NEWEST_AUTO)? == 1
            && spec.format == TimestampFormat::Auto
        {
            spec.format = TimestampFormat::AutoV1;
        }
        if let Some(missing) = node.get("missingValue") {
            let ms = parse_timestamp_ms(missing.text()?);
            spec.missing_value_ms = Some(ms.map_err(|error| missing.invalid(error.to_string()))?);
        }
        Ok(spec)
    }

    pub(super) fn to_value(&self) -> Value {
        let mut value = json!({
            "column": self.column,
            "format": self.format.name(),
            "missingValue": self.missing_value_ms.map(format_timestamp),
        });
        match self.format {
            TimestampFormat::Auto => value[AUTO_VERSION] = NEWEST_AUTO.into(),
            TimestampFormat::AutoV1 => value[AUTO_VERSION] = 1.into(),
            _ => {}
        }
        value
    }

    /// Writes into a stored schema what its `auto` means: without a version it was stored before
    /// there were any, and its log has to be read again as it was read then.
    pub(super) fn mark_stored(schema: &mut Value) {
        let Some(schema) = schema.as_object_mut() else { return };
        let spec = schema.entry("timestampSpec").or_insert_with(|| json!({}));
        if let Some(spec) = spec.as_object_mut() {
            spec.entry(AUTO_VERSION).or_insert(1.into());
        }
    }
}

impl TimestampFormat {
    /// The name in JSON.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Auto | Self::AutoV1 => "auto",
            Self::Iso => "iso",
            Self::Posix => "posix",
            Self::Millis => "millis",
            Self::Micro => "micro",
            Self::Nano => "nano",
            Self::Ruby => "ruby",
            Self::Joda(pattern) => pattern,
        }
    }
}

fn read_format(node: &Node<'_>) -> Result<TimestampFormat> {
    let name = node.name()?;
    match name.to_ascii_lowercase().as_str() {
        "auto" => Ok(TimestampFormat::Auto),
        "iso" => Ok(TimestampFormat::Iso),
        "posix" => Ok(TimestampFormat::Posix),
        "millis" => Ok(TimestampFormat::Millis),
        "micro" => Ok(TimestampFormat::Micro),
        "nano" => Ok(TimestampFormat::Nano),
        "ruby" => Ok(TimestampFormat::Ruby),
        _ => match JodaPattern::parse(&name) {
            Ok(pattern) if has_letters(&name) && pattern.is_readable() => {
                Ok(TimestampFormat::Joda(name))
            }
            _ => Err(node.invalid(format!(
                "'{}' is unknown: use auto, iso, posix, millis, micro, nano, ruby or a pattern \
                 such as yyyy-MM-dd HH:mm:ss",
                excerpt(&name)
            ))),
        },
    }
}

/// A pattern without one letter outside quotes would read the same instant from every event.
fn has_letters(pattern: &str) -> bool {
    pattern.split('\'').step_by(2).any(|text| text.contains(|c: char| c.is_ascii_alphabetic()))
}
