//! `coverage-ids`: which faults (F), hostile inputs (H) and invariants (I) tests quote by id.
//!
//! In Rust the names of test functions count (`h_03_deep_nesting_is_rejected`); in the scripts of
//! `tests/`, which have no test functions of their own, any id counts (`f_17`, `F-17`).

use std::collections::BTreeMap;

use crate::functions;
use crate::sources;

/// A kind of id: its letter, what it stands for, and how many there are.
const KINDS: [(char, &str, u32); 3] =
    [('F', "faults", 78), ('H', "hostile inputs", 108), ('I', "invariants", 16)];

/// An id such as H-03.
type Id = (char, u32);

/// Prints the ids by kind, with the number of tests that quote each.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut tests_by_id: BTreeMap<Id, usize> = BTreeMap::new();
    let mut count = |ids: Vec<Id>| {
        for id in ids {
            *tests_by_id.entry(id).or_default() += 1;
        }
    };
    for file in sources::read_all("", &["rs"])? {
        let tests = functions::find(&file.text).into_iter().filter(|function| function.is_test);
        tests.for_each(|test| count(ids_in(test.name)));
    }
    for file in sources::read_all("tests", &["py", "sh"])? {
        count(ids_in(&file.text));
    }
    for (letter, title, total) in KINDS {
        let of_kind = tests_by_id.iter().filter(|((kind, _), _)| *kind == letter);
        let quoted: Vec<String> = of_kind
            .map(|((_, number), tests)| match tests {
                1 => format!("{letter}-{number:02}"),
                _ => format!("{letter}-{number:02}x{tests}"),
            })
            .collect();
        println!("{title}: {} of {total} quoted by tests", quoted.len());
        if !quoted.is_empty() {
            println!("  {}", quoted.join(" "));
        }
    }
    Ok(())
}

/// The distinct ids in a text, written `h_03` or `H-03`, in order.
fn ids_in(text: &str) -> Vec<Id> {
    let bytes = text.as_bytes();
    let mut ids = Vec::new();
    for (position, byte) in bytes.iter().enumerate() {
        let starts_word = position == 0 || !bytes[position - 1].is_ascii_alphanumeric();
        let separated = matches!(bytes.get(position + 1), Some(b'_' | b'-'));
        let letter = char::from(byte.to_ascii_uppercase());
        let Some((_, _, total)) = KINDS.iter().find(|(kind, _, _)| *kind == letter) else {
            continue;
        };
        if !starts_word || !separated {
            continue;
        }
        let digits = bytes[position + 2..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = position + 2 + digits;
        let ends_word = !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        let number = text[position + 2..end].parse().unwrap_or(0);
        if matches!(digits, 2 | 3) && ends_word && (1..=*total).contains(&number) {
            ids.push((letter, number));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::ids_in;

    #[test]
    fn ids_are_found_in_names_and_texts() {
        assert_eq!(ids_in("h_03_deep_nesting_is_rejected"), [('H', 3)]);
        assert_eq!(ids_in("f_17_and_i_01_hold_under_h_108"), [('F', 17), ('H', 108), ('I', 1)]);
        assert_eq!(
            ids_in("# F-17, F-17 and I-05\ndef f_18(): pass"),
            [('F', 17), ('F', 18), ('I', 5)]
        );
    }

    #[test]
    fn what_only_looks_like_an_id_is_not() {
        assert_eq!(ids_in("half_12 pi_10 h_3 h_0300 h_99x i_17 f_00 utf-16 H03 h_"), []);
    }
}
