//! What an operator sets for a datasource: Druid's `config/compaction`, and the roll-up by age.

use henge_types::json_read::{read_named, refuse_repeated};
use henge_types::{Granularity, Period, validate_datasource_name};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::age::{Age, Goal, before};
use crate::error::{CompactionError, Result};
use crate::facts::SegmentFacts;
use crate::judge::{Limits, Skip, Verdict};
use crate::spec::{WantedFields, can_follow, check_granularities};
use crate::wanted::Wanted;

/// Priority of tasks unless something else is said, as Druid has it; queries and loads come first.
const TASK_PRIORITY: i32 = 25;
/// Segments that end the rest of what was compacted, unless something else is said: as many more than needed
/// are noticed by queries, and fewer are not worth writing all of it again.
const MIN_LATE_SEGMENTS: u64 = 20;
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
    /// What was compacted is compacted again once so many segments came to it, or once it rested. Ours.
    #[serde(default = "min_late_segments")]
    pub min_late_segments: u64,
    /// How long what was compacted rests when fewer segments come to it. Ours.
    #[serde(default = "a_day")]
    pub min_time_between_compactions: Period,
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

fn min_late_segments() -> u64 {
    MIN_LATE_SEGMENTS
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
        if config.min_late_segments == 0 {
            return Err(refused("minLateSegments must be above 0: 1 is for any"));
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

    /// What was compacted before this moment has rested.
    #[must_use]
    pub fn rested_before_ms(&self, now_ms: i64) -> i64 {
        before(now_ms, self.min_time_between_compactions)
    }

    /// Whether a part that was compacted at some time and has late rows is to rest: few segments came, and it
    /// was compacted not long ago.
    #[must_use]
    pub fn rests(&self, verdict: &Verdict, compacted_ms: i64, now_ms: i64) -> Option<Skip> {
        let (segments, _) = verdict.late()?;
        let enough = self.min_late_segments;
        let rest = self.min_time_between_compactions;
        let until_ms = rest.checked_add_utc(compacted_ms, 1).unwrap_or(i64::MAX);
        let is_resting = (segments as u64) < enough && now_ms < until_ms;
        is_resting.then_some(Skip::Rests { segments, enough, until_ms })
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
    use crate::judge::Reason;

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
        assert_eq!((plain.min_late_segments, plain.min_time_between_compactions), (20, a_day()));
    }

    #[test]
    fn what_was_compacted_rests_until_much_came_or_it_is_long_ago() {
        let json =
            br#"{"dataSource": "d", "minLateSegments": 3, "minTimeBetweenCompactions": "PT1H"}"#;
        let config = CompactionConfig::parse(json).unwrap();
        let late = |segments| {
            Verdict::Awaiting(vec![Reason::Late { segments, since: henge_types::Version(7) }])
        };
        let hour_ms = 3_600_000;
        let rests = |verdict: &Verdict, now_ms| config.rests(verdict, 5, now_ms);
        let expected = Skip::Rests { segments: 2, enough: 3, until_ms: 5 + hour_ms };
        assert!(expected.to_string().contains("minLateSegments"), "{expected}");
        assert_eq!(rests(&late(2), hour_ms), Some(expected));
        assert_eq!(rests(&late(3), hour_ms), None);
        assert_eq!(rests(&late(2), 5 + hour_ms), None);
        // What never was compacted does not rest.
        assert_eq!(rests(&Verdict::Awaiting(vec![Reason::FinerTimes]), 6), None);
        assert_eq!(rests(&Verdict::Compact, 6), None);
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_name() {
        for (json, part) in [
            (r#"{}"#, "dataSource"),
            (r#"{"dataSource": "d", "skipOfset": "P1D"}"#, "skipOfset"),
            (r#"{"dataSource": ""}"#, "compaction config"),
            (r#"{"dataSource": "d", "engine": "msq"}"#, "msq"),
            (r#"{"dataSource": "d", "minLateSegments": 0}"#, "minLateSegments"),
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
