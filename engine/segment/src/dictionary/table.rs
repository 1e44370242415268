//! A compact list of strings: what the writer takes dictionaries from.

use crate::dictionary::sort;
use crate::error::{Result, SegmentError};
use crate::format::MAX_STRING_BYTES;
use henge_types::narrow::narrow;

/// Strings one after the other in a single buffer. As a dictionary, value `i` has id `i + 1`.
#[derive(Debug, Clone, Default)]
pub struct StringTable {
    text: String,
    ends: Vec<usize>,
}

impl StringTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a value.
    pub fn push(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A value by position, `""` beyond the end.
    #[must_use]
    pub fn get(&self, position: usize) -> &str {
        let start = position
            .checked_sub(1)
            .map_or(0, |before| self.ends.get(before).copied().unwrap_or(self.text.len()));
        let end = self.ends.get(position).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default()
    }

    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// The distinct values in ascending order, as a dictionary, and the id of each value of this
    /// table in it: what [`ColumnData::String`](crate::ColumnData::String) takes.
    ///
    /// # Errors
    /// `Limit` for more than `u32::MAX - 1` values.
    pub fn sorted(&self) -> Result<(Self, Vec<u32>)> {
        if self.len() >= u32::MAX as usize {
            return Err(SegmentError::Limit(format!("{} strings in a dictionary", self.len())));
        }
        let mut sorted = Self {
            text: String::with_capacity(self.text.len()),
            ends: Vec::with_capacity(self.len()),
        };
        let mut ids = vec![0; self.len()];
        for position in sort::sorted_positions(self) {
            let value = self.get(position as usize);
            if sorted.is_empty() || sorted.get(sorted.len() - 1) != value {
                sorted.push(value);
            }
            ids[position as usize] = narrow(sorted.len());
        }
        Ok((sorted, ids))
    }

    /// Checks that values ascend strictly and that none is too long.
    pub(crate) fn check_sorted(&self) -> Result<()> {
        if u32::try_from(self.len()).is_err() {
            return Err(SegmentError::Limit(format!("{} distinct strings", self.len())));
        }
        for position in 0..self.len() {
            let value = self.get(position);
            if value.len() > MAX_STRING_BYTES {
                return Err(SegmentError::Limit(format!(
                    "a string of {} bytes: at most {MAX_STRING_BYTES} are stored",
                    value.len()
                )));
            }
            if position > 0 && self.get(position - 1) >= value {
                return Err(SegmentError::Invalid("dictionary values do not ascend".into()));
            }
        }
        Ok(())
    }
}

impl<'a> FromIterator<&'a str> for StringTable {
    fn from_iter<I: IntoIterator<Item = &'a str>>(values: I) -> Self {
        let mut table = Self::new();
        values.into_iter().for_each(|value| table.push(value));
        table
    }
}
