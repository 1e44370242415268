//! What became of a task's input beyond counting it, each with the place of its first case: lines
//! counted from 1, as editors show them.

use std::collections::{HashMap, HashSet};

use henge_ingest::{RejectReason, Rejection};
use henge_platform::metadata::{
    ChangedColumn, IgnoredInput, InputPlace, PublishedSegment, RefusedEvents, ReplacedRows,
    TaskReport,
};
use henge_types::{
    ChangeReport, IgnoredField, IgnoredFields, Interval, SegmentId, Timeline, format_timestamp,
};

use crate::odd_times::odd_times;

/// Entries of one list; what would be more is counted under the last one.
const MAX_ENTRIES: usize = 200;

/// A report that grows piece by piece.
#[derive(Debug, Default)]
pub(super) struct Report {
    report: TaskReport,
    /// Refusals of this piece whose example has no place yet: entry and offset.
    without_place: Vec<(usize, usize)>,
}

/// Where the events of a piece stand in their input.
pub(super) enum Places<'a> {
    /// Text.
    Lines {
        input: &'a str,
        bytes: &'a [u8],
        /// What offsets begin with at the start of `bytes`.
        base_offset: usize,
        lines_before: u64,
        /// The offset in `bytes` of an event, by its index in the piece.
        start_of: &'a dyn Fn(u64) -> Option<usize>,
    },
    /// Rows of a table.
    Rows { input: &'a str, rows_before: u64 },
}

impl Report {
    /// Counts a refused event.
    pub(super) fn refuse(&mut self, rejection: &Rejection<'_>) {
        let (column, kind) = (column_of(&rejection.reason), rejection.reason.code());
        let refusals = &mut self.report.refusals;
        let known = refusals.iter().position(|entry| entry.column == column && entry.kind == kind);
        let at = match known {
            Some(at) => at,
            None if refusals.len() >= MAX_ENTRIES => refusals.len() - 1,
            None => {
                refusals.push(RefusedEvents {
                    column: column.to_owned(),
                    kind: kind.to_owned(),
                    example: rejection.reason.to_string(),
                    ..RefusedEvents::default()
                });
                self.without_place.push((refusals.len() - 1, rejection.offset_bytes));
                refusals.len() - 1
            }
        };
        refusals[at].count += 1;
    }

    /// Says where things of the piece that was read stand, and adds what was changed in it and what
    /// has no place.
    pub(super) fn end_piece(
        &mut self,
        changes: &ChangeReport,
        ignored: &IgnoredFields,
        places: &Places<'_>,
    ) {
        self.add_changes(changes, places);
        for field in ignored.fields() {
            self.ignore(field, || places.of_event(field.position));
        }
    }

    /// Counts a field of the input that the spec names nowhere.
    pub(super) fn ignore(&mut self, field: &IgnoredField, place: impl FnOnce() -> InputPlace) {
        let entries = &mut self.report.ignored;
        let is_full = entries.len() >= MAX_ENTRIES;
        match entries.iter_mut().find(|entry| entry.field == field.field) {
            Some(entry) => entry.count += field.count,
            None if is_full => {}
            None => entries.push(IgnoredInput {
                field: field.field.clone(),
                count: field.count,
                example: field.example.clone(),
                place: place(),
            }),
        }
    }

    /// The fields that the spec names nowhere.
    pub(super) fn ignored(&self) -> impl Iterator<Item = &str> {
        self.report.ignored.iter().map(|entry| entry.field.as_str())
    }

    fn add_changes(&mut self, changes: &ChangeReport, places: &Places<'_>) {
        for (entry, offset) in self.without_place.drain(..) {
            self.report.refusals[entry].place = places.of_offset(offset);
        }
        for change in changes.columns() {
            let entries = &mut self.report.changes;
            let known = entries.iter().position(|entry| {
                (entry.cut_to_ms, &entry.column) == (change.cut_to_ms, &change.column)
            });
            let at = match known {
                Some(at) => at,
                None if entries.len() >= MAX_ENTRIES => entries.len() - 1,
                None => {
                    entries.push(ChangedColumn {
                        column: change.column.clone(),
                        cut_to_ms: change.cut_to_ms,
                        example: change.example.clone(),
                        stored: change.stored.clone(),
                        place: places.of_event(change.position),
                        ..ChangedColumn::default()
                    });
                    entries.len() - 1
                }
            };
            entries[at].count += change.count;
            entries[at].nulled += change.nulled;
        }
    }

    /// Adds what was decided about columns.
    pub(super) fn note(&mut self, notes: Vec<String>) {
        self.report.notes.extend(notes);
    }

    /// Brings a task's report up to date.
    pub(super) fn copy_to(&self, report: &mut TaskReport) {
        report.changes.clone_from(&self.report.changes);
        report.ignored.clone_from(&self.report.ignored);
        report.refusals.clone_from(&self.report.refusals);
        report.notes.clone_from(&self.report.notes);
    }
}

impl Places<'_> {
    /// The place of an event by its offset in the input (its row, counted from 0, in a table).
    pub(super) fn of_offset(&self, offset: usize) -> InputPlace {
        match self {
            Self::Lines { input, bytes, base_offset, lines_before, .. } => {
                let end = offset.saturating_sub(*base_offset).min(bytes.len());
                let line = lines_before + line_breaks(&bytes[..end]) + 1;
                InputPlace { input: (*input).to_owned(), line, is_row: false }
            }
            Self::Rows { input, .. } => {
                InputPlace { input: (*input).to_owned(), line: offset as u64 + 1, is_row: true }
            }
        }
    }

    /// The place of an event by its index in the piece.
    pub(super) fn of_event(&self, position: u64) -> InputPlace {
        match self {
            Self::Lines { base_offset, start_of, .. } => {
                self.of_offset(base_offset + start_of(position).unwrap_or(0))
            }
            Self::Rows { rows_before, .. } => self.of_offset((rows_before + position) as usize),
        }
    }
}

