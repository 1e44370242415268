//! What the context of a statement says about SQL, and what of it native queries get.

use henge_types::{parse_time_zone, parse_timestamp_ms};
use serde_json::{Map, Value};

use crate::dialect::{Surroundings, Zone};
use crate::error::{Result, SqlError};
use crate::session::Parameter;

/// Names of UTC.
const UTC: [&str; 5] = ["UTC", "Etc/UTC", "Z", "GMT", ""];

/// Names that native queries need not know.
const OF_SQL_ALONE: [&str; 8] = [
    "sqlTimeZone",
    "sqlCurrentTimestamp",
    "sqlOuterLimit",
    "sqlStringifyArrays",
    "useApproximateCountDistinct",
    "useApproximateTopN",
    "useNativeQueryExplain",
    LOWER,
];

/// Names that differ from run to run and change no plan.
const OF_ONE_RUN: [&str; 7] = [
    "sqlQueryId",
    "queryId",
    "timeout",
    "priority",
    "lane",
    "sqlCurrentTimestamp",
    "sqlStringifyArrays",
];

/// Those of Druid's and of ours that are true or false, and read elsewhere or change no answer here.
const OTHER_FLAGS: [&str; 12] = [
    LOWER,
    "useApproximateTopN",
    "useNativeQueryExplain",
    "sqlStringifyArrays",
    "useGroupingSetForExactDistinct",
    "useLexicographicTopN",
    "enableTimeBoundaryPlanning",
    "enableWindowing",
    "windowingStrictValidation",
    "sqlUseBoundAndSelectors",
    "sqlFinalizeOuterSketches",
    "sqlPullUpLookup",
];

/// Whether native queries may stand for more than plain scans.
pub(crate) const LOWER: &str = "henge.lower";

/// The context as SQL understands it.
#[derive(Debug)]
pub(super) struct Settings {
    pub zone: Option<Zone>,
    pub now_ms: i64,
    pub outer_limit: Option<usize>,
    pub approximate_distinct: bool,
}

impl Settings {
    /// Reads a context.
    ///
    /// # Errors
    /// When a value is not what its name takes.
    pub(super) fn read(context: &Map<String, Value>, now_ms: i64) -> Result<Self> {
        for name in OTHER_FLAGS {
            flag(context, name, true)?;
        }
        Ok(Self {
            zone: zone(context)?,
            now_ms: now(context)?.unwrap_or(now_ms),
            outer_limit: outer_limit(context)?,
            approximate_distinct: flag(context, "useApproximateCountDistinct", true)?,
        })
    }

    pub(super) fn surroundings(self, parameters: Option<Vec<Parameter>>) -> Surroundings {
        Surroundings {
            zone: self.zone,
            now_ms: self.now_ms,
            parameters,
            approximate_distinct: self.approximate_distinct,
        }
    }
}

/// What a context calls the zone of its times; `None` for UTC.
pub(crate) fn zone_name(context: &Map<String, Value>) -> Option<&str> {
    let name = context.get("sqlTimeZone").and_then(Value::as_str);
    name.filter(|name| !UTC.contains(name))
}

fn zone(context: &Map<String, Value>) -> Result<Option<Zone>> {
    let name = match context.get("sqlTimeZone") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(name)) => name,
        Some(_) => return Err(wrong("sqlTimeZone", "the name of a zone: 'America/New_York'")),
    };
    if UTC.contains(&name.as_str()) {
        return Ok(None);
    }
    let rules = parse_time_zone(name)
        .map_err(|error| SqlError::invalid(format!("context sqlTimeZone: {error}")))?;
    Ok(Some(Zone { name: name.clone(), rules }))
}

fn now(context: &Map<String, Value>) -> Result<Option<i64>> {
    match context.get("sqlCurrentTimestamp") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(ms)) if ms.is_i64() => Ok(ms.as_i64()),
        Some(Value::String(text)) => parse_timestamp_ms(text)
            .map(Some)
            .map_err(|error| SqlError::invalid(format!("context sqlCurrentTimestamp: {error}"))),
        Some(_) => Err(wrong("sqlCurrentTimestamp", "a time: '2026-01-31T00:00:00Z'")),
    }
}

fn outer_limit(context: &Map<String, Value>) -> Result<Option<usize>> {
    let limit = match context.get("sqlOuterLimit") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().parse::<i64>().ok(),
        Some(value) => value.as_i64(),
    };
    match limit {
        // Druid's console sends a negative number for no limit.
        Some(limit) if limit < 0 => Ok(None),
        Some(limit) => Ok(usize::try_from(limit).ok()),
        None => Err(wrong("sqlOuterLimit", "a number of rows")),
    }
}

fn flag(context: &Map<String, Value>, name: &str, default: bool) -> Result<bool> {
    match context.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(is)) => Ok(*is),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(wrong(name, "true or false")),
    }
}

fn wrong(name: &str, takes: &str) -> SqlError {
    SqlError::invalid(format!("context {name} takes {takes}"))
}

/// The context that each native query of a statement gets.
pub(super) fn native_context(context: &Map<String, Value>) -> Map<String, Value> {
    let kept = context.iter().filter(|(name, _)| !OF_SQL_ALONE.contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What of the context plans can depend on, as text.
pub(super) fn plan_context(context: &Map<String, Value>) -> String {
    let kept = context.iter().filter(|(name, _)| !OF_ONE_RUN.contains(&name.as_str()));
    let mut kept: Vec<(&String, &Value)> = kept.collect();
    kept.sort_by_key(|(name, _)| *name);
    serde_json::json!(kept).to_string()
}
