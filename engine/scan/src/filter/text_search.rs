//! Looking for a text in many values at once: one search through values that lie one behind the
//! other, instead of one a value.

use memchr::memmem::Finder;

use henge_segment::TextRun;

/// Finds the values that contain a text.
#[derive(Debug)]
pub(super) struct TextSearch<'n> {
    finder: Finder<'n>,
    length: usize,
}

impl<'n> TextSearch<'n> {
    /// For a text that is not empty.
    pub(super) fn new(text: &'n str) -> Self {
        Self { finder: Finder::new(text), length: text.len() }
    }

    /// Calls `visit` with each value of the run that contains the text, and its id.
    pub(super) fn for_each(&self, run: &TextRun<'_>, mut visit: impl FnMut(u32, &str)) {
        let bytes = run.text.as_bytes();
        let (mut from, mut start, mut value) = (run.start as usize, run.start as usize, 0);
        while let Some(found) = bytes.get(from..).and_then(|rest| self.finder.find(rest)) {
            let found = from + found;
            while let Some(end) = run.ends.get(value).filter(|end| **end as usize <= found) {
                start = *end as usize;
                value += 1;
            }
            let Some(&end) = run.ends.get(value) else { return };
            if found + self.length > end as usize {
                // It begins in this value and ends in a later one.
                from = found + 1;
                continue;
            }
            visit(run.first_id + value as u32, &run.text[start..end as usize]);
            from = end as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_once_and_none_across_two() {
        let values = ["before", "", "aba", "xxaab", "ab", "", "a", "b", "abab"];
        let text = values.concat();
        let mut at = 0;
        let ends: Vec<u32> = values
            .iter()
            .map(|value| {
                at += value.len() as u32;
                at
            })
            .collect();
        let run = TextRun { first_id: 10, text: &text, start: ends[0], ends: &ends[1..] };
        for needle in ["a", "b", "ab", "aba", "abab", "ba", "before", "xa", "q"] {
            let mut found = Vec::new();
            TextSearch::new(needle).for_each(&run, |id, value| found.push((id, value.to_owned())));
            let all = (10..).zip(&values[1..]).filter(|(_, value)| value.contains(needle));
            let expected: Vec<_> = all.map(|(id, value)| (id, (*value).to_owned())).collect();
            assert_eq!(found, expected, "{needle}");
        }
    }
}
