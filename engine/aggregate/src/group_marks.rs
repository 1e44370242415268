//! Rows of few groups as one set a group: then each group's values are folded in vectors. Added row
//! by row, each addition would wait for the one before it to the same word.

use henge_scan::Selection;
use henge_segment::simd::{Level, marked};

/// Sets are made for at most so many groups: each looks at all of a window's values.
const MAX_GROUPS: usize = 16;

/// Values of sets that are looked at in the time in which a row is added by itself.
const VALUES_A_ROW: usize = 16;

/// The rows of a window by group, a bit for each.
#[derive(Debug, Default)]
pub(crate) struct GroupMarks {
    marks: Vec<u64>,
    words: usize,
    /// The groups that have rows.
    groups: Vec<usize>,
    selected: Vec<u64>,
}

impl GroupMarks {
    /// True when marking rows of a window is faster than adding them one by one.
    pub(crate) fn pay(selection: Selection<'_>, window_rows: usize, groups: usize) -> bool {
        groups <= MAX_GROUPS
            && Level::best() > Level::BASELINE
            && groups * window_rows <= selection.len() * VALUES_A_ROW
    }

    /// Marks the selected rows; `of_row[row]` is a row's group and below `group_count`.
    pub(crate) fn mark(&mut self, selection: Selection<'_>, of_row: &[u32], group_count: usize) {
        let Self { marks, words, groups, selected } = self;
        let end = selection.span().end;
        *words = end.div_ceil(64);
        marks.clear();
        marks.resize(group_count * *words, 0);
        select(selection, *words, selected);
        groups.clear();
        for (group, marks) in marks.chunks_exact_mut(*words).enumerate() {
            marked::mark_equal(Level::best(), &of_row[..end], group as u32, marks);
            let mut any = 0;
            for (mark, selected) in marks.iter_mut().zip(&*selected) {
                *mark &= selected;
                any |= *mark;
            }
            if any != 0 {
                groups.push(group);
            }
        }
    }

    /// The groups that have rows, each with the marks of these.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (usize, &[u64])> {
        let marks = |group: usize| &self.marks[group * self.words..][..self.words];
        self.groups.iter().map(move |&group| (group, marks(group)))
    }
}

fn select(selection: Selection<'_>, words: usize, selected: &mut Vec<u64>) {
    selected.clear();
    match selection {
        Selection::Range { start, .. } => {
            selected.resize(words, u64::MAX);
            selected[..start / 64].fill(0);
            if let Some(word) = selected.get_mut(start / 64) {
                *word = u64::MAX << (start % 64);
            }
        }
        Selection::Rows(rows) => {
            selected.resize(words, 0);
            for &row in rows {
                selected[row as usize / 64] |= 1 << (row % 64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_the_selected_rows_of_each_group() {
        let of_row: Vec<u32> = (0..3000u32).map(|row| row * row % 7).collect();
        let odd: Vec<u16> = (1..3000).step_by(2).collect();
        let mut marks = GroupMarks::default();
        let ranges = [(3, 2995), (0, 3000), (64, 128), (70, 71)];
        let ranges = ranges.map(|(start, end)| Selection::Range { start, end });
        for selection in
            ranges.into_iter().chain([Selection::Rows(&odd), Selection::Rows(&odd[..9])])
        {
            marks.mark(selection, &of_row, 8);
            let mut expected = vec![Vec::new(); 8];
            selection.for_each(|row| expected[of_row[row] as usize].push(row));
            let mut found = vec![Vec::new(); 8];
            for (group, marks) in marks.groups() {
                let rows =
                    (0..marks.len() * 64).filter(|row| marks[row / 64] >> (row % 64) & 1 == 1);
                found[group].extend(rows);
                assert!(!found[group].is_empty());
            }
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn few_rows_of_many_groups_are_added_one_by_one() {
        let all = Selection::Range { start: 0, end: 4096 };
        assert_eq!(GroupMarks::pay(all, 4096, 12), Level::best() > Level::BASELINE);
        assert!(!GroupMarks::pay(all, 4096, 17));
        assert!(!GroupMarks::pay(Selection::Range { start: 0, end: 1000 }, 4096, 12));
    }
}
