//! Batch tasks: a queue of one at a time, with progress, that survives restarts.

mod any_task;
mod choose;
mod chunks;
mod compact;
mod content;
mod counts;
mod file;
mod flattened;
mod gaps;
mod input;
mod learn;
mod letters;
mod pieces;
mod publish;
mod queue;
mod read;
mod ready;
mod report;
mod roots;
mod run;
mod stop;
mod store;
mod table;
mod text;
mod uploads;

use std::collections::HashMap;
use std::sync::Arc;

use henge_platform::metadata::TaskProgress;
use parking_lot::Mutex;

pub use content::content_hash;
pub use counts::TaskCounts;
pub use file::LocalFile;
pub(crate) use queue::PARSED_FACTOR;
pub(crate) use queue::TaskQueue;
pub(crate) use uploads::keep_part;

/// Live progress of the tasks at work, by task id.
pub(crate) type ProgressBoard = Arc<Mutex<HashMap<String, TaskProgress>>>;
