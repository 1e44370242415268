//! Refused events of a task on their way to the dead letter.

use henge_ingest::Rejection;
use henge_platform::metadata::DeadLetter;

use super::report::Places;

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

    /// The refused events since the last call. The reason says in which line of which file.
    pub(super) fn take(&mut self, places: &Places<'_>) -> Vec<DeadLetter> {
        let mut letters = std::mem::take(&mut self.letters);
        for letter in &mut letters {
            let place = places.of_offset(usize::try_from(letter.offset_bytes).unwrap_or(0));
            letter.reason = format!("{place}: {}", letter.reason);
        }
        letters
    }
}
