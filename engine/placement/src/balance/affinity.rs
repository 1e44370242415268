//! How much two segments are alike in time.
//!
//! For two intervals the integral over both of `e^(-λ|x-y|)`, where λ halves it every 24 hours: large when
//! they overlap or are near, nothing when they are far apart. Divided by both lengths it is the mean
//! nearness of two of their instants, between 0 and 1, so that an hour of a busy datasource counts as much
//! as a month of a quiet one.

use henge_types::Interval;

/// After so long the nearness of two instants is a half.
pub const HALF_LIFE_MS: i64 = 24 * 3_600_000;

/// Milliseconds to units in which λ is 1.
const UNIT: f64 = std::f64::consts::LN_2 / HALF_LIFE_MS as f64;

/// The integral over both intervals, in units of 1/λ; nothing for one without length.
#[must_use]
pub fn integral(left: Interval, right: Interval) -> f64 {
    let (first, second) =
        if left.start_ms <= right.start_ms { (left, right) } else { (right, left) };
    let at = |ms: i64| (ms.saturating_sub(first.start_ms)) as f64 * UNIT;
    let (end, start, last) = (at(first.end_ms), at(second.start_ms), at(second.end_ms));
    if end <= 0.0 || last <= start {
        return 0.0;
    }
    if start >= end {
        return apart(0.0, end, start, last);
    }
    // What only the earlier one has, what both have, and what one of them has after that.
    let common_end = end.min(last);
    let rest_end = end.max(last);
    apart(0.0, start, start, last)
        + apart(start, common_end, common_end, rest_end)
        + same(common_end - start)
}

/// The mean nearness of an instant of one and an instant of the other, between 0 and 1.
#[must_use]
pub fn nearness(left: Interval, right: Interval) -> f64 {
    let length = |interval: Interval| interval.duration_ms() as f64 * UNIT;
    let area = length(left) * length(right);
    if area > 0.0 { integral(left, right) / area } else { 0.0 }
}

/// Of two buckets of a grid that are `distance` buckets apart, the same as [`nearness`].
#[must_use]
pub(super) fn nearness_of_buckets(width_ms: i64, distance: u32) -> f64 {
    let width = width_ms as f64 * UNIT;
    match distance {
        0 => same(width) / (width * width),
        _ => {
            let start = width * f64::from(distance);
            apart(0.0, width, start, start + width) / (width * width)
        }
    }
}

/// Of `[from, end)` and `[start, last)`, which begins not before the end of the other.
fn apart(from: f64, end: f64, start: f64, last: f64) -> f64 {
    // e^-(start-end) × (1 - e^-length) × (1 - e^-length): exact also for short intervals.
    (end - start).exp() * -(from - end).exp_m1() * -(start - last).exp_m1()
}

/// Of an interval with itself.
fn same(length: f64) -> f64 {
    if length < 1e-4 {
        // The terms of second order and on, where the closed form is a difference of equals.
        return length * length * (1.0 - length / 3.0);
    }
    2.0 * (length + (-length).exp_m1())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn hours(start: i64, end: i64) -> Interval {
        Interval { start_ms: start * HOUR_MS, end_ms: end * HOUR_MS }
    }

    /// The integral in the plainest way.
    fn by_sums(left: Interval, right: Interval) -> f64 {
        const STEPS: i64 = 400;
        let points = |interval: Interval| {
            (0..STEPS).map(move |at| {
                let part = (at as f64 + 0.5) / STEPS as f64;
                (interval.start_ms as f64 + part * interval.duration_ms() as f64) * UNIT
            })
        };
        let area = left.duration_ms() as f64 * right.duration_ms() as f64 * UNIT * UNIT;
        let sum: f64 =
            points(left).flat_map(|x| points(right).map(move |y| (-(x - y).abs()).exp())).sum();
        sum / (STEPS * STEPS) as f64 * area
    }

    #[test]
    fn the_closed_forms_are_the_integral() {
        let cases = [
            (hours(0, 1), hours(0, 1)),
            (hours(0, 24), hours(0, 24)),
            (hours(0, 24), hours(24, 48)),
            (hours(0, 24), hours(100, 101)),
            (hours(0, 24), hours(12, 36)),
            (hours(0, 720), hours(48, 72)),
            (hours(0, 24), hours(0, 1)),
            (hours(23, 24), hours(0, 24)),
        ];
        for (left, right) in cases {
            let (exact, summed) = (integral(left, right), by_sums(left, right));
            assert!((exact - summed).abs() <= 1e-3 * summed, "{left} {right}: {exact} {summed}");
            assert_eq!(integral(right, left), exact);
        }
    }

    #[test]
    fn halves_every_day_and_is_nothing_without_length() {
        let (near, far) =
            (integral(hours(0, 1), hours(2, 3)), integral(hours(0, 1), hours(26, 27)));
        assert!((near / far - 2.0).abs() < 1e-9, "{near} {far}");
        assert_eq!(integral(hours(5, 5), hours(0, 24)), 0.0);
        assert_eq!(nearness(hours(5, 5), hours(5, 5)), 0.0);
        // Also where a subtraction would leave nothing, and at the ends of time.
        let short = Interval { start_ms: 0, end_ms: 1 };
        assert!((nearness(short, short) - 1.0).abs() < 1e-6);
        assert!(nearness(Interval::ETERNITY, Interval::ETERNITY) < 1e-6);
        assert!(nearness(Interval::ETERNITY, hours(0, 1)).is_finite());
    }

    #[test]
    fn buckets_are_intervals_of_a_grid() {
        for distance in 0..6 {
            let other = hours(12 * i64::from(distance), 12 * i64::from(distance) + 12);
            let exact = nearness(hours(0, 12), other);
            let of_buckets = nearness_of_buckets(12 * HOUR_MS, distance);
            assert!((exact - of_buckets).abs() < 1e-12, "{distance}: {exact} {of_buckets}");
        }
    }
}
