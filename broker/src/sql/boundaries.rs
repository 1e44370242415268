//! Where a large scan is cut: parts of time with about as many rows each. The first one begins with time and the last
//! one ends with it, so that every row is in exactly one part, also one that comes after they were planned.

use henge_types::Interval;

/// Rows that a part has at least: fewer are read sooner than another connection is opened.
pub(super) const LEAST_PART_ROWS: u64 = 250_000;

/// Sums that differ by less are the same.
const PART_OF_A_ROW: f64 = 0.5;

/// Rows that lie somewhere in a span of time; it is taken that they do so evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) within: Interval,
    pub(super) rows: f64,
}

/// At most so many parts, ascending; none when there are too few rows for two. They are cut where the rows want it,
/// within a segment as well as between two: segments of one time lie over each other, and a large one alone is worth
/// being divided. Rows that crowd together make parts uneven, never wrong.
pub(super) fn parts(spans: &[Span], most: usize) -> Vec<Interval> {
    let all: f64 = spans.iter().map(|span| span.rows).sum();
    let count = ((all / LEAST_PART_ROWS as f64) as usize).min(most);
    let cuts = if count < 2 { Vec::new() } else { cuts(spans, all, count) };
    if cuts.is_empty() {
        return Vec::new();
    }
    let Interval { start_ms, end_ms } = Interval::ETERNITY;
    let starts = std::iter::once(start_ms).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([end_ms]);
    starts.zip(ends).map(|(start_ms, end_ms)| Interval { start_ms, end_ms }).collect()
}

/// The times before which each further share of the rows lies, ascending.
fn cuts(spans: &[Span], all: f64, count: usize) -> Vec<i64> {
    // When rows begin or end to lie, and how many a millisecond.
    let spans = spans.iter().filter(|span| !span.within.is_empty());
    let mut changes: Vec<(i64, f64)> = spans
        .flat_map(|Span { within, rows }| {
            let per_ms = rows / within.duration_ms() as f64;
            [(within.start_ms, per_ms), (within.end_ms, -per_ms)]
        })
        .collect();
    changes.sort_unstable_by_key(|(at_ms, _)| *at_ms);
    let (Some(&(first_ms, _)), Some(&(last_ms, _))) = (changes.first(), changes.last()) else {
        return Vec::new();
    };
    let share = all / count as f64;
    let (mut from_ms, mut before, mut per_ms) = (first_ms, 0.0, 0.0);
    let mut cuts = Vec::with_capacity(count);
    for (to_ms, change) in changes {
        let here = per_ms * to_ms.saturating_sub(from_ms) as f64;
        let mut wanted = share * (cuts.len() + 1) as f64 - before;
        while cuts.len() + 1 < count && here > 0.0 && wanted <= here + PART_OF_A_ROW {
            let after_ms = (wanted / per_ms).round() as i64;
            cuts.push(from_ms.saturating_add(after_ms).clamp(from_ms, to_ms));
            wanted += share;
        }
        (from_ms, before, per_ms) = (to_ms, before + here, f64::max(per_ms + change, 0.0));
    }
    // A cut beside all rows, or one at the place of another, parts nothing.
    cuts.retain(|cut_ms| (first_ms + 1..last_ms).contains(cut_ms));
    cuts.dedup();
    cuts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn span(start_ms: i64, end_ms: i64, shares: f64) -> Span {
        let within = Interval { start_ms, end_ms };
        Span { within, rows: shares * LEAST_PART_ROWS as f64 }
    }

    /// The rows of spans that lie in a part.
    fn rows_in(spans: &[Span], part: Interval) -> f64 {
        let of = |span: &Span| {
            let common_ms = span.within.intersect(&part).map_or(0, |common| common.duration_ms());
            span.rows * common_ms as f64 / span.within.duration_ms() as f64
        };
        spans.iter().map(of).sum()
    }

    fn cut_at(spans: &[Span], most: usize) -> Vec<i64> {
        parts(spans, most).iter().skip(1).map(|part| part.start_ms).collect()
    }

    #[test]
    fn small_scans_stay_whole() {
        assert!(parts(&[], 16).is_empty());
        assert!(parts(&[span(0, HOUR_MS, 1.9)], 16).is_empty());
        assert!(parts(&[span(0, HOUR_MS, 100.0)], 1).is_empty());
        // Rows of one millisecond cannot be told apart.
        assert!(parts(&[span(5, 6, 100.0)], 16).is_empty());
        assert!(parts(&[span(5, 5, 100.0)], 16).is_empty());
    }

    #[test]
    fn cuts_follow_the_rows() {
        let hours = |shares: &[f64]| -> Vec<Span> {
            let spans = (0..).zip(shares);
            spans
                .map(|(hour, shares)| span(hour * HOUR_MS, (hour + 1) * HOUR_MS, *shares))
                .collect()
        };
        for (shares, most, cuts) in [
            (&[1.0, 1.0, 1.0, 1.0][..], 16, &[1.0, 2.0, 3.0][..]),
            (&[8.0, 8.0, 8.0, 8.0], 4, &[1.0, 2.0, 3.0]),
            // As many as there are rows for.
            (&[2.0, 1.0], 16, &[0.5, 1.0]),
            // Within a segment.
            (&[4.0], 2, &[0.5]),
            (&[6.0, 2.0], 2, &[4.0 / 6.0]),
            (&[2.0, 0.0, 0.0, 2.0], 2, &[1.0]),
        ] {
            let cuts: Vec<i64> =
                cuts.iter().map(|cut| (cut * HOUR_MS as f64).round() as i64).collect();
            assert_eq!(cut_at(&hours(shares), most), cuts, "{shares:?}");
        }
        // Partitions of one time lie over each other.
        let over = [span(0, 100, 2.0), span(0, 100, 2.0), span(50, 150, 4.0)];
        assert_eq!(cut_at(&over, 2), [75]);
    }

    proptest! {
        #[test]
        fn parts_cover_all_times_once_and_are_balanced(
            given in prop::collection::vec((0..1_000_i64, 1..400_i64, 1..40_u32), 1..20),
            most in 2..17_usize,
        ) {
            let spans: Vec<Span> = given
                .iter()
                .map(|(start, length, tenths)| {
                    let (start_ms, length_ms) = (start * HOUR_MS, length * HOUR_MS);
                    span(start_ms, start_ms + length_ms, f64::from(*tenths) / 10.0)
                })
                .collect();
            let all: f64 = spans.iter().map(|span| span.rows).sum();
            let parts = parts(&spans, most);
            let wanted = ((all / LEAST_PART_ROWS as f64) as usize).min(most);
            prop_assert_eq!(parts.len(), if wanted < 2 { 0 } else { wanted });
            if let (Some(first), Some(last)) = (parts.first(), parts.last()) {
                prop_assert_eq!(first.span(last), Interval::ETERNITY);
                let abut = parts.windows(2).all(|pair| pair[0].end_ms == pair[1].start_ms);
                prop_assert!(abut && parts.iter().all(|part| !part.is_empty()));
                // No more rows beside the share than lie in a millisecond.
                let share = all / parts.len() as f64;
                for part in &parts {
                    prop_assert!((rows_in(&spans, *part) - share).abs() < 20.0);
                }
            }
        }
    }
}
