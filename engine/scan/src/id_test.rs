//! A comparison turned into a test of dictionary ids: strings are looked at once per distinct value.

use henge_expr::like::LikePattern;
use henge_query::comparison::{Comparison, TextSpan, Truth};
use henge_segment::{Dictionary, NULL_ID, TextSearch};

use crate::error::Result;

/// A set of dictionary ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IdTest {
    Nothing,
    Everything,
    /// Ids from the first up to the second.
    Range(u32, u32),
    /// Ids that are neither null nor in the range.
    OutsideRange(u32, u32),
    /// One bit an id.
    Set(Vec<u64>),
}

impl IdTest {
    #[inline]
    pub(crate) fn contains(&self, id: u32) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Range(start, end) => (*start..*end).contains(&id),
            Self::OutsideRange(start, end) => id != NULL_ID && !(*start..*end).contains(&id),
            Self::Set(words) => set_contains(words, id),
        }
    }

    /// Bytes that it has on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Set(words) => size_of_val(words.as_slice()),
            Self::Nothing | Self::Everything | Self::Range(..) | Self::OutsideRange(..) => 0,
        }
    }

    /// What the test says of all ids from `min` to `max`, when it says the same of all of them.
    pub(crate) fn of_all_between(&self, min: u32, max: u32) -> Option<bool> {
        match self {
            Self::Nothing => Some(false),
            Self::Everything => Some(true),
            Self::Range(start, end) if max < *start || min >= *end => Some(false),
            Self::Range(start, end) if min >= *start && max < *end => Some(true),
            Self::OutsideRange(start, end) if min >= *start && max < *end => Some(false),
            Self::OutsideRange(start, end) if min > NULL_ID && (max < *start || min >= *end) => {
                Some(true)
            }
            Self::Set(_) if min == max => Some(self.contains(min)),
            _ => None,
        }
    }

    /// The part of all ids that the test holds of.
    pub(crate) fn share(&self, id_count: u32) -> f64 {
        let held = match self {
            Self::Nothing => 0,
            Self::Everything => id_count,
            Self::Range(start, end) => end - start,
            Self::OutsideRange(start, end) => id_count.saturating_sub(end - start),
            Self::Set(words) => words.iter().map(|word| word.count_ones()).sum(),
        };
        f64::from(held) / f64::from(id_count.max(1))
    }

    /// The ids, when there are at most `limit` of them and null is not among them.
    pub(crate) fn few(&self, limit: usize) -> Option<Vec<u32>> {
        match self {
            Self::Range(start, end) if *start > NULL_ID && (end - start) as usize <= limit => {
                Some((*start..*end).collect())
            }
            Self::Set(words) => {
                let count: u32 = words.iter().map(|word| word.count_ones()).sum();
                if count as usize > limit || self.contains(NULL_ID) {
                    return None;
                }
                let bits = words.iter().enumerate().flat_map(|(index, word)| {
                    (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit)
                });
                Some(bits.map(|id| id as u32).collect())
            }
            _ => None,
        }
    }

    /// The ids for which `test` holds, each dictionary value tested once.
    pub(crate) fn of_dictionary(
        dictionary: &dyn Dictionary,
        mut test: impl FnMut(Option<&str>) -> Result<bool>,
    ) -> Result<Self> {
        let mut set = IdSet::new(dictionary.len());
        let mut failure = None;
        dictionary.for_each(0..dictionary.len(), &mut |id, value| match test(value) {
            Ok(true) => set.insert(id),
            Ok(false) => {}
            Err(error) => failure = Some(error),
        })?;
        failure.map_or_else(|| Ok(set.finish()), Err)
    }

    /// The ids for which the comparison has the wanted truth.
    pub(crate) fn compile(
        comparison: &Comparison<'_>,
        wanted: Truth,
        dictionary: &dyn Dictionary,
    ) -> Result<Self> {
        let null = comparison.of_null() == wanted;
        let test = match values_range(comparison, dictionary)? {
            Some((start, end)) if wanted == Truth::True => Self::Range(start, end),
            Some((start, end)) => Self::OutsideRange(start, end),
            None if wanted == Truth::True => {
                matching_values(comparison, dictionary, candidates(comparison, dictionary)?)?
            }
            None => {
                let all = 1..dictionary.len();
                matching_values(comparison, dictionary, candidates(comparison, dictionary)?)?
                    .outside(all)
            }
        };
        Ok(test.normalised(null, dictionary.len()))
    }

    /// True when the dictionary's values must be seen to tell which of them match.
    pub(crate) fn must_see_values(
        comparison: &Comparison<'_>,
        dictionary: &dyn Dictionary,
    ) -> Result<bool> {
        let listed = matches!(comparison, Comparison::OneOf(_));
        Ok(!listed && values_range(comparison, dictionary)?.is_none())
    }

    /// The ids of a range that are not in this set.
    fn outside(&self, ids: std::ops::Range<u32>) -> Self {
        let mut set = IdSet::new(ids.end);
        ids.filter(|&id| !self.contains(id)).for_each(|id| set.insert(id));
        set.finish()
    }

    /// The same set with (or without) null, in its simplest form.
    fn normalised(self, null: bool, id_count: u32) -> Self {
        match self {
            Self::Range(start, end) if start >= end => Self::Nothing.normalised(null, id_count),
            Self::OutsideRange(start, end) if start >= end => {
                Self::Range(1, id_count.max(1)).normalised(null, id_count)
            }
            Self::Nothing if null => Self::Range(NULL_ID, NULL_ID + 1),
            Self::Range(1, end) if null && end >= id_count => Self::Everything,
            Self::Range(1, end) if null => Self::Range(NULL_ID, end),
            other if null => {
                let mut set = IdSet::new(id_count);
                set.insert(NULL_ID);
                (1..id_count).filter(|&id| other.contains(id)).for_each(|id| set.insert(id));
                set.finish()
            }
            other => other,
        }
    }
}

