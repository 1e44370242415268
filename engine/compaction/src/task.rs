//! Druid's task `compact`.

use henge_types::{Granularity, Interval, validate_datasource_name};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::age::Goal;
use crate::error::{CompactionError, Result};
use crate::spec::{WantedFields, check_granularities};
use crate::wanted::Wanted;

/// What the task is called.
pub const TASK_TYPE: &str = "compact";
/// Tasks' ids become part of URLs and log lines.
const MAX_ID_BYTES: usize = 255;

/// A compaction of some time of a datasource.
#[derive(Debug, Clone, PartialEq)]
pub struct CompactTask {
    /// The id that the caller wants.
    pub id: Option<String>,
    /// The datasource.
    pub data_source: String,
    /// The time; chunks that reach out of it are compacted whole.
    pub interval: Interval,
    /// What segments are to be like.
    pub wanted: Wanted,
    /// Passed on, and shown with the task.
    pub context: Map<String, Value>,
}

/// As Druid writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    data_source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    io_config: Option<IoFields>,
    /// The older way of saying what `ioConfig` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interval: Option<Interval>,
    /// The older way of saying what `granularitySpec` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    segment_granularity: Option<Granularity>,
    #[serde(flatten)]
    wanted: WantedFields,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    context: Map<String, Value>,
    /// What Druid adds when it gives a task back, and what nobody knows.
    #[serde(flatten, skip_serializing)]
    others: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IoFields {
    #[serde(rename = "type")]
    kind: String,
    input_spec: InputFields,
    #[serde(default)]
    drop_existing: bool,
    /// Druid's: chunks that reach out of the interval are compacted whole in any case.
    #[serde(default, rename = "allowNonAlignedInterval", skip_serializing)]
    _non_aligned: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InputFields {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    interval: Option<Interval>,
}

const IGNORED: [&str; 4] = ["groupId", "resource", "dimensions", "granularity"];

impl CompactTask {
    /// A task for a part of a datasource's time.
    #[must_use]
    pub fn new(data_source: &str, interval: Interval, wanted: Wanted) -> Self {
        let data_source = data_source.to_owned();
        Self { id: None, data_source, interval, wanted, context: Map::new() }
    }

    /// Reads a task.
    ///
    /// # Errors
    /// The first thing that is wrong, and how to put it right.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let fields: Fields =
            serde_json::from_slice(json).map_err(|error| refused(error.to_string()))?;
        if fields.kind != TASK_TYPE {
            return Err(refused(format!("type '{}' is another task", fields.kind.escape_debug())));
        }
        let is_unknown = |(name, value): &(&String, &Value)| {
            !value.is_null() && !matches!(name.as_str(), "groupId" | "resource")
        };
        if let Some((field, _)) = fields.others.iter().find(is_unknown) {
            let hint = match IGNORED.contains(&field.as_str()) {
                true => "is not supported: use granularitySpec and dimensionsSpec",
                false => "is unknown",
            };
            return Err(refused(format!("the field '{}' {hint}", field.escape_debug())));
        }
        validate_datasource_name(&fields.data_source)
            .map_err(|error| refused(error.to_string()))?;
        let interval = interval(&fields)?;
        let mut wanted = fields.wanted.wanted().map_err(refused)?;
        if wanted.segment_granularity.is_none() {
            wanted.segment_granularity = fields.segment_granularity;
            check_granularities(&wanted).map_err(refused)?;
        }
        let id = fields.id.map(checked_id).transpose()?;
        Ok(Self { id, data_source: fields.data_source, interval, wanted, context: fields.context })
    }

    /// What is wanted of the segments, whatever their age.
    #[must_use]
    pub fn goal(&self) -> Goal {
        Goal::always(self.wanted.clone())
    }

    /// The task as Druid's JSON. Reading it again gives the same task.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let input_spec = InputFields { kind: "interval".into(), interval: Some(self.interval) };
        let io_config = IoFields {
            kind: TASK_TYPE.into(),
            input_spec,
            drop_existing: false,
            _non_aligned: false,
        };
        let fields = Fields {
            kind: TASK_TYPE.into(),
            id: self.id.clone(),
            data_source: self.data_source.clone(),
            io_config: Some(io_config),
            interval: None,
            segment_granularity: None,
            wanted: WantedFields::of(&self.wanted),
            context: self.context.clone(),
            others: Map::new(),
        };
        serde_json::to_value(fields).unwrap_or_default()
    }
}

