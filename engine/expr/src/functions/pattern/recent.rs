//! Results of a function for beginnings of texts that decide them: that of the last text, and a bounded
//! number of earlier ones.

use std::collections::HashMap;

use regex_automata::util::pool::Pool;

use super::{Action, MAX_COMPILED_BYTES};
use crate::error::Result;
use crate::java_regex::{Head, HeadCache, JavaRegex, is_one_line};
use crate::value::ExprValue;

/// Bytes of beginnings and results that a thread remembers.
const MAX_KNOWN_BYTES: usize = 1 << 20;
/// What a beginning takes beside its bytes and those of its result, about.
const ENTRY_BYTES: usize = 64;

type NewKnown = Box<dyn Fn() -> Known + Send + Sync>;

/// Texts come in the order of a dictionary, where neighbours share their beginnings, or in pieces of it,
/// where they come again.
pub(super) struct Recent {
    head: std::sync::Arc<Head>,
    action: Action,
    third: ExprValue,
    known: Pool<Known, NewKnown>,
}

/// What one thread saw.
struct Known {
    cache: HeadCache,
    /// The bytes that decided last, and what.
    last: Vec<u8>,
    result: ExprValue,
    /// Results by what decided them.
    results: HashMap<Box<[u8]>, ExprValue>,
    results_bytes: usize,
}

impl Recent {
    /// `None` when the results of a pattern may depend on all of a text.
    pub(super) fn of(pattern: &str, action: Action, third: &ExprValue) -> Option<Self> {
        let head = std::sync::Arc::new(Head::of(pattern, MAX_COMPILED_BYTES)?);
        let of_thread = std::sync::Arc::clone(&head);
        let new_known: NewKnown = Box::new(move || Known {
            cache: of_thread.new_cache(),
            last: Vec::new(),
            result: ExprValue::Null,
            results: HashMap::new(),
            results_bytes: 0,
        });
        Some(Self { head, action, third: third.clone(), known: Pool::new(new_known) })
    }

    /// The result for a text.
    pub(super) fn apply(&self, regex: &JavaRegex, text: &str) -> Result<ExprValue> {
        let find = || (self.action.apply)(regex, text, &self.third);
        let mut known = self.known.get();
        let known = &mut *known;
        let rest = text.as_bytes().strip_prefix(known.last.as_slice());
        if !known.last.is_empty() && rest.is_some_and(is_one_line) {
            return Ok(known.result.clone());
        }
        let decided = self.head.decided(&mut known.cache, text);
        let decided =
            decided.filter(|decided| (self.action.is_of_head)(&self.head, *decided, &self.third));
        match decided {
            Some(decided) => known.result_of(&text.as_bytes()[..decided.bytes], find),
            None => find(),
        }
    }
}

impl Known {
    /// The result of what decides it.
    fn result_of(
        &mut self,
        beginning: &[u8],
        find: impl FnOnce() -> Result<ExprValue>,
    ) -> Result<ExprValue> {
        let result = match self.results.get(beginning) {
            Some(result) => result.clone(),
            None => self.keep(beginning, find()?),
        };
        self.last.clear();
        self.last.extend_from_slice(beginning);
        self.result = result.clone();
        Ok(result)
    }

    fn keep(&mut self, beginning: &[u8], result: ExprValue) -> ExprValue {
        let bytes = beginning.len() + result.bytes() as usize + ENTRY_BYTES;
        if self.results_bytes + bytes > MAX_KNOWN_BYTES {
            self.results.clear();
            self.results_bytes = 0;
        }
        if bytes <= MAX_KNOWN_BYTES {
            self.results.insert(beginning.into(), result.clone());
            self.results_bytes += bytes;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::functions::pattern::{EXTRACT, LIKE, REPLACE, compile};

    const PATTERNS: [&str; 12] = [
        "^a+",
        "^(a|b)c.*$",
        "^(a+)(b*c)?.*$",
        "^h(?:ab[.])?([^/]+)/.*$",
        "^h(?<name>[^/]*)/",
        "^([a-c]*)[.].*$",
        "^a(b*c)?",
        "^(.)(.)?.*$",
        "^a$",
        "^.*$",
        "^(a*?)b",
        "^\\b(\\w+)\\b.*$",
    ];

    proptest! {
        #[test]
        fn results_are_those_of_the_whole_text(
            pattern in prop::sample::select(&PATTERNS[..]),
            texts in prop::collection::vec("h?[abc./]{0,5}[abch/\n\r\u{85}é]{0,4}", 1..40),
            sorted in any::<bool>(),
        ) {
            let mut texts = texts;
            if sorted {
                texts.sort();
            }
            let regex = compile("regexp_replace", pattern).unwrap();
            let thirds = [
                (LIKE, ExprValue::Null),
                (EXTRACT, ExprValue::Null),
                (EXTRACT, ExprValue::Long(regex.group_count().min(1) as i64)),
                (REPLACE, "<$0>".into()),
                (REPLACE, if regex.group_count() > 0 { "<$1>" } else { "x" }.into()),
            ];
            for (action, third) in thirds {
                let Some(recent) = Recent::of(pattern, action, &third) else { continue };
                for text in &texts {
                    let expected = (action.apply)(&regex, text, &third);
                    prop_assert_eq!(
                        recent.apply(&regex, text), expected, "{} {:?} {:?}", pattern, text, third
                    );
                }
            }
        }
    }
}
