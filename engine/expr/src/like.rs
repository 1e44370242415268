//! SQL LIKE without regular expressions: never worse than pattern length times text length.

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// This character.
    Char(char),
    /// `_`: any character.
    AnyChar,
    /// `%`: any run of characters.
    AnyRun,
}

/// A compiled LIKE pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikePattern {
    tokens: Vec<Token>,
    prefix: String,
    contained: String,
    shape: Shape,
}

/// Shapes that need no matcher.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// The prefix is all.
    Exact,
    /// The prefix, then anything.
    Prefix,
    /// `%text%`
    Contains,
    /// Anything else.
    General,
}

impl LikePattern {
    /// Compiles a pattern. A trailing escape character stands for itself.
    #[must_use]
    pub fn new(pattern: &str, escape: Option<char>) -> Self {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let token = match c {
                c if Some(c) == escape => Token::Char(chars.next().unwrap_or(c)),
                '_' => Token::AnyChar,
                '%' => Token::AnyRun,
                c => Token::Char(c),
            };
            if token != Token::AnyRun || tokens.last() != Some(&Token::AnyRun) {
                tokens.push(token);
            }
        }
        let prefix: String = literal(&tokens);
        let shape = match &tokens[prefix.chars().count()..] {
            [] => Shape::Exact,
            [Token::AnyRun] => Shape::Prefix,
            [Token::AnyRun, middle @ .., Token::AnyRun]
                if prefix.is_empty() && middle.iter().all(|t| matches!(t, Token::Char(_))) =>
            {
                Shape::Contains
            }
            _ => Shape::General,
        };
        let contained = longest_literal(&tokens);
        Self { tokens, prefix, contained, shape }
    }

    /// The literal text every match starts with: a range over a sorted dictionary.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The longest literal text that every match contains; empty when there is none.
    #[must_use]
    pub fn contained(&self) -> &str {
        &self.contained
    }

    /// True when all texts match that contain [`Self::contained`]: `%text%`.
    #[must_use]
    pub fn is_contained_only(&self) -> bool {
        self.shape == Shape::Contains
    }

    /// True when the prefix alone decides: `text%`.
    #[must_use]
    pub fn is_prefix_only(&self) -> bool {
        self.shape == Shape::Prefix
    }

    /// True when only the prefix itself matches.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.shape == Shape::Exact
    }

    /// True when the whole text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.shape {
            Shape::Exact => text == self.prefix,
            Shape::Prefix => text.starts_with(&self.prefix),
            Shape::Contains => text.contains(&self.contained),
            Shape::General => text.starts_with(&self.prefix) && self.general(text),
        }
    }

    /// Comparisons that matching a text takes at most, in steps of an evaluation.
    pub(crate) fn worst_steps(&self, text: &str) -> u64 {
        let per_byte = if self.shape == Shape::General { self.tokens.len() } else { 1 };
        // Most texts fail at once; the worst case is repetition on both sides.
        (text.len() as u64).saturating_mul(per_byte as u64) / 16
    }

    /// Greedy matching that backtracks to the last `%` only.
    fn general(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut at = 0;
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let mut ahead = rest.clone();
            match (self.tokens.get(at), ahead.next()) {
                (None, None) => return true,
                (Some(Token::AnyRun), _) => {
                    at += 1;
                    if at == self.tokens.len() {
                        return true;
                    }
                    retry = Some((at, rest.clone()));
                    continue;
                }
                (Some(Token::AnyChar), Some(_)) => {
                    at += 1;
                    rest = ahead;
                    continue;
                }
                (Some(Token::Char(wanted)), Some(found)) if *wanted == found => {
                    at += 1;
                    rest = ahead;
                    continue;
                }
                _ => {}
            }
            let Some((resume, from)) = &mut retry else { return false };
            if from.next().is_none() {
                return false;
            }
            at = *resume;
            rest = from.clone();
        }
    }
}

/// The leading literal characters.
fn literal(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map_while(|token| match token {
            Token::Char(c) => Some(*c),
            _ => None,
        })
        .collect()
}

fn longest_literal(tokens: &[Token]) -> String {
    let runs = tokens.split(|token| !matches!(token, Token::Char(_))).map(literal);
    runs.max_by_key(String::len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("f__", "foo", true),
            ("%o%", "foo", true),
            ("b%", "foo", false),
            ("", "", true),
            ("%", "", true),
            ("_", "", false),
            ("%a_c%e", "xxabcde", true),
            ("%a_c%e", "xxabcdef", false),
            ("100\\%", "100%", true),
            ("100\\%", "1000", false),
            ("ü_%", "üx", true),
            ("end\\", "end\\", true),
        ] {
            assert_eq!(
                LikePattern::new(pattern, Some('\\')).matches(text),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn what_every_match_contains_is_known() {
        for (pattern, contained, only) in [
            ("%special%requests%", "requests", false),
            ("%express%", "express", true),
            ("%a\\%b%", "a%b", true),
            ("ab_c%", "ab", false),
            ("%_%", "", false),
            ("%", "", false),
        ] {
            let like = LikePattern::new(pattern, Some('\\'));
            assert_eq!(
                (like.contained(), like.is_contained_only()),
                (contained, only),
                "{pattern}"
            );
        }
    }

    #[test]
    fn h_82_many_wildcards_stay_cheap() {
        let pattern = LikePattern::new(&"%a".repeat(500), None);
        assert!(!pattern.matches(&"b".repeat(32_000)));
        assert!(!LikePattern::new(&("%a".repeat(200) + "b"), None).matches(&"a".repeat(32_000)));
    }
}
