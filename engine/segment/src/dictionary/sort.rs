//! Sorting strings eight bytes at a time: most comparisons are of two integers that lie side by side,
//! not of two texts somewhere in memory.

use std::ops::Range;

use crate::dictionary::table::StringTable;
use henge_types::narrow::narrow;

const WORD: usize = size_of::<u64>();

/// Runs of equal words that are shorter are sorted by comparing texts.
const SHORT_RUN: usize = 24;

/// The positions of all values, in the order of their bytes; equal values keep theirs.
///
/// Stable sorts of words find the runs that sorted inputs leave.
pub(super) fn sorted_positions(table: &StringTable) -> Vec<u32> {
    let mut entries: Vec<(u64, u32)> = (0..narrow(table.len())).map(|at| (0, at)).collect();
    let mut open: Vec<(Range<usize>, usize)> = vec![(0..entries.len(), 0)];
    while let Some((range, skip)) = open.pop() {
        let start = range.start;
        let entries = &mut entries[range];
        let rest = |at: u32| &table.get(at as usize).as_bytes()[skip..];
        let mut longest = 0;
        for (word, at) in entries.iter_mut() {
            let rest = rest(*at);
            longest = longest.max(rest.len());
            *word = first_word(rest);
        }
        if entries.len() < SHORT_RUN || longest <= WORD {
            entries.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| rest(a.1).cmp(rest(b.1))));
            continue;
        }
        entries.sort_by_key(|entry| entry.0);
        let mut first = 0;
        for run in entries.chunk_by_mut(|a, b| a.0 == b.0) {
            let end = first + run.len();
            // A text that ends inside the word may be equal to a longer one as a word: "a", "a\0".
            if run.len() > 1 && run.iter().any(|(_, at)| rest(*at).len() < WORD) {
                run.sort_by(|a, b| rest(a.1).cmp(rest(b.1)));
            } else if run.len() > 1 {
                open.push((start + first..start + end, skip + WORD));
            }
            first = end;
        }
    }
    entries.into_iter().map(|(_, at)| at).collect()
}

/// The first bytes as a number that sorts as they do, zeros in place of those that are not there.
fn first_word(text: &[u8]) -> u64 {
    match text.first_chunk::<WORD>() {
        Some(word) => u64::from_be_bytes(*word),
        None => {
            let mut word = [0; WORD];
            word[..text.len()].copy_from_slice(text);
            u64::from_be_bytes(word)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[String]) {
        let table: StringTable = values.iter().map(String::as_str).collect();
        let mut expected: Vec<u32> = (0..values.len() as u32).collect();
        expected.sort_by_key(|at| &values[*at as usize]);
        assert_eq!(sorted_positions(&table), expected);
    }

    #[test]
    fn long_prefixes_short_texts_and_zeros_sort_by_bytes() {
        let mut values: Vec<String> = Vec::new();
        for number in 0..2_000_u32 {
            let scattered = number.wrapping_mul(0x9E37_79B1);
            values.push(format!("a common prefix of some length/{scattered}"));
            values.push(format!("{}", scattered % 97));
            values.push("a".repeat(number as usize % 40));
            values.push(format!("a{}", "\0".repeat(number as usize % 20)));
        }
        check(&values);
        check(&[]);
        check(&vec!["the same, over and over".to_owned(); 100]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_texts_sort_by_bytes(values in prop::collection::vec("[ab\0ü]{0,24}", 0..200)) {
            check(&values);
        }
    }
}
