//! Refused events of a task on their way to the dead letter.

use henge_ingest::Rejection;
use henge_platform::metadata::DeadLetter;

/// Refused events that are kept of one piece of input.
const LETTERS_PER_PIECE: usize = 1_000;

/// Collects refused events of one piece.
#[derive(Debug)]
pub(super) struct Letters {
    origin: String,
    received_ms: i64,
    letters: Vec<DeadLetter>,
}

impl Letters {
    pub(super) fn new(task_id: &str, received_ms: i64) -> Self {
        Self { origin: format!("task {task_id}"), received_ms, letters: Vec::new() }
    }

    pub(super) fn add(&mut self, rejection: &Rejection<'_>) {
        if self.letters.len() < LETTERS_PER_PIECE {
            self.letters.push(DeadLetter {
                received_ms: self.received_ms,
                origin: self.origin.clone(),
                position: rejection.position,
                offset_bytes: rejection.offset_bytes as u64,
                reason: rejection.reason.to_string(),
                raw: String::from_utf8_lossy(rejection.raw).into_owned(),
            });
        }
    }

    /// The refused events since the last call.
    pub(super) fn take(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.letters)
    }
}