fn interval(fields: &Fields) -> Result<Interval> {
    let given = match &fields.io_config {
        None => fields.interval,
        Some(io) if io.kind != TASK_TYPE => {
            return Err(refused(format!(
                "ioConfig.type '{}': use compact",
                io.kind.escape_debug()
            )));
        }
        Some(io) if io.drop_existing => {
            return Err(refused(
                "ioConfig.dropExisting is not supported: a compaction drops no rows",
            ));
        }
        Some(io) if io.input_spec.kind != "interval" => {
            return Err(refused(format!(
                "ioConfig.inputSpec.type '{}' is not supported: use interval, all segments of a chunk are \
                 compacted together",
                io.input_spec.kind.escape_debug()
            )));
        }
        Some(io) => io.input_spec.interval,
    };
    let interval = given.ok_or_else(|| {
        refused("give ioConfig {\"type\":\"compact\",\"inputSpec\":{\"type\":\"interval\",\"interval\":…}}")
    })?;
    match interval.is_empty() {
        true => Err(refused(format!("the interval {interval} is empty"))),
        false => Ok(interval),
    }
}

fn checked_id(id: String) -> Result<String> {
    let clean = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
    if id.is_empty() || id.len() > MAX_ID_BYTES || !id.chars().all(clean) || id == "." || id == ".."
    {
        return Err(refused(format!(
            "'{}' is no task id: use 1 to {MAX_ID_BYTES} bytes without / \\ and control characters",
            id.chars().take(80).collect::<String>().escape_debug()
        )));
    }
    Ok(id)
}

fn refused(reason: impl Into<String>) -> CompactionError {
    CompactionError::Task(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CompactionConfig;

    #[test]
    fn druids_ways_of_writing_a_task_are_read() {
        let long = CompactTask::parse(
            br#"{"type": "compact", "id": "x", "dataSource": "d", "groupId": "g",
                "ioConfig": {"type": "compact", "inputSpec": {"type": "interval", "interval": "2020-01-01/2020-02-01"}},
                "granularitySpec": {"segmentGranularity": "MONTH", "queryGranularity": null},
                "dimensionsSpec": {"dimensions": ["tenant", {"type": "long", "name": "__time"}],
                    "forceSegmentSortByTime": false, "includeAllDimensions": true},
                "tuningConfig": {"type": "index_parallel", "maxRowsPerSegment": 9, "maxRowsInMemory": 5},
                "context": {"priority": 3}}"#,
        )
        .unwrap();
        assert_eq!(long.id.as_deref(), Some("x"));
        assert_eq!(long.wanted.target_rows, 9);
        assert_eq!(long.wanted.order.as_ref().unwrap().time_position, 1);
        let again = CompactTask::parse(long.to_value().to_string().as_bytes()).unwrap();
        assert_eq!(again, long);
        let short = br#"{"type": "compact", "dataSource": "d", "interval": "2020-01-01/2020-02-01",
            "segmentGranularity": "MONTH"}"#;
        let short = CompactTask::parse(short).unwrap();
        assert_eq!(short.interval, long.interval);
        assert_eq!(short.wanted.segment_granularity, long.wanted.segment_granularity);
    }

    #[test]
    fn a_task_made_of_a_config_wants_the_very_same() {
        let config = br#"{"dataSource": "d", "granularitySpec": {"segmentGranularity": "day", "rollup": true},
            "dimensionsSpec": {"dimensions": ["a", "b"], "forceSegmentSortByTime": false},
            "rollupByAge": [{"period": "P7D", "queryGranularity": "minute"}, {"queryGranularity": "hour"}]}"#;
        let goal = CompactionConfig::parse(config).unwrap().goal().unwrap();
        for age in goal.ages() {
            let day = Interval { start_ms: 0, end_ms: 86_400_000 };
            let task = CompactTask::new("d", day, age.wanted.clone());
            let read = CompactTask::parse(task.to_value().to_string().as_bytes()).unwrap();
            assert_eq!(read, task);
            assert_eq!(read.wanted.fingerprint(), age.wanted.fingerprint());
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_name() {
        let refused = |more: &str| {
            let json = format!(r#"{{"type": "compact", "dataSource": "d"{more}}}"#);
            CompactTask::parse(json.as_bytes()).unwrap_err().to_string()
        };
        for (more, part) in [
            ("", "give ioConfig"),
            (r#", "interval": "2020-01-01/2020-01-01""#, "empty"),
            (r#", "interval": "soon""#, "soon"),
            (r#", "interval": "2020/2021", "shards": 5"#, "'shards' is unknown"),
            (r#", "interval": "2020/2021", "id": "a/b""#, "no task id"),
            (r#", "interval": "2020/2021", "metricsSpec": [{}]"#, "metricsSpec"),
            (
                r#", "ioConfig": {"type": "compact", "inputSpec": {"type": "segments", "segments": ["x"]}}"#,
                "segments",
            ),
            (
                r#", "ioConfig": {"type": "compact", "dropExisting": true,
                    "inputSpec": {"type": "interval", "interval": "2020/2021"}}"#,
                "dropExisting",
            ),
        ] {
            let error = refused(more);
            assert!(error.contains(part), "{more}: {error}");
        }
    }
}