#[inline]
pub(crate) fn set_contains(words: &[u64], id: u32) -> bool {
    words.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
}

/// A set that is being built.
struct IdSet {
    words: Vec<u64>,
    first: u32,
    last: u32,
    count: u32,
}

impl IdSet {
    fn new(id_count: u32) -> Self {
        let words = vec![0; (id_count as usize).div_ceil(64)];
        Self { words, first: u32::MAX, last: 0, count: 0 }
    }

    fn insert(&mut self, id: u32) {
        let word = &mut self.words[id as usize / 64];
        let bit = 1 << (id % 64);
        self.count += u32::from(*word & bit == 0);
        *word |= bit;
        self.first = self.first.min(id);
        self.last = self.last.max(id);
    }

    /// A range when the ids have no gap.
    fn finish(self) -> IdTest {
        if self.count == 0 {
            IdTest::Nothing
        } else if self.last - self.first + 1 == self.count {
            IdTest::Range(self.first, self.last + 1)
        } else {
            IdTest::Set(self.words)
        }
    }
}

/// The range of ids that match, when the texts that do lie beside each other in the dictionary.
fn values_range(
    comparison: &Comparison<'_>,
    dictionary: &dyn Dictionary,
) -> Result<Option<(u32, u32)>> {
    Ok(Some(match comparison.text_span() {
        None => return Ok(None),
        Some(TextSpan::Nothing) => (0, 0),
        Some(TextSpan::One(value)) => dictionary.lookup(&value)?.map_or((0, 0), |id| (id, id + 1)),
        Some(_) if !dictionary.is_sorted() => return Ok(None),
        Some(TextSpan::Prefix(prefix)) => prefix_range(prefix, dictionary)?,
        Some(TextSpan::Between { lower, upper }) => {
            let start = match lower {
                None => 1,
                Some((value, strict)) => end_of(&value, !strict, dictionary)?,
            };
            let end = match upper {
                None => dictionary.len(),
                Some((value, strict)) => end_of(&value, strict, dictionary)?,
            };
            (start, end.max(start))
        }
    }))
}

/// The first id at (`before`) or after a value.
fn end_of(value: &str, before: bool, dictionary: &dyn Dictionary) -> Result<u32> {
    let id = dictionary.lower_bound(value)?;
    let skip = !before && dictionary.lookup(value)? == Some(id);
    Ok(id + u32::from(skip))
}

fn prefix_range(prefix: &str, dictionary: &dyn Dictionary) -> Result<(u32, u32)> {
    let start = if prefix.is_empty() { 1 } else { dictionary.lower_bound(prefix)? };
    let end = match prefix_end(prefix) {
        Some(end) => dictionary.lower_bound(&end)?,
        None => dictionary.len(),
    };
    Ok((start, end.max(start)))
}

