//! What a log record holds beside the request: all that parsing it depends on, and which of its
//! events became rows. Replaying it gives the same rows then, whatever the settings are by now.
//!
//! ```text
//! context := version:u8 marks:u8 limit:varint*9 [columns] [stored]
//! columns := count:varint (type:u8 length:varint name)*      the discovered columns after the request
//! stored  := events:varint bitmap                            absent when every event became a row
//! outcome := sequence:varint count:varint (distance:varint)*
//! ```
//!
//! An *outcome* is a record of its own, for rows that were refused when they were added.

use bytes::Bytes;
use henge_ingest::{DiscoveredColumn, DiscoveredType, ParseLimits};

use crate::push::varint::{Reader, put};

/// The version of both formats.
const VERSION: u8 = 1;
const HAS_COLUMNS: u8 = 1;
const HAS_STORED: u8 = 2;

/// `WalEntry::flags` of a request.
pub(crate) const REQUEST: u8 = 0;
/// `WalEntry::flags` of an outcome.
pub(crate) const OUTCOME: u8 = 1;

/// What parsing a request depends on beside its bytes, its schema and the moment it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordContext {
    /// The limits on events then; without the moment.
    pub(crate) limits: ParseLimits,
    /// Time chunks that the request could open.
    pub(crate) max_chunks: usize,
    /// The discovered columns after the request, unless the log says so already.
    pub(crate) columns: Option<Vec<DiscoveredColumn>>,
    /// The events that became rows; `None` for all.
    pub(crate) stored: Option<StoredEvents>,
}

/// Which events of a request became rows, by position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEvents {
    events: u64,
    bitmap: Vec<u8>,
}

impl StoredEvents {
    /// None of so many events.
    pub(crate) fn none_of(events: u64) -> Self {
        Self { events, bitmap: vec![0; events.div_ceil(8) as usize] }
    }

    /// Every one of so many events.
    pub(crate) fn all_of(events: u64) -> Self {
        Self { events, bitmap: vec![0xff; events.div_ceil(8) as usize] }
    }

    pub(crate) fn insert(&mut self, position: u64) {
        if let Some(byte) = self.bitmap.get_mut((position / 8) as usize) {
            *byte |= 1 << (position % 8);
        }
    }

    /// How many events the request had.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// True when every event became a row.
    pub(crate) fn are_all(&self) -> bool {
        (0..self.events).all(|position| self.contains(position))
    }

    pub(crate) fn contains(&self, position: u64) -> bool {
        self.bitmap.get((position / 8) as usize).is_some_and(|byte| byte >> (position % 8) & 1 == 1)
    }

    /// The positions of events that became rows.
    pub(crate) fn positions(&self) -> impl Iterator<Item = u64> {
        (0..self.events).filter(|position| self.contains(*position))
    }
}

impl RecordContext {
    pub(crate) fn encode(&self) -> Bytes {
        let mark = |is_set: bool, mark: u8| if is_set { mark } else { 0 };
        let marks =
            mark(self.columns.is_some(), HAS_COLUMNS) | mark(self.stored.is_some(), HAS_STORED);
        let mut out = vec![VERSION, marks];
        for limit in self.sizes() {
            put(&mut out, limit as u64);
        }
        if let Some(columns) = &self.columns {
            put(&mut out, columns.len() as u64);
            for column in columns {
                out.push(column.discovered_type.code());
                put(&mut out, column.name.len() as u64);
                out.extend_from_slice(column.name.as_bytes());
            }
        }
        if let Some(stored) = &self.stored {
            put(&mut out, stored.events);
            out.extend_from_slice(&stored.bitmap);
        }
        out.into()
    }