/// Line breaks in some bytes.
pub(super) fn line_breaks(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What is odd about the times of a load.
pub(super) fn time_warning(segments: &[PublishedSegment]) -> Option<String> {
    let (first, last) = times(segments)?;
    odd_times(first, last)
}

/// The first and the last time of some segments' rows. Empty ones, which only hide others, have none.
fn times<'a>(segments: impl IntoIterator<Item = &'a PublishedSegment>) -> Option<(i64, i64)> {
    let with_rows = segments.into_iter().filter(|segment| segment.row_count > 0);
    with_rows
        .map(|segment| (segment.min_time_ms, segment.max_time_ms))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// What a publication took out of use; `used` are the segments before it.
pub(super) fn replaced_rows(
    replaced: &[SegmentId],
    used: &[PublishedSegment],
) -> Option<ReplacedRows> {
    let replaced: HashSet<&SegmentId> = replaced.iter().collect();
    let visible = visible_segments(used, replaced.iter().next()?);
    let is_counted = |segment: &&PublishedSegment| {
        replaced.contains(&segment.id) && visible.contains_key(&segment.id)
    };
    let before: Vec<_> = used.iter().filter(is_counted).collect();
    let (first, last) = times(before.iter().copied())?;
    Some(ReplacedRows {
        segments: before.len() as u64,
        rows: before.iter().map(|segment| segment.row_count).sum(),
        is_upper_bound: before.iter().any(|segment| !visible[&segment.id]),
        interval: format!("{}/{}", format_timestamp(first), format_timestamp(last)),
    })
}

/// The segments of a datasource that queries read before a publication, each with whether they read
/// all of its time; what newer versions hide is not among them.
fn visible_segments(used: &[PublishedSegment], of: &SegmentId) -> HashMap<SegmentId, bool> {
    let mut timeline = Timeline::new();
    let own = used.iter().filter(|segment| segment.id.datasource == of.datasource);
    for segment in own {
        timeline.add(segment.id.clone(), segment.shard_spec, ());
    }
    let mut seen_ms: HashMap<SegmentId, i64> = HashMap::new();
    for holder in timeline.lookup(Interval::ETERNITY) {
        for chunk in holder.chunks {
            *seen_ms.entry(chunk.id).or_default() += holder.interval.duration_ms();
        }
    }
    let is_whole = |(id, seen): (SegmentId, i64)| {
        let whole = seen >= id.interval.duration_ms();
        (id, whole)
    };
    seen_ms.into_iter().map(is_whole).collect()
}

/// The column at fault; empty when no single one is.
fn column_of(reason: &RejectReason) -> &str {
    match reason {
        RejectReason::ColumnOverLimit { column, .. }
        | RejectReason::MissingTimestamp { column }
        | RejectReason::BadTimestamp { column, .. }
        | RejectReason::WrongType { column, .. } => column,
        RejectReason::TooManyDimensions { name, .. } | RejectReason::Transform { name, .. } => name,
        RejectReason::Syntax { .. }
        | RejectReason::NotAnObject { .. }
        | RejectReason::OverLimit { .. }
        | RejectReason::FieldName { .. }
        | RejectReason::OutsideWindow { .. }
        | RejectReason::TooManyChunks { .. }
        | RejectReason::Index { .. } => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"a\nb\n\nc\n";

    #[test]
    fn places_are_lines_and_rows_from_1() {
        let starts = [0, 2, 5];
        let start_of = |position: u64| starts.get(position as usize).copied();
        let lines = Places::Lines {
            input: "f",
            bytes: TEXT,
            base_offset: 100,
            lines_before: 10,
            start_of: &start_of,
        };
        assert_eq!(lines.of_offset(100).line, 11);
        assert_eq!(lines.of_offset(105).line, 14);
        assert_eq!(lines.of_event(2).to_string(), "f line 14");
        let rows = Places::Rows { input: "t", rows_before: 7 };
        assert_eq!(rows.of_event(2).to_string(), "t row 10");
    }

    #[test]
    fn refusals_are_counted_by_column_and_keep_their_first_place() {
        let mut report = Report::default();
        let places = Places::Lines {
            input: "f",
            bytes: TEXT,
            base_offset: 0,
            lines_before: 0,
            start_of: &|_| None,
        };
        let missing = |column: &str, offset_bytes| Rejection {
            position: 0,
            offset_bytes,
            reason: RejectReason::MissingTimestamp { column: column.to_owned() },
            raw: b"",
        };
        report.refuse(&missing("t", 2));
        report.refuse(&missing("t", 5));
        report.end_piece(&ChangeReport::default(), &IgnoredFields::default(), &places);
        report.refuse(&missing("t", 0));
        report.end_piece(&ChangeReport::default(), &IgnoredFields::default(), &places);
        let [entry] = &report.report.refusals[..] else { panic!("one entry") };
        assert_eq!((entry.column.as_str(), entry.count, entry.place.line), ("t", 3, 2));
    }
}
