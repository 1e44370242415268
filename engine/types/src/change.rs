//! [`ChangeReport`]: which columns took values that differ from what was sent, how often, and the
//! first of them. What is stored otherwise than it came is said, never done in silence.

use serde::{Deserialize, Serialize};

/// Columns whose values were changed on their way in, in order of the first change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeReport {
    columns: Vec<ColumnChange>,
}

/// What was changed in one column.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ColumnChange {
    /// The column.
    pub column: String,
    /// Values of stored rows that differ from what was sent.
    pub count: u64,
    /// Those of them that became null.
    pub nulled: u64,
    /// The first such value as it was sent, shortened.
    pub example: String,
    /// What is stored in its place; `null` when nothing is.
    pub stored: String,
    /// The event it came in: its index in the request or in the piece of a file, from 0.
    pub position: u64,
    /// The values are times, and lost what was below a millisecond.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut_to_ms: bool,
}

impl ChangeReport {
    /// True when every value is stored as it came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The columns, in order of their first change.
    #[must_use]
    pub fn columns(&self) -> &[ColumnChange] {
        &self.columns
    }

    /// Values changed in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.columns.iter().map(|column| column.count).sum()
    }

    /// Counts a change. `first` makes the entry, with its example, when it is the column's first.
    pub fn count(
        &mut self,
        column: &str,
        is_null: bool,
        first: impl FnOnce() -> (String, String, u64),
    ) {
        let is_same = |known: &ColumnChange| !known.cut_to_ms && known.column == column;
        let known = self.columns.iter().position(is_same);
        let at = known.unwrap_or_else(|| {
            let (example, stored, position) = first();
            let column = column.to_owned();
            let change = ColumnChange { column, example, stored, position, ..Default::default() };
            self.columns.push(change);
            self.columns.len() - 1
        });
        self.columns[at].count += 1;
        self.columns[at].nulled += u64::from(is_null);
    }

    /// Counts times that were cut to milliseconds. `first` makes the entry, with its example.
    pub fn count_cut(
        &mut self,
        column: &str,
        count: u64,
        first: impl FnOnce() -> (String, String, u64),
    ) {
        let is_same = |known: &&mut ColumnChange| known.cut_to_ms && known.column == column;
        if let Some(known) = self.columns.iter_mut().find(is_same) {
            known.count += count;
            return;
        }
        let (example, stored, position) = first();
        let column = column.to_owned();
        let (cut_to_ms, nulled) = (true, 0);
        self.columns.push(ColumnChange {
            column,
            count,
            nulled,
            example,
            stored,
            position,
            cut_to_ms,
        });
    }

    /// Adds what a later batch changed; the examples of the earlier one stay.
    pub fn absorb(&mut self, later: Self) {
        for change in later.columns {
            let is_same = |known: &&mut ColumnChange| {
                (known.cut_to_ms, &known.column) == (change.cut_to_ms, &change.column)
            };
            match self.columns.iter_mut().find(is_same) {
                Some(known) => {
                    known.count += change.count;
                    known.nulled += change.nulled;
                }
                None => self.columns.push(change),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(column: &str, is_null: bool, example: &str) -> ChangeReport {
        let mut report = ChangeReport::default();
        report.count(column, is_null, || (example.to_owned(), "null".to_owned(), 3));
        report
    }

    #[test]
    fn the_first_example_stays_and_counts_add_up() {
        let mut report = counted("a", true, "x");
        report.count("a", false, || panic!("there is an example already"));
        report.absorb(counted("a", true, "y"));
        report.absorb(counted("b", false, "1.5"));
        assert_eq!(report.total(), 4);
        let [a, b] = report.columns() else { panic!("two columns") };
        assert_eq!((a.count, a.nulled, a.example.as_str()), (3, 2, "x"));
        assert_eq!((b.count, b.nulled, b.position), (1, 0, 3));
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<ChangeReport>(&json).unwrap(), report);
    }
}