    /// Reads what [`RecordContext::encode`] wrote; `None` when it is of a version that this program
    /// does not know, or damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let marks = reader.byte()?;
        let mut size = || usize::try_from(reader.varint()?).ok();
        let limits = ParseLimits {
            max_depth: size()?,
            max_fields: size()?,
            max_event_bytes: size()?,
            max_string_bytes: size()?,
            max_name_bytes: size()?,
            max_multi_values: size()?,
            max_discovered_dimensions: size()?,
            max_raw_bytes: size()?,
            ..ParseLimits::default()
        };
        let max_chunks = size()?;
        let columns = match marks & HAS_COLUMNS {
            0 => None,
            _ => Some(columns(&mut reader)?),
        };
        let stored = match marks & HAS_STORED {
            0 => None,
            _ => {
                let events = reader.varint()?;
                let bytes = usize::try_from(events.div_ceil(8)).ok()?;
                Some(StoredEvents { events, bitmap: reader.take(bytes)?.to_vec() })
            }
        };
        let is_whole = reader.0.is_empty() && marks & !(HAS_COLUMNS | HAS_STORED) == 0;
        is_whole.then_some(Self { limits, max_chunks, columns, stored })
    }

    /// The limits in their stored order. All fields are named, so that a new one is not forgotten.
    fn sizes(&self) -> [usize; 9] {
        let ParseLimits {
            now_ms: _,
            late_window_ms: _,
            early_window_ms: _,
            min_time_ms: _,
            max_time_ms: _,
            max_depth,
            max_fields,
            max_event_bytes,
            max_string_bytes,
            max_name_bytes,
            max_multi_values,
            max_discovered_dimensions,
            max_raw_bytes,
        } = self.limits;
        [
            max_depth,
            max_fields,
            max_event_bytes,
            max_string_bytes,
            max_name_bytes,
            max_multi_values,
            max_discovered_dimensions,
            max_raw_bytes,
            self.max_chunks,
        ]
    }
}

fn columns(reader: &mut Reader<'_>) -> Option<Vec<DiscoveredColumn>> {
    let count = reader.varint()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        let discovered_type = DiscoveredType::from_code(reader.byte()?)?;
        let length = usize::try_from(reader.varint()?).ok()?;
        let name = std::str::from_utf8(reader.take(length)?).ok()?.to_owned();
        columns.push(DiscoveredColumn { name, discovered_type });
    }
    Some(columns)
}

/// The rows of a request that were refused when they were added: the request's sequence, and the
/// ascending positions of the events.
pub(crate) fn encode_outcome(sequence: u64, positions: &[u64]) -> Bytes {
    let mut out = vec![VERSION];
    put(&mut out, sequence);
    put(&mut out, positions.len() as u64);
    let mut last = 0;
    for position in positions {
        put(&mut out, position - last);
        last = *position;
    }
    out.into()
}

/// Reads what [`encode_outcome`] wrote.
pub(crate) fn decode_outcome(bytes: &[u8]) -> Option<(u64, Vec<u64>)> {
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION {
        return None;
    }
    let (sequence, count) = (reader.varint()?, reader.varint()?);
    let mut positions = Vec::new();
    let mut last = 0_u64;
    for _ in 0..count {
        last = last.checked_add(reader.varint()?)?;
        positions.push(last);
    }
    reader.0.is_empty().then_some((sequence, positions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> RecordContext {
        let mut stored = StoredEvents::none_of(11);
        for position in [0, 3, 10] {
            stored.insert(position);
        }
        let column =
            |name: &str, discovered_type| DiscoveredColumn { name: name.into(), discovered_type };
        RecordContext {
            limits: ParseLimits { max_fields: 300, ..ParseLimits::default() },
            max_chunks: 7,
            columns: Some(vec![
                column("v", DiscoveredType::Double),
                column("ü", DiscoveredType::String),
            ]),
            stored: Some(stored),
        }
    }

    #[test]
    fn contexts_read_back_and_damage_is_noticed() {
        let full = context();
        let plain = RecordContext { columns: None, stored: None, ..full.clone() };
        for context in [full, plain] {
            let bytes = context.encode();
            assert_eq!(RecordContext::decode(&bytes), Some(context));
            for short in 0..bytes.len() {
                assert_eq!(RecordContext::decode(&bytes[..short]), None);
            }
        }
        let stored = context().stored.unwrap();
        assert_eq!(stored.positions().collect::<Vec<_>>(), [0, 3, 10]);
    }

    #[test]
    fn golden_bytes_of_a_context_and_an_outcome() {
        let expected = [
            1, 3, 64, 172, 2, 128, 128, 64, 128, 128, 2, 255, 1, 144, 78, 208, 15, 128, 32, 7, 2,
            2, 1, 118, 3, 2, 195, 188, 11, 9, 4,
        ];
        assert_eq!(&*context().encode(), expected);
        let outcome = encode_outcome(300, &[2, 5, 5_000]);
        assert_eq!(&*outcome, [1, 172, 2, 3, 2, 3, 131, 39]);
        assert_eq!(decode_outcome(&outcome), Some((300, vec![2, 5, 5_000])));
        assert_eq!(decode_outcome(&outcome[..7]), None);
    }
}
