//! States of fixed width, by group: one row of words a group, so that all of a group's states share
//! a cache line. Zero is the start of every state, so that fresh memory needs no writing.

use henge_scan::Selection;
use henge_vector::{NullBuffer, nulls_of};

/// Words of a cache line.
const LINE_WORDS: usize = 8;

/// Tables of fewer bytes stay in the cache.
const LARGE_BYTES: usize = 1 << 20;

/// Where an aggregator's state is within a group's row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    /// The word of the state.
    pub(crate) state: usize,
    /// The word and the bit that say that the group got a value; `None` when every group does.
    pub(crate) valid: Option<(usize, u64)>,
}

/// Gives aggregators their places.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    words: usize,
    flags: Option<(usize, u32)>,
}

impl Layout {
    /// A place for another aggregator; `track` asks for a flag.
    pub(crate) fn place(&mut self, track: bool) -> Place {
        let state = self.next_word();
        let valid = track.then(|| {
            let (word, bit) = match self.flags {
                Some((word, bit)) if bit < 64 => (word, bit),
                _ => (self.next_word(), 0),
            };
            self.flags = Some((word, bit + 1));
            (word, 1 << bit)
        });
        Place { state, valid }
    }

    fn next_word(&mut self) -> usize {
        self.words += 1;
        self.words - 1
    }
}

/// The states of all fixed-width aggregators of a query.
#[derive(Debug)]
pub(crate) struct StateTable {
    words: Vec<u64>,
    /// The first word that begins a cache line.
    start: usize,
    stride: usize,
    groups: usize,
}

impl StateTable {
    pub(crate) fn new(layout: &Layout) -> Self {
        // Rows that fill lines evenly never straddle two.
        let stride = match layout.words {
            words if words <= LINE_WORDS => words.next_power_of_two(),
            words => words.next_multiple_of(LINE_WORDS),
        };
        Self { words: Vec::new(), start: 0, stride, groups: 0 }
    }

    /// Bytes that a group takes.
    pub(crate) fn row_bytes(&self) -> usize {
        self.stride * 8
    }

    /// Makes room for groups up to this number.
    pub(crate) fn make_room(&mut self, groups: usize) {
        if groups <= self.groups {
            return;
        }
        let capacity = (self.words.len() - self.start) / self.stride.max(1);
        if groups > capacity {
            self.grow(if self.groups == 0 { groups } else { groups.max(capacity * 2) });
        }
        self.groups = groups;
    }

    /// Makes room for so many groups that will come, so that the table need not grow then.
    pub(crate) fn reserve(&mut self, groups: usize) {
        if groups > self.groups && groups * self.stride > self.words.len() {
            self.grow(groups);
        }
    }

    fn grow(&mut self, groups: usize) {
        // Zeroed memory comes from the system as it is touched.
        let mut words = vec![0u64; groups * self.stride + LINE_WORDS];
        let start = words.as_ptr().align_offset(64).min(LINE_WORDS);
        let used = self.groups * self.stride;
        words[start..start + used].copy_from_slice(&self.words[self.start..self.start + used]);
        (self.words, self.start) = (words, start);
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.words.len() * 8
    }

    /// The words of all groups, and how many each has.
    #[inline]
    pub(crate) fn rows_mut(&mut self) -> (&mut [u64], usize) {
        let end = self.start + self.groups * self.stride;
        (&mut self.words[self.start..end], self.stride)
    }

    /// A word of a group.
    #[inline]
    pub(crate) fn word(&self, group: usize, word: usize) -> u64 {
        self.words[self.start + group * self.stride + word]
    }

    /// A word of a group.
    #[inline]
    pub(crate) fn word_mut(&mut self, group: usize, word: usize) -> &mut u64 {
        &mut self.words[self.start + group * self.stride + word]
    }

    /// A word of each of some groups; of all groups for `None`.
    pub(crate) fn column<T>(
        &self,
        word: usize,
        groups: Option<&[u32]>,
        of_word: impl Fn(u64) -> T,
    ) -> Vec<T> {
        match groups {
            None => (0..self.groups).map(|group| of_word(self.word(group, word))).collect(),
            Some(groups) => {
                groups.iter().map(|&group| of_word(self.word(group as usize, word))).collect()
            }
        }
    }

    /// The groups whose word is not 0.
    pub(crate) fn groups_with(&self, word: usize) -> Vec<u32> {
        let rows = self.words[self.start..].chunks_exact(self.stride).take(self.groups);
        // Every number is written and the next one put over it where there was no row: which groups
        // have rows is hard to predict.
        let mut groups = vec![0; self.groups + 1];
        let mut count = 0;
        for (group, row) in (0..).zip(rows) {
            groups[count] = group;
            count += usize::from(row[word] != 0);
        }
        groups.truncate(count);
        groups
    }

    /// True when the states may not all be in the cache.
    pub(crate) fn is_large(&self) -> bool {
        self.memory_bytes() >= LARGE_BYTES
    }

    /// Reads the states of some rows' groups, so that what is added to them next finds them in the
    /// cache: reads wait for memory side by side, which additions to unknown places do less.
    pub(crate) fn touch(&self, rows: Selection<'_>, groups: &[u32]) {
        let words = &self.words[self.start..];
        let mut sum = 0;
        rows.for_each(|row| sum ^= words[groups[row] as usize * self.stride]);
        std::hint::black_box(sum);
    }

    /// Which of some groups got no value; `None` when all got one.
    pub(crate) fn nulls(&self, place: Place, groups: Option<&[u32]>) -> Option<NullBuffer> {
        let (word, bit) = place.valid?;
        let is_valid = |group: usize| self.word(group, word) & bit != 0;
        match groups {
            None => nulls_of(self.groups, is_valid),
            Some(groups) => nulls_of(groups.len(), |at| is_valid(groups[at] as usize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_stay_where_they_are_when_the_table_grows() {
        let mut layout = Layout::default();
        let places = [layout.place(true), layout.place(false), layout.place(true)];
        assert_eq!(places[0].valid, Some((1, 1)));
        assert_eq!(places[2].valid, Some((1, 2)));
        let mut table = StateTable::new(&layout);
        assert_eq!(table.row_bytes(), 32);
        for groups in [1, 5, 6, 500] {
            table.make_room(groups);
            *table.word_mut(groups - 1, places[1].state) = groups as u64;
            *table.word_mut(groups - 1, 1) |= 2;
        }
        assert_eq!(table.column(places[1].state, Some(&[0, 4, 5, 499]), |w| w), [1, 5, 6, 500]);
        assert_eq!(table.nulls(places[2], Some(&[0, 499])), None);
        let nulls = table.nulls(places[2], Some(&[0, 1])).unwrap();
        assert_eq!(nulls.iter().collect::<Vec<_>>(), [true, false]);
        assert_eq!(table.column(0, None, |word| word).len(), 500);
        assert_eq!(table.groups_with(places[1].state), [0, 4, 5, 499]);
    }
}
