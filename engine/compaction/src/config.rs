//! What an operator sets for a datasource: Druid's `config/compaction`, and the roll-up by age.

use henge_types::json_read::{read_named, refuse_repeated};
use henge_types::{Granularity, Period, validate_datasource_name};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::age::{Age, Goal, before};
use crate::error::{CompactionError, Result};
use crate::facts::SegmentFacts;
use crate::judge::Limits;
use crate::spec::{WantedFields, can_follow, check_granularities};
use crate::wanted::Wanted;

/// Priority of tasks unless something else is said, as Druid has it; queries and loads come first.
const TASK_PRIORITY: i32 = 25;
/// Bytes that one task reads at most, unless something else is said: they lie on the node's disk meanwhile.
const MAX_INPUT_BYTES: u64 = 100 << 30;

/// How a datasource is compacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompactionConfig {
    /// The datasource.
    pub data_source: String,
    /// Priority of the tasks among those of a realtime node; the greater first.
    #[serde(default = "task_priority")]
    pub task_priority: i32,
    /// Bytes that one task may read.
    #[serde(default = "max_input_bytes")]
    pub input_segment_size_bytes: u64,
    /// What is younger than the newest rows by less than this is left alone.
    #[serde(default = "a_day")]
    pub skip_offset_from_latest: Period,
    /// Rows of one segment, at most, where `tuningConfig` does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_rows_per_segment: Option<u64>,
    /// What segments are to be like.
    #[serde(flatten)]
    fields: WantedFields,
    /// What times are truncated to by age, the youngest first; the last one may be for all older ones. Ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rollup_by_age: Vec<RollupAge>,
    /// Passed on to tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_context: Option<Map<String, Value>>,
    /// Druid's; there is one engine here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    engine: Option<String>,
    /// Druid's; what is empty afterwards stays empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    io_config: Option<Value>,
    /// `inline`, as Druid writes it.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Nothing may be left here.
    #[serde(flatten, skip_serializing)]
    unknown: Map<String, Value>,
}

/// What times are truncated to up to some age.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RollupAge {
    /// Of chunks that ended less than this ago; `None`: of all older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<Period>,
    query_granularity: Granularity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    segment_granularity: Option<Granularity>,
}

fn task_priority() -> i32 {
    TASK_PRIORITY
}

fn max_input_bytes() -> u64 {
    MAX_INPUT_BYTES
}

fn a_day() -> Period {
    Period { days: 1, ..Period::default() }
}

