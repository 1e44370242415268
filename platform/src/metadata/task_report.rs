//! [`TaskReport`]: what a task did with its input beyond counting it. What is stored otherwise than
//! it came, or not at all, is said by column, with an example and where it stands.

use serde::{Deserialize, Serialize};

/// What a task did with its input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskReport {
    /// Values of stored rows that differ from the input's, by column.
    pub changes: Vec<ChangedColumn>,
    /// Fields of the input that the spec names nowhere: their values are not stored.
    pub ignored: Vec<IgnoredInput>,
    /// Events that were refused, by column or by kind.
    pub refusals: Vec<RefusedEvents>,
    /// How columns and times were understood, where the spec left it open.
    pub notes: Vec<String>,
    /// What is probably wrong with the load though it succeeded.
    pub warnings: Vec<String>,
    /// What was read.
    pub inputs: Vec<TaskInput>,
    /// What the task took out of use, when it replaced something.
    pub replaced: Option<ReplacedRows>,
}

/// Values of one column that are stored otherwise than they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChangedColumn {
    /// The column.
    pub column: String,
    /// Values.
    pub count: u64,
    /// Those of them that are null now.
    pub nulled: u64,
    /// The first one as it came, shortened.
    pub example: String,
    /// What is stored in its place; `null` when nothing is.
    pub stored: String,
    /// Where the first one stands.
    pub place: InputPlace,
    /// The values are times, and lost what was below a millisecond.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut_to_ms: bool,
}

/// Values of one field that are stored nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IgnoredInput {
    /// The field.
    pub field: String,
    /// Values; rows, of formats in which a field that is not needed is not read.
    pub count: u64,
    /// The first one, shortened; empty where it was not read.
    pub example: String,
    /// Where the first one stands.
    pub place: InputPlace,
}

/// Events that were refused for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RefusedEvents {
    /// The column at fault; empty when no single one is.
    pub column: String,
    /// The kind of fault, a stable word.
    pub kind: String,
    /// Events.
    pub count: u64,
    /// Why the first one was refused.
    pub example: String,
    /// Where the first one stands.
    pub place: InputPlace,
}

/// A place in an input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InputPlace {
    /// The file, or `inline`.
    pub input: String,
    /// The line, counted from 1; the row of formats without lines, also from 1.
    pub line: u64,
    /// True when `line` is a row.
    pub is_row: bool,
}

/// One input of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskInput {
    /// The file, or `inline`.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// xxh3-128 of its bytes, as 32 hexadecimal digits: equal ones are the same content.
    pub content_hash: String,
}

/// What a task took out of use, as far as queries still read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplacedRows {
    /// Segments.
    pub segments: u64,
    /// Rows in them.
    pub rows: u64,
    /// Newer segments had hidden some of these rows before: there were at most as many.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_upper_bound: bool,
    /// From the earliest to the latest of their times, both within.
    pub interval: String,
}

impl std::fmt::Display for InputPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = if self.is_row { "row" } else { "line" };
        write!(f, "{} {unit} {}", self.input, self.line)
    }
}
