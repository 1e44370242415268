//! Keeps each pair once: a table that is emptied for each partition, and so is in the cache.

use henge_types::narrow::narrow;
use henge_vector::Pairs;

/// Scratch space.
#[derive(Debug, Default)]
pub(super) struct Once {
    /// Words that were met; 0 is free.
    words: Vec<u64>,
    /// Numbers of pairs that were met; 0 is free, and no pair has it.
    numbers: Vec<u32>,
    kept: Pairs,
}

impl Once {
    /// Keeps the first of equal pairs.
    pub(super) fn keep_first(&mut self, pairs: &mut Pairs) {
        self.keep_distinct(&[&*pairs]);
        pairs.words.clear();
        pairs.words.extend_from_slice(&self.kept.words);
        if !pairs.rows.is_empty() {
            pairs.rows.clear();
            pairs.rows.extend_from_slice(&self.kept.rows);
        }
    }

    /// The distinct ones of some pairs.
    pub(super) fn distinct(&mut self, of: &[&Pairs]) -> Pairs {
        self.keep_distinct(of);
        self.kept.clone()
    }

    /// Bytes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        let tables = self.words.capacity() * size_of::<u64>();
        tables + self.numbers.capacity() * size_of::<u32>() + self.kept.memory_bytes()
    }

    fn keep_distinct(&mut self, of: &[&Pairs]) {
        match of.iter().all(|pairs| pairs.rows.is_empty()) {
            true => self.keep_words(of),
            false => self.keep_pairs(of),
        }
    }

    fn keep_words(&mut self, of: &[&Pairs]) {
        let total = of.iter().map(|pairs| pairs.words.len()).sum();
        let mask = emptied(&mut self.words, total);
        let kept = &mut self.kept.words;
        kept.clear();
        kept.resize(total, 0);
        self.kept.rows.clear();
        let (mut count, mut has_zero) = (0, false);
        for &word in of.iter().flat_map(|pairs| &pairs.words) {
            has_zero |= word == 0;
            let mut at = place(word) & mask;
            while self.words[at] != 0 && self.words[at] != word {
                at = (at + 1) & mask;
            }
            // Whether the word is new is hard to foretell: no branch depends on it.
            kept[count] = word;
            count += usize::from(self.words[at] != word);
            self.words[at] = word;
        }
        kept.truncate(count);
        if has_zero {
            kept.push(0);
        }
    }

    fn keep_pairs(&mut self, of: &[&Pairs]) {
        let total: usize = of.iter().map(|pairs| pairs.words.len()).sum();
        let mask = emptied(&mut self.numbers, total);
        let Pairs { words, rows } = &mut self.kept;
        words.clear();
        rows.clear();
        // No pair has the number 0.
        words.resize(total + 1, 0);
        rows.resize(total + 1, 0);
        let mut next = 1;
        for pairs in of {
            for (row, word) in pairs.iter() {
                let mut at =
                    place(word ^ u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15)) & mask;
                let number = loop {
                    let number = self.numbers[at] as usize;
                    if number == 0 || (words[number] == word && rows[number] == row) {
                        break number;
                    }
                    at = (at + 1) & mask;
                };
                (words[next], rows[next]) = (word, row);
                let is_new = number == 0;
                self.numbers[at] = narrow(if is_new { next } else { number });
                next += usize::from(is_new);
            }
        }
        words.truncate(next);
        rows.truncate(next);
        words.swap_remove(0);
        rows.swap_remove(0);
    }
}

/// Empties a table and makes it large enough for so many entries. Gives the mask of its places.
fn emptied<T: Clone + Default>(table: &mut Vec<T>, entries: usize) -> usize {
    let size = (entries * 2).next_power_of_two();
    table.clear();
    table.resize(size, T::default());
    size - 1
}

/// The upper bits chose the partition.
#[inline]
fn place(mixed: u64) -> usize {
    (mixed >> 24) as usize
}
