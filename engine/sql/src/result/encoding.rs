//! [`Encoding`]: how values are written, as far as a statement's context decides it.

use henge_types::{format_timestamp_in_zone, parse_time_zone, write_timestamp, zone};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::format::flag_or;
use crate::error::{Result, SqlError};

const DAY_MS: i64 = 86_400_000;

/// How times and lists are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The zone of the session; `None` is UTC.
    zone: Option<TimeZone>,
    /// Lists are written as text of JSON instead of as JSON.
    pub stringify_arrays: bool,
}

impl Default for Encoding {
    /// UTC, lists as text: what Druid does over HTTP.
    fn default() -> Self {
        Self { zone: None, stringify_arrays: true }
    }
}

impl Encoding {
    /// By `sqlTimeZone` and `sqlStringifyArrays` of a context.
    ///
    /// # Errors
    /// When there is no such zone, or the other is neither true nor false.
    pub fn of_context(context: &Map<String, Value>) -> Result<Self> {
        let path = "context.sqlStringifyArrays";
        let stringify_arrays = flag_or(context, "sqlStringifyArrays", path, true)?;
        let zone = match context.get("sqlTimeZone") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(
                parse_time_zone(name)
                    .map_err(|error| SqlError::invalid(format!("context.sqlTimeZone: {error}")))?,
            ),
            Some(other) => {
                return Err(SqlError::invalid(format!(
                    "context.sqlTimeZone: {other} is no name of a time zone; write for example \
                     \"America/Los_Angeles\""
                )));
            }
        };
        Ok(Self { zone: zone.filter(|zone| *zone != TimeZone::UTC), stringify_arrays })
    }

    /// Appends an instant, ISO 8601 with the zone's offset.
    pub(super) fn write_instant(&self, out: &mut Vec<u8>, ms: i64) {
        match &self.zone {
            None => write_timestamp(out, ms),
            Some(zone) => out.extend_from_slice(format_timestamp_in_zone(ms, zone).as_bytes()),
        }
    }

    /// Appends a date, as the instant at which it begins in the zone.
    pub(super) fn write_date(&self, out: &mut Vec<u8>, days: i32) {
        let local_ms = i64::from(days) * DAY_MS;
        match &self.zone {
            None => write_timestamp(out, local_ms),
            Some(zone) => self.write_instant(out, zone::local_to_instant(zone, local_ms)),
        }
    }
}
