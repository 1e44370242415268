//! What is found in pages is what values hold, wherever in what they share it begins and ends.

use proptest::prelude::*;

use super::*;
use crate::dictionary::page::encode;
use crate::dictionary::table::StringTable;
use crate::text_search::MOST_BYTES;

/// The ids that are found in the values' pages from a position on.
fn found(table: &StringTable, text: &str, from: usize) -> Vec<u32> {
    let search = TextSearch::new(text);
    let (mut ids, mut start) = (Vec::new(), 0);
    while start < table.len() {
        let (raw, end) = encode(table, start);
        let page = PageView::new(&raw, end - start).unwrap();
        let positions = from.clamp(start, end) - start..usize::MAX;
        if from < end {
            let first_id = start as u32 + 1;
            page.for_each_holding(positions, first_id, &search, &mut |id| ids.push(id)).unwrap();
        }
        start = end;
    }
    ids
}

fn expected(table: &StringTable, text: &str, from: usize) -> Vec<u32> {
    let text = &text.as_bytes()[..text.len().min(MOST_BYTES)];
    let holds = |at: &usize| table.get(*at).as_bytes().windows(text.len()).any(|w| w == text);
    (from..table.len()).filter(holds).map(|at| at as u32 + 1).collect()
}

fn check(mut values: Vec<String>, texts: &[&str]) {
    values.sort();
    values.dedup();
    let table: StringTable = values.iter().map(String::as_str).collect();
    for text in texts {
        for from in [0, 1, 31, 32, 45].into_iter().filter(|from| *from < values.len()) {
            assert_eq!(found(&table, text, from), expected(&table, text, from), "{text} {from}");
        }
    }
}

#[test]
fn texts_are_found_before_across_and_behind_what_is_shared() {
    let values = ["before", "aba", "xxaab", "ab", "", "a", "b", "abab", "xxaaab", "xxab", "xxb"];
    check(
        values.map(str::to_owned).to_vec(),
        &["a", "b", "ab", "aba", "abab", "ba", "before", "xa", "q", "xxaaab", "é"],
    );
}

#[test]
fn long_values_many_pages_and_long_texts_are_searched() {
    let address = |n: u32| {
        let site = n.wrapping_mul(0x9E37_79B1) % 97;
        format!("https://site{site}.example/lantern{}/page{n:05}.html?q=éa{}", n % 7, n % 3)
    };
    let mut values: Vec<String> = (0..4_000).map(address).collect();
    check(values.clone(), &["lantern3", "example", "9.html", "q=é", "éa1", "0001", "n1/page", "/"]);
    let long = "-".repeat(300);
    values.extend((0..100).map(|n| format!("{long}{n:03}{long}")));
    let whole = address(17);
    check(values, &["-042-", "7-", &long, &whole, &whole[..MOST_BYTES], &whole[8..]]);
    assert!(!TextSearch::new(&long).is_exact() && TextSearch::new("7-").is_exact());
}

#[test]
fn h_45_damaged_pages_are_refused() {
    let search = TextSearch::new("bc");
    let read = |raw: &[u8], values| {
        PageView::new(raw, values)?.for_each_holding(0..values, 1, &search, &mut |_| {})
    };
    let table: StringTable = ["ab", "abc", "b"].into_iter().collect();
    let (raw, _) = encode(&table, 0);
    read(&raw, 3).unwrap();
    for cut in 0..raw.len() {
        assert!(read(&raw[..cut], 3).is_err(), "{cut}");
    }
    for (at, byte) in [(1, 9), (2, 200), (4, 255)] {
        let mut damaged = raw.clone();
        damaged[at] = byte;
        assert!(read(&damaged, 3).is_err(), "{at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn what_is_found_is_what_values_hold(
        values in prop::collection::vec("[abé]{0,14}", 1..150),
        text in "[abé]{1,6}",
        repeated in 1_usize..12,
    ) {
        check(values, &[&text, &text.repeat(repeated)]);
    }
}
