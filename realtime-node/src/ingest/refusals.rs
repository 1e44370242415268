//! Refused events of one request: a bounded number with their text, the rest counted by reason. A
//! body of a few hundred kilobytes can hold millions of events that are refused.

use std::collections::BTreeMap;

use henge_ingest::Rejection;
use henge_platform::metadata::DeadLetter;

use serde::{Deserialize, Serialize};

/// A refused event, as answers name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventError {
    /// Index of the event in the request, from 0.
    pub(crate) position: u64,
    /// Byte offset of the event in the request.
    pub(crate) offset_bytes: u64,
    /// The line of the request in which the event begins, counted from 1; 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) line: u64,
    /// What is wrong and how to mend it.
    pub(crate) reason: String,
}

fn is_zero(line: &u64) -> bool {
    *line == 0
}

/// Events of one request that are kept with their text.
const MAX_KEPT: usize = 10_000;
/// Bytes of reasons and texts of one request that are kept.
const MAX_KEPT_BYTES: usize = 4 << 20;

/// Bytes that are kept of a message without an event.
const MAX_WHOLE_BYTES: usize = 4 << 10;

/// A refused event, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RejectedEvent {
    /// Index of the event in the request.
    pub(crate) position: u64,
    /// Offset of the event in the request.
    pub(crate) offset_bytes: u64,
    /// Why.
    pub(crate) reason: String,
    /// The event, cut to a bounded length.
    pub(crate) raw: String,
}

impl From<&RejectedEvent> for EventError {
    fn from(rejection: &RejectedEvent) -> Self {
        Self {
            position: rejection.position,
            offset_bytes: rejection.offset_bytes,
            line: 0,
            reason: rejection.reason.clone(),
        }
    }
}

/// Refused events of one request.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    kept: Vec<RejectedEvent>,
    kept_bytes: usize,
    count: u64,
    /// Those beyond, by the word for their reason.
    counted: BTreeMap<&'static str, Counted>,
}

/// Refused events of one reason that were not kept.
#[derive(Debug)]
struct Counted {
    count: u64,
    first: RejectedEvent,
}

impl Refusals {
    /// Notes an event that the parser refused.
    pub(crate) fn add(&mut self, rejection: &Rejection<'_>) {
        let code = rejection.reason.code();
        self.note(code, || RejectedEvent {
            position: rejection.position,
            offset_bytes: rejection.offset_bytes as u64,
            reason: rejection.reason.to_string(),
            raw: String::from_utf8_lossy(rejection.raw).into_owned(),
        });
    }

    /// Notes a message that holds no event.
    pub(super) fn add_whole(&mut self, reason: &str, raw: &[u8]) {
        let kept = &raw[..raw.len().min(MAX_WHOLE_BYTES)];
        self.note("message", || RejectedEvent {
            position: 0,
            offset_bytes: 0,
            reason: reason.to_owned(),
            raw: String::from_utf8_lossy(kept).into_owned(),
        });
    }

    /// Notes a row that was refused after parsing, when its text is no longer at hand.
    pub(crate) fn add_row(&mut self, position: u64, reason: impl FnOnce() -> String) {
        self.note("row", || RejectedEvent {
            position,
            offset_bytes: 0,
            reason: reason(),
            raw: String::new(),
        });
    }

    fn note(&mut self, code: &'static str, event: impl FnOnce() -> RejectedEvent) {
        self.count += 1;
        if self.kept.len() < MAX_KEPT && self.kept_bytes < MAX_KEPT_BYTES {
            let event = event();
            self.kept_bytes += size_of::<RejectedEvent>() + event.reason.len() + event.raw.len();
            self.kept.push(event);
            return;
        }
        let new = || Counted { count: 0, first: RejectedEvent { raw: String::new(), ..event() } };
        self.counted.entry(code).or_insert_with(new).count += 1;
    }

