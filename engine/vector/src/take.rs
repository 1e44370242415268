//! Rows of a column: some of them, or the first.

use arrow_array::Array;

use crate::column::Column;
use crate::ids::SegmentIds;
use crate::numbers::gather;
use crate::text::Text;

impl Column {
    /// Some rows, in that order; a row may be taken more than once.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        match self {
            Self::Null(_) => Self::Null(rows.len()),
            Self::Long(values) => Self::Long(gather(values, rows)),
            Self::Wide(values) => {
                let values = gather(values, rows);
                Self::of_wide(values.values().to_vec(), values.nulls().cloned())
            }
            Self::Float(values) => Self::Float(gather(values, rows)),
            Self::Double(values) => Self::Double(gather(values, rows)),
            Self::WideFloat(values) => Self::WideFloat(gather(values, rows)),
            Self::Text(text) => Self::Text(take_text(text, rows)),
            Self::Lists(lists) => Self::Lists(lists.gathered(rows)),
            Self::Objects(objects) => Self::Objects(objects.gathered(rows)),
            Self::Timed(timed) => Self::Timed(timed.gathered(rows)),
            Self::Mixed(values) => {
                Self::Mixed(rows.iter().map(|&row| values[row as usize].clone()).collect())
            }
            Self::SegmentIds(keys) => Self::SegmentIds(SegmentIds::new(take_ids(keys.ids(), rows))),
            Self::NodeIds(keys) => Self::NodeIds(keys.with_ids(take_ids(keys.ids(), rows))),
        }
    }

    /// Some rows, each at most once: objects are moved, not copied.
    #[must_use]
    pub fn into_taken(self, rows: &[u32]) -> Self {
        match self {
            Self::Objects(objects) => Self::Objects(objects.into_taken(rows)),
            other @ (Self::Null(_)
            | Self::Long(_)
            | Self::Wide(_)
            | Self::Float(_)
            | Self::Double(_)
            | Self::WideFloat(_)
            | Self::Text(_)
            | Self::Lists(_)
            | Self::Timed(_)
            | Self::Mixed(_)
            | Self::SegmentIds(_)
            | Self::NodeIds(_)) => other.take(rows),
        }
    }

    /// Keeps the first rows.
    pub fn truncate(&mut self, rows: usize) {
        if rows >= self.len() {
            return;
        }
        match self {
            Self::Null(count) => *count = rows,
            Self::Long(values) => *values = values.slice(0, rows),
            Self::Wide(values) => *values = values.slice(0, rows),
            Self::Float(values) => *values = values.slice(0, rows),
            Self::Double(values) | Self::WideFloat(values) => *values = values.slice(0, rows),
            Self::Text(text) => *text = text.truncated(rows),
            Self::Lists(lists) => *lists = lists.truncated(rows),
            Self::Objects(objects) => objects.truncate(rows),
            Self::Timed(timed) => timed.truncate(rows),
            Self::Mixed(values) => values.truncate(rows),
            Self::SegmentIds(keys) => keys.truncate(rows),
            Self::NodeIds(keys) => keys.truncate(rows),
        }
    }
}

fn take_ids(ids: &[u32], rows: &[u32]) -> Vec<u32> {
    rows.iter().map(|&row| ids[row as usize]).collect()
}

/// With the whole dictionary while that is not much larger: few rows would keep all of it.
fn take_text(text: &Text, rows: &[u32]) -> Text {
    if rows.len() * 2 + 1 >= text.id_count() {
        return text.with_ids(take_ids(text.ids(), rows));
    }
    Text::of(rows.iter().map(|&row| text.get(row as usize)))
}
