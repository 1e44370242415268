//! What is wanted by age: fine where it is young, coarse where it is old.

use henge_types::{Granularity, Interval, MIN_TIME_MS, Period};

use crate::wanted::Wanted;

/// What is wanted of a datasource, by the age of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// The oldest first; the last one has no least age.
    ages: Vec<Age>,
}

/// What is wanted of rows from some age on.
#[derive(Debug, Clone, PartialEq)]
pub struct Age {
    /// Only of chunks that ended so long ago; `None`: of all.
    pub older_than: Option<Period>,
    /// What they are to be like.
    pub wanted: Wanted,
}

impl Goal {
    /// The same whatever the age.
    #[must_use]
    pub fn always(wanted: Wanted) -> Self {
        Self { ages: vec![Age { older_than: None, wanted }] }
    }

    /// The oldest first.
    #[must_use]
    pub(crate) fn by_age(ages: Vec<Age>) -> Self {
        Self { ages }
    }

    /// All ages, the oldest first.
    #[must_use]
    pub fn ages(&self) -> &[Age] {
        &self.ages
    }

    /// What is wanted of rows of some time, and the time that has to be replaced for that: whole chunks, and
    /// whole buckets of what times are truncated to. What reaches into a younger age is as young as that.
    #[must_use]
    pub(crate) fn of(&self, data: Interval, now_ms: i64) -> (&Wanted, Interval) {
        let mut youngest = None;
        for Age { older_than, wanted } in &self.ages {
            let whole = whole_chunks(wanted, data);
            let until_ms = older_than.map_or(i64::MAX, |age| before(now_ms, age));
            youngest = Some((wanted, whole));
            if whole.end_ms <= until_ms {
                break;
            }
        }
        // There always is one: a goal without ages wants what is there.
        youngest.unwrap_or((&AS_IT_IS, data))
    }
}

static AS_IT_IS: Wanted = Wanted {
    target_rows: crate::wanted::TARGET_ROWS,
    segment_granularity: None,
    query_granularity: None,
    rollup: None,
    order: None,
};

/// The instant so long ago.
pub(crate) fn before(now_ms: i64, period: Period) -> i64 {
    period.checked_add_utc(now_ms, -1).unwrap_or(MIN_TIME_MS)
}

/// The whole buckets that an interval touches.
fn whole_chunks(wanted: &Wanted, data: Interval) -> Interval {
    let chunk = wanted.segment_granularity.as_ref();
    // Truncating to all of time is to forget it, and does not make one chunk of all.
    let moment =
        wanted.query_granularity.as_ref().filter(|granularity| **granularity != Granularity::All);
    let mut whole = data;
    for granularity in moment.into_iter().chain(chunk) {
        let last = granularity.bucket(whole.end_ms.saturating_sub(1));
        whole = Interval {
            start_ms: granularity.bucket_start(whole.start_ms).min(whole.start_ms),
            end_ms: last.end_ms.max(whole.end_ms),
        };
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const HOUR_MS: i64 = 3_600_000;

    fn named(name: &str) -> Option<Granularity> {
        Granularity::parse_name(name).ok()
    }

    fn wanted(query: &str, segment: &str) -> Wanted {
        Wanted {
            query_granularity: named(query),
            segment_granularity: named(segment),
            ..Wanted::default()
        }
    }

    #[test]
    fn a_chunk_is_as_young_as_its_end() {
        let days = |days: &str| Some(Period::parse(days).unwrap());
        let goal = Goal::by_age(vec![
            Age { older_than: days("P40D"), wanted: wanted("day", "month") },
            Age { older_than: days("P7D"), wanted: wanted("hour", "day") },
            Age { older_than: None, wanted: wanted("minute", "day") },
        ]);
        // 1970-03-15.
        let now_ms = 73 * DAY_MS;
        let of = |start: i64| {
            let data = Interval { start_ms: start, end_ms: start + HOUR_MS };
            let (wanted, whole) = goal.of(data, now_ms);
            (wanted.query_granularity.clone(), whole.start_ms / DAY_MS, whole.end_ms / DAY_MS)
        };
        assert_eq!(of(72 * DAY_MS), (named("minute"), 72, 73));
        assert_eq!(of(66 * DAY_MS), (named("minute"), 66, 67));
        assert_eq!(of(65 * DAY_MS), (named("hour"), 65, 66));
        // January ended 42 days ago, February did not end 40 days ago although its first days are older.
        assert_eq!(of(31 * DAY_MS), (named("hour"), 31, 32));
        assert_eq!(of(30 * DAY_MS), (named("day"), 0, 31));
    }

    #[test]
    fn chunks_hold_whole_buckets_of_what_times_are_truncated_to() {
        let goal = Goal::always(Wanted { query_granularity: named("day"), ..Wanted::default() });
        let hour = Interval { start_ms: 5 * HOUR_MS, end_ms: 6 * HOUR_MS };
        assert_eq!(goal.of(hour, 0).1, Interval { start_ms: 0, end_ms: DAY_MS });
        let goal = Goal::always(Wanted { query_granularity: named("all"), ..Wanted::default() });
        assert_eq!(goal.of(hour, 0).1, hour);
    }
}
