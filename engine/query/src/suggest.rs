//! The known name that a misspelt one was meant to be.

/// Names longer than this are compared with none: what it costs grows with the product of lengths.
const MAX_NAME_CHARS: usize = 64;

/// The known name that is one or two letters away (put in, left out, changed or two swapped), or
/// differs in upper and lower case alone. Names of up to four letters may differ in one. `None`
/// when none is that near.
pub fn closest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let letters: Vec<char> = name.chars().take(MAX_NAME_CHARS + 1).collect();
    if letters.len() > MAX_NAME_CHARS {
        return None;
    }
    let most = if letters.len() > 4 { 2 } else { 1 };
    let near = known.into_iter().filter_map(|candidate| {
        if candidate.eq_ignore_ascii_case(name) {
            return Some((0, candidate));
        }
        let other: Vec<char> = candidate.chars().collect();
        // What is that short could be meant to be anything.
        let apart = other.len() > 2 && letters.len() > 1;
        let distance = apart.then(|| distance(&letters, &other))?;
        (distance <= most).then_some((distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// As [`closest`] where callers also keep names of their own: the shorter a name, the less it may
/// differ. Up to four letters only swapped ones count (`lang` is not `lane`), up to seven one letter
/// or swapped ones (`useCase` is not `useCache`). A known name with something before or behind it is
/// another word (`restrict`, `profiles`).
pub(crate) fn closest_among_others<'k>(
    name: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    let near = closest(name, known)?;
    let (letters, other): (Vec<char>, Vec<char>) = (name.chars().collect(), near.chars().collect());
    let is_longer = letters.starts_with(&other) || letters.ends_with(&other);
    let is_meant = near.eq_ignore_ascii_case(name)
        || match letters.len() {
            _ if is_longer => false,
            0..=4 => is_reordered(&letters, &other),
            5..=7 => distance(&letters, &other) <= 1 || is_reordered(&letters, &other),
            _ => true,
        };
    is_meant.then_some(near)
}

fn is_reordered(from: &[char], to: &[char]) -> bool {
    let sorted = |letters: &[char]| {
        let mut letters = letters.to_vec();
        letters.sort_unstable();
        letters
    };
    sorted(from) == sorted(to)
}

/// Letters to put in, leave out, change or swap with their neighbour to get from one to the other.
fn distance(from: &[char], to: &[char]) -> usize {
    if from.len().abs_diff(to.len()) > 2 {
        return usize::MAX;
    }
    let width = to.len() + 1;
    let mut rows = vec![0; (from.len() + 1) * width];
    for at in 0..=from.len() {
        rows[at * width] = at;
    }
    for (at, cell) in rows.iter_mut().take(width).enumerate() {
        *cell = at;
    }
    for i in 1..=from.len() {
        for j in 1..=to.len() {
            let changed = usize::from(from[i - 1] != to[j - 1]);
            let mut least = (rows[(i - 1) * width + j] + 1)
                .min(rows[i * width + j - 1] + 1)
                .min(rows[(i - 1) * width + j - 1] + changed);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[(i - 2) * width + j - 2] + 1);
            }
            rows[i * width + j] = least;
        }
    }
    rows[from.len() * width + to.len()]
}

#[cfg(test)]
mod tests {
    use super::{closest, closest_among_others};

    #[test]
    fn one_or_two_letters_away_is_the_same_name() {
        let known = ["type", "filter", "granularity", "intervals", "limit", "fn"];
        for (name, meant) in [
            ("filtre", Some("filter")),
            ("fliter", Some("filter")),
            ("filters", Some("filter")),
            ("granularty", Some("granularity")),
            ("interval", Some("intervals")),
            ("Granularity", Some("granularity")),
            ("tpye", Some("type")),
            ("typo", Some("type")),
            ("lime", None),
            ("g", None),
            ("x", None),
            ("fm", None),
            ("colour", None),
        ] {
            assert_eq!(closest(name, known), meant, "{name}");
        }
        assert_eq!(closest(&"x".repeat(100_000), known), None);
    }

    #[test]
    fn among_names_of_the_caller_short_ones_have_to_be_nearer() {
        let known = ["lane", "strict", "timeout", "queryId", "debug", "useCache"];
        for (name, meant) in [
            ("laen", Some("lane")),
            ("lang", None),
            ("line", None),
            ("Lane", Some("lane")),
            ("stirct", Some("strict")),
            ("srtitc", Some("strict")),
            ("district", None),
            ("restrict", None),
            ("lanes", None),
            ("useCase", None),
            ("timeut", Some("timeout")),
            ("tmieuot", Some("timeout")),
            ("userId", None),
            ("debig", Some("debug")),
            ("bugs", None),
            ("useCahce", Some("useCache")),
            ("useCachd1", Some("useCache")),
        ] {
            assert_eq!(closest_among_others(name, known), meant, "{name}");
        }
    }
}