impl CompactionConfig {
    /// Reads a configuration as it is sent or kept.
    ///
    /// # Errors
    /// The first thing that is wrong, and how to put it right.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let value: Value =
            serde_json::from_slice(json).map_err(|error| refused(error.to_string()))?;
        refuse_repeated(json).map_err(refused)?;
        let config: Self = read_named(&value).map_err(refused)?;
        if let Some(field) = config.unknown.keys().next() {
            return Err(refused(format!("nobody knows the field '{}'", field.escape_debug())));
        }
        validate_datasource_name(&config.data_source)
            .map_err(|error| refused(error.to_string()))?;
        if let Some(engine) = config.engine.as_deref().filter(|engine| *engine != "native") {
            let engine = engine.escape_debug();
            return Err(refused(format!(
                "engine '{engine}' is not supported: leave it out, or use native"
            )));
        }
        if let Some(kind) = config.kind.as_deref().filter(|kind| *kind != "inline") {
            return Err(refused(format!(
                "type '{}' is not supported: use inline",
                kind.escape_debug()
            )));
        }
        if config.max_rows_per_segment == Some(0) || config.input_segment_size_bytes == 0 {
            return Err(refused("maxRowsPerSegment and inputSegmentSizeBytes must be above 0"));
        }
        config.check_ages()?;
        config.goal()?;
        Ok(config)
    }

    fn check_ages(&self) -> Result<()> {
        for (age, older) in self.rollup_by_age.iter().zip(self.rollup_by_age.iter().skip(1)) {
            let Some(period) = age.period else {
                return Err(refused("rollupByAge: only the last one may have no period"));
            };
            if older.period.is_some_and(|o| o.average_length_ms() <= period.average_length_ms()) {
                return Err(refused(format!(
                    "rollupByAge: the one after {period} must have a longer period"
                )));
            }
            if !can_follow(&age.query_granularity, &older.query_granularity) {
                return Err(refused(format!(
                    "rollupByAge: rows that were truncated up to {period} cannot be truncated to what comes \
                     after: its queryGranularity must be coarser and fit"
                )));
            }
        }
        Ok(())
    }

    /// What is wanted, by age.
    ///
    /// # Errors
    /// When something cannot be done.
    pub fn goal(&self) -> Result<Goal> {
        let mut base = self.fields.wanted().map_err(refused)?;
        if let (Some(rows), None) = (self.max_rows_per_segment, &self.fields.tuning_config) {
            base.target_rows = rows;
        }
        let mut ages = Vec::with_capacity(self.rollup_by_age.len() + 1);
        let mut older_than = None;
        for age in &self.rollup_by_age {
            let wanted = Wanted {
                query_granularity: Some(age.query_granularity.clone()),
                segment_granularity: age
                    .segment_granularity
                    .clone()
                    .or(base.segment_granularity.clone()),
                rollup: Some(true),
                ..base.clone()
            };
            check_granularities(&wanted).map_err(refused)?;
            ages.push(Age { older_than, wanted });
            older_than = age.period;
        }
        if older_than.is_some() || ages.is_empty() {
            ages.push(Age { older_than, wanted: base });
        }
        ages.reverse();
        Ok(Goal::by_age(ages))
    }

    /// What is left alone among these segments now.
    #[must_use]
    pub fn limits(&self, used: &[SegmentFacts], now_ms: i64) -> Limits {
        // Rows from the far future do not make everything old.
        let latest = used.iter().map(|segment| segment.id.interval.end_ms).max();
        let latest_ms = latest.unwrap_or(now_ms).min(now_ms);
        Limits {
            young_from_ms: before(latest_ms, self.skip_offset_from_latest),
            max_bytes: self.input_segment_size_bytes,
        }
    }

    /// As it is kept and shown.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn refused(reason: impl Into<String>) -> CompactionError {
    CompactionError::Config(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_AGE: &str = r#"{"dataSource": "d", "skipOffsetFromLatest": "PT0S",
        "granularitySpec": {"segmentGranularity": "DAY"},
        "tuningConfig": {"type": "index_parallel", "partitionsSpec": {"type": "dynamic", "maxRowsPerSegment": 7}},
        "rollupByAge": [{"period": "P7D", "queryGranularity": "minute"},
            {"period": "P90D", "queryGranularity": "hour"},
            {"queryGranularity": "day", "segmentGranularity": "month"}]}"#;

    #[test]
    fn one_policy_says_what_is_wanted_by_age() {
        let config = CompactionConfig::parse(BY_AGE.as_bytes()).unwrap();
        let goal = config.goal().unwrap();
        let seen: Vec<_> = goal
            .ages()
            .iter()
            .map(|age| {
                let wanted = &age.wanted;
                let query = wanted.query_granularity.clone().unwrap();
                assert_eq!((wanted.rollup, wanted.target_rows), (Some(true), 7));
                (age.older_than.map(|age| age.to_string()), query)
            })
            .collect();
        let named = |name: &str| Granularity::parse_name(name).unwrap();
        let expected = [
            (Some("P90D".to_owned()), named("day")),
            (Some("P7D".to_owned()), named("hour")),
            (None, named("minute")),
        ];
        assert_eq!(seen, expected);
        let kept = config.to_value().to_string();
        assert_eq!(CompactionConfig::parse(kept.as_bytes()).unwrap(), config);
    }

    #[test]
    fn what_is_older_than_the_policy_is_as_without_it() {
        let json = br#"{"dataSource": "d", "rollupByAge": [{"period": "P7D", "queryGranularity": "minute"}]}"#;
        let goal = CompactionConfig::parse(json).unwrap().goal().unwrap();
        assert_eq!(goal.ages()[0].wanted, Wanted::default());
        assert_eq!(goal.ages().len(), 2);
        let plain = CompactionConfig::parse(br#"{"dataSource": "d"}"#).unwrap();
        assert_eq!(plain.goal().unwrap(), Goal::always(Wanted::default()));
        assert_eq!((plain.task_priority, plain.skip_offset_from_latest), (25, a_day()));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_name() {
        for (json, part) in [
            (r#"{}"#, "dataSource"),
            (r#"{"dataSource": "d", "skipOfset": "P1D"}"#, "skipOfset"),
            (r#"{"dataSource": ""}"#, "compaction config"),
            (r#"{"dataSource": "d", "engine": "msq"}"#, "msq"),
            (
                r#"{"dataSource": "d", "metricsSpec": [{"type": "count", "name": "n"}]}"#,
                "metricsSpec",
            ),
            (
                r#"{"dataSource": "d", "transformSpec": {"filter": {"type": "true"}}}"#,
                "transformSpec",
            ),
            (
                r#"{"dataSource": "d", "granularitySpec": {"segmentGranularity": "hour", "queryGranularity": "day"}}"#,
                "larger chunks",
            ),
            (
                r#"{"dataSource": "d", "rollupByAge": [{"queryGranularity": "hour"}, {"queryGranularity": "day"}]}"#,
                "only the last",
            ),
            (
                r#"{"dataSource": "d", "rollupByAge": [{"period": "P9D", "queryGranularity": "hour"},
                    {"period": "P7D", "queryGranularity": "day"}]}"#,
                "longer period",
            ),
            (
                r#"{"dataSource": "d", "rollupByAge": [{"period": "P9D", "queryGranularity": "week"},
                    {"queryGranularity": "month"}]}"#,
                "must be coarser",
            ),
            (
                r#"{"dataSource": "d", "tuningConfig": {"partitionsSpec": {"type": "hashed"}}}"#,
                "hashed",
            ),
            (
                r#"{"dataSource": "d", "dimensionsSpec": {"dimensions": ["a", "__time"]}}"#,
                "forceSegmentSortByTime",
            ),
        ] {
            let error = CompactionConfig::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
