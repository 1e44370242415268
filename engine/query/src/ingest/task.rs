//! Batch tasks: `index_parallel` and `index`.

use serde_json::Value;

use super::input::IoConfig;
use super::schema::DataSchema;
use super::tuning::TuningConfig;
use crate::error::Result;
use crate::exact_json::parse_json;
use crate::node::{Budget, Node, excerpt};

/// A batch ingestion task.
#[derive(Debug, Clone)]
pub struct IndexTask {
    /// Which of the two names was used; they mean the same here.
    pub task_type: IndexTaskType,
    /// The id the caller wants; the coordinator makes one when absent.
    pub id: Option<String>,
    /// `strict` of the context: what is told of otherwise is an error, and nothing is stored.
    pub is_strict: bool,
    /// What to do.
    pub spec: IndexTaskSpec,
}

/// The type of a batch task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexTaskType {
    /// `index_parallel`
    IndexParallel,
    /// `index`
    Index,
}

/// The `spec` of a batch task.
#[derive(Debug, Clone)]
pub struct IndexTaskSpec {
    /// How events become rows.
    pub data_schema: DataSchema,
    /// Where events come from and what happens to data that is there.
    pub io_config: IoConfig,
    /// Limits.
    pub tuning_config: TuningConfig,
}

const SUPPORTED: &[&str] = &["index_parallel", "index"];
const PLANNED: &[&str] = &[
    "compact",
    "kill",
    "archive",
    "move",
    "restore",
    "noop",
    "index_kafka",
    "index_kinesis",
    "index_rabbit",
    "index_hadoop",
    "index_realtime_appenderator",
    "query_controller",
];

impl IndexTaskType {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IndexParallel => "index_parallel",
            Self::Index => "index",
        }
    }
}

impl IndexTask {
    /// Reads a task.
    ///
    /// # Errors
    /// The first thing that is wrong, with its path and how to put it right.
    pub fn parse(json: &[u8]) -> Result<Self> {
        Self::from_value(&parse_json(json)?)
    }

    /// Reads a task that was parsed as JSON before.
    ///
    /// # Errors
    /// As [`IndexTask::parse`].
    pub fn from_value(value: &Value) -> Result<Self> {
        let budget = Budget::default();
        let node = Node::root(value, &budget)?;
        let task_type = match node.type_name(SUPPORTED)? {
            "index_parallel" => IndexTaskType::IndexParallel,
            "index" => IndexTaskType::Index,
            other => return Err(node.bad_type("task", other, SUPPORTED, PLANNED)),
        };
        // Druid writes the datasource beside the spec when it gives a task back.
        node.only_fields(&["type", "id", "groupId", "resource", "spec", "context", "dataSource"])?;
        let mut is_strict = false;
        if let Some(context) = node.get("context") {
            context.object()?;
            is_strict = context.boolean_or("strict", false)?;
        }
        Ok(Self {
            task_type,
            id: node.get("id").map(|id| task_id(&id)).transpose()?,
            is_strict,
            spec: IndexTaskSpec::read(&node.require("spec", "give the ingestion spec")?)?,
        })
    }
}

impl IndexTaskSpec {
    fn read(node: &Node<'_>) -> Result<Self> {
        node.only_fields(&["dataSchema", "ioConfig", "tuningConfig"])?;
        let schema = node.require("dataSchema", "describe the events")?;
        if let Some(ack) = schema.get("ack") {
            return Err(ack.unsupported("a task publishes before it ends; ack is for pushes"));
        }
        let io_config = node.require("ioConfig", "say where the events come from")?;
        Ok(Self {
            data_schema: DataSchema::read(&schema, None)?,
            io_config: IoConfig::read(&io_config)?,
            tuning_config: TuningConfig::read(node)?,
        })
    }
}

/// Task ids become part of URLs and log lines.
fn task_id(node: &Node<'_>) -> Result<String> {
    const MAX_TASK_ID_BYTES: usize = 255;
    let id = node.name()?;
    let clean = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
    if id.len() > MAX_TASK_ID_BYTES || !id.chars().all(clean) || id == "." || id == ".." {
        return Err(node.invalid(format!(
            "'{}' is no task id: use at most {MAX_TASK_ID_BYTES} bytes without / \\ and control \
             characters",
            excerpt(&id).escape_debug()
        )));
    }
    Ok(id)
}