    /// Adds those of a later step behind these.
    pub(crate) fn extend(&mut self, later: Self) {
        self.count += later.count;
        self.kept_bytes += later.kept_bytes;
        self.kept.extend(later.kept);
        for (code, counted) in later.counted {
            match self.counted.get_mut(code) {
                Some(known) => known.count += counted.count,
                None => _ = self.counted.insert(code, counted),
            }
        }
    }

    /// Takes out the kept events at some positions.
    #[must_use]
    pub(crate) fn take_out(&mut self, is_wanted: impl Fn(u64) -> bool) -> Self {
        let all = std::mem::take(&mut self.kept);
        let (kept, rest): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|event| is_wanted(event.position));
        self.kept = rest;
        self.count -= kept.len() as u64;
        Self { count: kept.len() as u64, kept, ..Self::default() }
    }

    /// Whether the event at a position is kept.
    #[must_use]
    pub(crate) fn has(&self, position: u64) -> bool {
        self.kept.iter().any(|event| event.position == position)
    }

    /// Number of refused events, kept or not.
    #[must_use]
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Bytes held.
    #[must_use]
    pub(crate) fn memory_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// The first of them.
    pub(crate) fn first(&self, count: usize) -> impl Iterator<Item = EventError> {
        self.kept.iter().take(count).map(EventError::from)
    }

    /// What goes to the dead letters: the kept events, then one letter a reason for the others.
    #[must_use]
    pub(crate) fn into_letters(self, origin: &str, received_ms: i64) -> Vec<DeadLetter> {
        let others = self.counted.into_values().map(|Counted { count, first }| RejectedEvent {
            reason: format!(
                "{count} more events of this request were refused without keeping their text, \
                 the first of them here: {}",
                first.reason
            ),
            ..first
        });
        let letter = |event: RejectedEvent| DeadLetter {
            received_ms,
            origin: origin.to_owned(),
            position: event.position,
            offset_bytes: event.offset_bytes,
            reason: event.reason,
            raw: event.raw,
        };
        self.kept.into_iter().chain(others).map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use henge_ingest::RejectReason;

    use super::*;

    fn reject(refusals: &mut Refusals, position: u64, raw: &[u8], reason: RejectReason) {
        refusals.add(&Rejection { position, offset_bytes: position as usize, reason, raw });
    }

    #[test]
    fn h_15_millions_of_refused_events_are_counted_and_a_bounded_number_kept() {
        let mut refusals = Refusals::default();
        for position in 0..1_000_000 {
            reject(&mut refusals, position, b"7", RejectReason::NotAnObject { found: "a number" });
        }
        reject(&mut refusals, 1_000_000, b"{}", RejectReason::FieldName { message: "is empty" });
        refusals.add_row(1_000_001, || "late".into());
        assert_eq!(refusals.count(), 1_000_002);
        assert!(refusals.memory_bytes() < MAX_KEPT_BYTES + (8 << 10));
        assert_eq!(refusals.first(10).count(), 10);
        let letters = refusals.into_letters("push", 5);
        let (kept, others) = letters.split_at(letters.len() - 3);
        assert!(kept.iter().enumerate().all(|(index, letter)| letter.position == index as u64));
        let not_kept = 1_000_000 - kept.len();
        assert!(others.iter().all(|letter| letter.raw.is_empty()));
        let counts: Vec<bool> = [1, not_kept, 1]
            .iter()
            .zip(others)
            .map(|(count, letter)| letter.reason.starts_with(&format!("{count} more events")))
            .collect();
        assert_eq!(counts, [true; 3], "{others:?}");
        assert_eq!(others[1].position, kept.len() as u64);
    }

    #[test]
    fn long_texts_are_bounded_together() {
        let mut refusals = Refusals::default();
        let raw = [b'x'; 4 << 10];
        for position in 0..5_000 {
            reject(&mut refusals, position, &raw, RejectReason::FieldName { message: "is empty" });
        }
        assert!(refusals.memory_bytes() < MAX_KEPT_BYTES + (8 << 10));
        let mut all = Refusals::default();
        all.extend(refusals);
        assert_eq!(all.count(), 5_000);
        assert!(all.into_letters("push", 0).len() < 1_100);
    }
}