/// The smallest text greater than every text with the prefix.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(other as u32 + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// The ids that can match at all.
fn candidates(
    comparison: &Comparison<'_>,
    dictionary: &dyn Dictionary,
) -> Result<std::ops::Range<u32>> {
    match comparison {
        Comparison::Like(pattern) if dictionary.is_sorted() => {
            prefix_range(pattern.prefix(), dictionary).map(|(start, end)| start..end)
        }
        _ => Ok(1..dictionary.len()),
    }
}

/// The ids among the candidates whose values match.
fn matching_values(
    comparison: &Comparison<'_>,
    dictionary: &dyn Dictionary,
    candidates: std::ops::Range<u32>,
) -> Result<IdTest> {
    let mut set = IdSet::new(dictionary.len());
    match comparison {
        // Few values against a large dictionary: look each up. Else see the dictionary once.
        Comparison::OneOf(values) if values.len() * 8 < dictionary.len() as usize => {
            for value in values.iter().flatten() {
                if let Some(id) = dictionary.lookup(value)? {
                    set.insert(id);
                }
            }
        }
        Comparison::Like(pattern) if !pattern.contained().is_empty() => {
            holding_values(pattern, dictionary, candidates, &mut set)?;
        }
        _ => {
            comparison.with_text_test(|test| {
                dictionary.for_each(candidates, &mut |id, value| {
                    if value.is_some_and(test) {
                        set.insert(id);
                    }
                })
            })?;
        }
    }
    Ok(set.finish())
}

/// Adds the ids among the candidates whose values match a pattern that has a text in it.
fn holding_values(
    pattern: &LikePattern,
    dictionary: &dyn Dictionary,
    candidates: std::ops::Range<u32>,
    set: &mut IdSet,
) -> Result<()> {
    let search = TextSearch::new(pattern.contained());
    if pattern.is_contained_only() && search.is_exact() {
        return Ok(dictionary.for_each_holding(candidates, &search, &mut |id| set.insert(id))?);
    }
    let mut holding = Vec::new();
    dictionary.for_each_holding(candidates.clone(), &search, &mut |id| holding.push(id))?;
    // Values that lie together are read in less time each than those that lie apart.
    if holding.len() * 8 > candidates.len() {
        dictionary.for_each(candidates, &mut |id, text| {
            if text.is_some_and(|text| pattern.matches(text)) {
                set.insert(id);
            }
        })?;
        return Ok(());
    }
    dictionary.for_ids(&holding, &mut |id, text| {
        if pattern.matches(text) {
            set.insert(id);
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_end_steps_over_surrogates_and_the_last_char() {
        assert_eq!(prefix_end("ab").as_deref(), Some("ac"));
        assert_eq!(prefix_end("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(prefix_end("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(prefix_end("\u{10FFFF}"), None);
    }

    #[test]
    fn sets_take_their_simplest_form() {
        let build = |ids: &[u32]| {
            let mut set = IdSet::new(100);
            ids.iter().for_each(|&id| set.insert(id));
            set.finish()
        };
        assert_eq!(build(&[]), IdTest::Nothing);
        assert_eq!(build(&[3, 5, 4, 4]), IdTest::Range(3, 6));
        let gaps = build(&[3, 5]);
        assert_eq!(gaps.few(2), Some(vec![3, 5]));
        assert_eq!(gaps.clone().normalised(true, 100).few(3), None);
        assert!(gaps.normalised(true, 100).contains(NULL_ID));
        assert_eq!(IdTest::Range(1, 100).normalised(true, 100), IdTest::Everything);
        assert_eq!(IdTest::OutsideRange(0, 0).normalised(false, 5), IdTest::Range(1, 5));
        assert_eq!(IdTest::Range(1, 1).normalised(false, 1), IdTest::Nothing);
    }

    #[test]
    fn blocks_are_decided_by_their_id_range() {
        assert_eq!(IdTest::Range(5, 9).of_all_between(9, 20), Some(false));
        assert_eq!(IdTest::Range(5, 9).of_all_between(5, 8), Some(true));
        assert_eq!(IdTest::Range(5, 9).of_all_between(5, 9), None);
        assert_eq!(IdTest::OutsideRange(5, 9).of_all_between(0, 3), None);
        assert_eq!(IdTest::OutsideRange(5, 9).of_all_between(1, 3), Some(true));
    }
}
