//! The last result of a function, for texts that begin as the last one did.

use regex_automata::hybrid::dfa::Cache;
use regex_automata::util::pool::Pool;

use super::{Action, MAX_COMPILED_BYTES};
use crate::error::Result;
use crate::java_regex::{Head, JavaRegex, is_one_line};
use crate::value::ExprValue;

type NewLast = Box<dyn Fn() -> Last + Send + Sync>;

/// Texts come in the order of a dictionary, neighbours share their beginnings.
pub(super) struct Recent {
    head: std::sync::Arc<Head>,
    action: Action,
    third: ExprValue,
    last: Pool<Last, NewLast>,
}

/// What one thread saw last.
struct Last {
    cache: Cache,
    /// The bytes that decided.
    beginning: Vec<u8>,
    result: ExprValue,
}

impl Recent {
    /// `None` when the results of a pattern may depend on all of a text.
    pub(super) fn of(pattern: &str, action: Action, third: &ExprValue) -> Option<Self> {
        let head = std::sync::Arc::new(Head::of(pattern, MAX_COMPILED_BYTES)?);
        let of_thread = std::sync::Arc::clone(&head);
        let new_last: NewLast = Box::new(move || Last {
            cache: of_thread.new_cache(),
            beginning: Vec::new(),
            result: ExprValue::Null,
        });
        Some(Self { head, action, third: third.clone(), last: Pool::new(new_last) })
    }

    /// The result for a text.
    pub(super) fn apply(&self, regex: &JavaRegex, text: &str) -> Result<ExprValue> {
        let mut last = self.last.get();
        let Last { cache, beginning, result } = &mut *last;
        let rest = text.as_bytes().strip_prefix(beginning.as_slice());
        if !beginning.is_empty() && rest.is_some_and(is_one_line) {
            return Ok(result.clone());
        }
        let found = (self.action.apply)(regex, text, &self.third)?;
        beginning.clear();
        if let Some(decided) = self.head.decided(cache, text)
            && (self.action.is_of_head)(&self.head, decided, &self.third)
        {
            beginning.extend_from_slice(&text.as_bytes()[..decided.bytes]);
            *result = found.clone();
        }
        Ok(found)
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
