//! [`Pattern`]: the patterns by which drivers name schemas, tables and columns.

/// A pattern as in `LIKE … ESCAPE '\'`, or everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Option<Vec<Part>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// `%`
    Any,
    /// `_`
    One,
    Letter(char),
}

impl Pattern {
    /// The pattern of a text; none is everything.
    pub(crate) fn of(text: Option<&str>) -> Self {
        Self(text.map(parts))
    }

    /// Exactly this name; none is everything.
    pub(crate) fn exactly(name: Option<&str>) -> Self {
        Self(name.map(|name| name.chars().map(Part::Letter).collect()))
    }

    /// Whether a name has this pattern.
    pub(crate) fn holds(&self, name: &str) -> bool {
        let Some(parts) = &self.0 else { return true };
        let name: Vec<char> = name.chars().collect();
        let (mut part, mut letter) = (0, 0);
        // Where to go on when what follows the last `%` does not fit: one letter further.
        let mut retry = None;
        while letter < name.len() {
            match parts.get(part) {
                Some(Part::Any) => {
                    part += 1;
                    retry = Some((part, letter));
                    continue;
                }
                Some(Part::One) => {}
                Some(Part::Letter(wanted)) if *wanted == name[letter] => {}
                _ => {
                    let Some((after, from)) = retry else { return false };
                    retry = Some((after, from + 1));
                    (part, letter) = (after, from + 1);
                    continue;
                }
            }
            part += 1;
            letter += 1;
        }
        parts[part..].iter().all(|part| *part == Part::Any)
    }
}

fn parts(text: &str) -> Vec<Part> {
    let mut letters = text.chars();
    let mut parts = Vec::new();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            '%' => Part::Any,
            '_' => Part::One,
            // A backslash that ends the pattern is one.
            '\\' => Part::Letter(letters.next().unwrap_or('\\')),
            letter => Part::Letter(letter),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_like_with_a_backslash() {
        let holds = |pattern: &str, name: &str| Pattern::of(Some(pattern)).holds(name);
        for (pattern, name) in [
            ("%", ""),
            ("%", "wikipedia"),
            ("wiki%", "wikipedia"),
            ("%pedia", "wikipedia"),
            ("w_k%d_a", "wikipedia"),
            ("%a%a%", "banana"),
            ("a\\_b", "a_b"),
            ("100\\%", "100%"),
            ("\\", "\\"),
            ("é_", "éü"),
        ] {
            assert!(holds(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("wiki", "wikipedia"),
            ("a\\_b", "axb"),
            ("_", ""),
            ("%b", "ba"),
            ("A", "a"),
        ] {
            assert!(!holds(pattern, name), "{pattern} {name}");
        }
        assert!(Pattern::of(None).holds("anything"));
        assert!(
            Pattern::exactly(Some("a%")).holds("a%") && !Pattern::exactly(Some("a%")).holds("ab")
        );
    }

    #[test]
    fn a_pattern_of_many_parts_takes_no_longer_than_it_must() {
        let pattern = "%a".repeat(200) + "b";
        assert!(!Pattern::of(Some(&pattern)).holds(&"a".repeat(2_000)));
    }
}
