//! Regular expressions as `java.util.regex` reads them, which is what queries written for Druid
//! mean, on an engine that is linear in the text.
//!
//! A pattern is translated: without flags `\w`, `\d`, `\s`, `\b` and `(?i)` are ASCII, `.` stops at
//! every line terminator, `$` and `\Z` also match before a final one. What the engine cannot do
//! (look-around but `(?=…)` at the end of the pattern, back-references, possessive quantifiers, atomic groups, `\G`,
//! a `$` with more behind it, a `^` by line with more before it or nothing behind it) is refused by name and position
//! instead of meaning something else.
//!
//! Differences that stay: after U+0085, U+2028 or U+2029 a `^` by line is found once for each match
//! that does not take the terminator itself; text is matched by Unicode scalar values, so patterns cannot name half a
//! surrogate pair, and `\b` is ASCII as it is since Java 19.

mod class;
mod escape;
mod flags;
mod head;
mod property;
#[cfg(test)]
mod tests;
mod translate;

use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder};
use thiserror::Error;

pub(crate) use head::{Cache as HeadCache, Decided, Head, is_one_line};

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// A mistake, or something this engine cannot do.
    #[error("{message} (at character {position})")]
    Syntax {
        /// The character, counted from 1.
        position: usize,
        /// What is wrong there, and what to do instead.
        message: String,
    },
    /// The compiled pattern is too large.
    #[error("compiles to more than {limit_bytes} bytes; simplify it")]
    TooLarge {
        /// What is allowed.
        limit_bytes: usize,
    },
}

/// A compiled pattern. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct JavaRegex {
    pattern: Arc<str>,
    regex: Regex,
    /// For texts that end in `\r\n`, before which `$` matches, and not between the two. Only for
    /// patterns with `$`.
    before_crlf: Option<Regex>,
    groups: Arc<Groups>,
}

/// How groups of the translation relate to those of the pattern.
#[derive(Debug, Default)]
struct Groups {
    /// The translation's group of each of the pattern's, from 0, the whole match.
    of_pattern: Vec<usize>,
    /// The translation's groups that hold what lies behind the match: a line terminator, or what was looked ahead
    /// at. What holds others comes before them.
    terminators: Vec<usize>,
    /// The translation's groups that hold a line terminator before the match.
    starts: Vec<usize>,
    /// Named groups of the pattern.
    names: Vec<(String, usize)>,
}

/// What a match and its groups cover, as byte positions.
#[derive(Debug)]
pub struct Match<'r, 't> {
    captures: Captures<'t>,
    groups: &'r Groups,
}

impl JavaRegex {
    /// Compiles a pattern into at most so many bytes.
    ///
    /// # Errors
    /// Mistakes, what this engine cannot do, and patterns that are too large.
    pub fn new(pattern: &str, limit_bytes: usize) -> Result<Self, PatternError> {
        let translation = translate::translate(pattern)?;
        let build = |pattern: &str| {
            RegexBuilder::new(pattern)
                .size_limit(limit_bytes)
                .dfa_size_limit(limit_bytes)
                .build()
                .map_err(|error| match error {
                    regex::Error::CompiledTooBig(_) => PatternError::TooLarge { limit_bytes },
                    other => PatternError::Syntax {
                        position: 1,
                        message: last_line(&other.to_string()).to_owned(),
                    },
                })
        };
        let regex = build(&translation.pattern)?;
        let before_crlf = translation.before_crlf.as_deref().map(build).transpose()?;
        let groups = Arc::new(translation.groups);
        Ok(Self { pattern: pattern.into(), regex, before_crlf, groups })
    }

    /// The pattern as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    fn for_text(&self, text: &str) -> &Regex {
        match &self.before_crlf {
            Some(regex) if text.ends_with("\r\n") => regex,
            _ => &self.regex,
        }
    }

    /// True when the pattern is found in the text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.for_text(text).is_match(text)
    }

    /// The first match that begins at or behind a byte position.
    #[must_use]
    pub fn find_at<'r, 't>(&'r self, text: &'t str, from: usize) -> Option<Match<'r, 't>> {
        let captures = self.for_text(text).captures_at(text, from)?;
        Some(Match { captures, groups: &self.groups })
    }

    /// All matches, one behind the other, as Java finds them: an empty one may follow right behind
    /// one that is not.
    pub fn matches<'r, 't>(&'r self, text: &'t str) -> impl Iterator<Item = Match<'r, 't>> {
        let mut from = Some(0);
        std::iter::from_fn(move || {
            let found = self.find_at(text, from?)?;
            let (start, end) = found.span();
            from = match end > start {
                true => Some(end),
                false => text[end..].chars().next().map(|c| end + c.len_utf8()),
            };
            Some(found)
        })
    }

    /// The number of groups, the whole match aside.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.groups.of_pattern.len() - 1
    }

    /// The number of a named group.
    #[must_use]
    pub fn group_named(&self, name: &str) -> Option<usize> {
        self.groups.names.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }

    /// The parts of a text between the matches.
    pub fn split<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut parts = Vec::new();
        let mut last = 0;
        for found in self.matches(text) {
            let (start, end) = found.span();
            // An empty match at the beginning cuts nothing off.
            if end == 0 || (start == end && start == text.len()) {
                continue;
            }
            parts.push(&text[last..start]);
            last = end;
        }
        parts.push(&text[last..]);
        parts
    }
}

impl<'t> Match<'_, 't> {
    /// Start and end of the match.
    #[must_use]
    pub fn span(&self) -> (usize, usize) {
        self.group_span(0).unwrap_or_default()
    }

    /// The text of a group, 0 being the whole match; `None` when it took no part.
    #[must_use]
    pub fn group(&self, number: usize, text: &'t str) -> Option<&'t str> {
        self.group_span(number).map(|(start, end)| &text[start..end])
    }

    fn group_span(&self, number: usize) -> Option<(usize, usize)> {
        let found = self.captures.get(*self.groups.of_pattern.get(number)?)?;
        let held = |groups: &[usize]| groups.iter().find_map(|group| self.captures.get(*group));
        let low = held(&self.groups.starts).map_or(0, |terminator| terminator.end());
        let high = held(&self.groups.terminators).map_or(usize::MAX, |found| found.start());
        let (start, end) = (found.start().max(low).min(high), found.end().max(low).min(high));
        Some((start, end))
    }
}

/// The library draws the pattern with a caret over several lines; the last one says what is wrong.
fn last_line(message: &str) -> &str {
    let line = message.lines().last().unwrap_or(message);
    line.strip_prefix("error: ").unwrap_or(line)
}
