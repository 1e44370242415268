//! What waits, what is compact and what is left alone, and that work comes to an end.

use std::sync::Arc;

use henge_types::{ShardSpec, Version};

use super::*;
use crate::age::Age;
use crate::order::Order;
use crate::plan::{choose, totals};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn named(name: &str) -> Granularity {
    Granularity::parse_name(name).unwrap()
}

fn form(query: &str, rollup: bool) -> SegmentForm {
    SegmentForm {
        rollup,
        query_granularity: named(query),
        order: ["__time", "page", "tenant"].map(str::to_owned).to_vec(),
        fingerprint: None,
    }
}

/// A segment of some hours, one partition of `core`.
fn segment(
    hours: (i64, i64),
    version: u64,
    (partition, core): (u32, u32),
    rows: u64,
) -> SegmentFacts {
    let interval = Interval { start_ms: hours.0 * HOUR_MS, end_ms: hours.1 * HOUR_MS };
    SegmentFacts {
        id: SegmentId { datasource: "d".into(), interval, version: Version(version), partition },
        shard_spec: ShardSpec::Numbered { partition, core_partitions: core },
        rows,
        size_bytes: rows * 10,
        form: Some(Arc::new(form("none", false))),
    }
}

fn with(segment: SegmentFacts, change: impl FnOnce(&mut SegmentForm)) -> SegmentFacts {
    let mut form = form("none", false);
    change(&mut form);
    SegmentFacts { form: Some(Arc::new(form)), ..segment }
}

fn marked(segment: SegmentFacts, wanted: &Wanted) -> SegmentFacts {
    with(segment, |form| form.fingerprint = Some(wanted.fingerprint()))
}

fn in_days() -> Wanted {
    Wanted { target_rows: 100, segment_granularity: Some(named("day")), ..Wanted::default() }
}

fn verdicts(wanted: &Wanted, used: &[SegmentFacts]) -> Vec<(i64, Verdict)> {
    let judged = judge(&Goal::always(wanted.clone()), used, &Limits::default(), 0);
    judged.into_iter().map(|j| (j.unit.interval.start_ms / DAY_MS, j.verdict)).collect()
}

#[test]
fn small_segments_of_one_chunk_wait_and_the_newest_chunk_is_first() {
    let used: Vec<_> = (0..48).map(|hour| segment((hour, hour + 1), 1, (0, 0), 2)).collect();
    let found = verdicts(&in_days(), &used);
    let why = vec![
        Reason::Segments { segments: 24, rows: 48, target_rows: 100 },
        Reason::Chunks { chunks: 24 },
    ];
    assert_eq!(found, [(1, Verdict::Awaiting(why.clone())), (0, Verdict::Awaiting(why))]);
    let judged = judge(&Goal::always(in_days()), &used, &Limits::default(), 0);
    let chosen = choose(&judged, 1);
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0].interval, Interval { start_ms: DAY_MS, end_ms: 2 * DAY_MS });
    let totals = totals(&judged);
    assert_eq!(
        (totals.segment_count_awaiting_compaction, totals.bytes_awaiting_compaction),
        (48, 960)
    );
}

#[test]
fn what_a_compaction_wrote_is_left_alone_until_rows_come() {
    let wanted = in_days();
    let mut used = vec![
        marked(segment((0, 24), 5, (0, 2), 100), &wanted),
        marked(segment((0, 24), 5, (1, 2), 1), &wanted),
    ];
    assert_eq!(verdicts(&wanted, &used), [(0, Verdict::Compact)]);
    // A goal that changes makes it wait again, although it looks as it should.
    let other = Wanted { rollup: Some(true), ..wanted.clone() };
    assert!(
        matches!(&verdicts(&other, &used)[0].1, Verdict::Awaiting(why) if why.contains(&Reason::NotRolledUp))
    );
    used.push(segment((0, 24), 5, (2, 2), 1));
    let Verdict::Awaiting(why) = &verdicts(&wanted, &used)[0].1 else { panic!("late rows") };
    assert_eq!(why[0], Reason::Late { segments: 1, since: Version(5) });
    // Segments of old versions, which the new one hides, do not count.
    used.pop();
    used.extend((0..24).map(|hour| segment((hour, hour + 1), 1, (0, 0), 2)));
    assert_eq!(verdicts(&wanted, &used), [(0, Verdict::Compact)]);
}

/// Late rows come to all days again and again, to the newest ones most: each day gets its turn all the same.
#[test]
fn what_never_was_compacted_comes_first_and_then_what_was_longest_ago() {
    let wanted = in_days();
    let late = |day: i64, version: u64| {
        [
            marked(segment((day * 24, day * 24 + 24), version, (0, 1), 50), &wanted),
            segment((day * 24, day * 24 + 24), version, (1, 1), 1),
        ]
    };
    let mut used: Vec<SegmentFacts> = [late(5, 30), late(4, 10), late(3, 20)].concat();
    for hour in 0..48 {
        used.push(segment((hour, hour + 1), 1, (0, 0), 2));
    }
    let judged = judge(&Goal::always(wanted), &used, &Limits::default(), 0);
    let days = |most| -> Vec<i64> {
        let chosen = choose(&judged, most);
        chosen.iter().map(|unit| unit.interval.start_ms / DAY_MS).collect()
    };
    assert_eq!(days(9), [1, 0, 4, 3, 5]);
    assert_eq!(days(3), [1, 0, 4]);
    assert_eq!(judged[0].verdict.late(), Some((1, Version(30))));
}

#[test]
fn one_segment_that_is_as_wanted_is_never_written_again() {
    let wanted = Wanted {
        segment_granularity: Some(named("hour")),
        query_granularity: Some(named("minute")),
        rollup: Some(true),
        ..Wanted::default()
    };
    let is_as_wanted = |change: &dyn Fn(&mut SegmentForm)| {
        let used = [with(segment((0, 1), 1, (0, 0), 5), |form| {
            (form.rollup, form.query_granularity) = (true, named("minute"));
            change(form);
        })];
        verdicts(&wanted, &used)[0].1.clone()
    };
    assert_eq!(is_as_wanted(&|_| ()), Verdict::Compact);
    // Coarser is as good: what was forgotten does not come back.
    assert_eq!(is_as_wanted(&|form| form.query_granularity = named("hour")), Verdict::Compact);
    let finer = is_as_wanted(&|form| form.query_granularity = named("second"));
    assert_eq!(finer, Verdict::Awaiting(vec![Reason::FinerTimes]));
    let raw = is_as_wanted(&|form| form.rollup = false);
    assert_eq!(raw, Verdict::Awaiting(vec![Reason::NotRolledUp]));
    // Two that are rolled up by themselves may have equal rows.
    let twin = |partition| {
        with(segment((0, 1), 1, (partition, 0), 5), |form| {
            (form.rollup, form.query_granularity) = (true, named("minute"));
        })
    };
    assert!(matches!(verdicts(&wanted, &[twin(0), twin(1)])[0].1, Verdict::Awaiting(_)));
}

#[test]
fn segments_that_are_full_are_left_alone() {
    let wanted = in_days();
    let full = |partition| segment((0, 24), 1, (partition, 3), 90);
    assert_eq!(verdicts(&wanted, &[full(0), full(1), full(2)]), [(0, Verdict::Compact)]);
    let empty = segment((0, 24), 1, (0, 1), 0);
    assert_eq!(verdicts(&wanted, &[empty]), [(0, Verdict::Compact)]);
}

#[test]
fn a_tenant_before_the_time_is_another_order() {
    let order = Order { dimensions: vec!["tenant".into()], time_position: 1, others: true };
    let wanted = Wanted { order: Some(order), ..Wanted::default() };
    let one = segment((0, 1), 1, (0, 0), 5);
    assert_eq!(
        verdicts(&wanted, std::slice::from_ref(&one))[0].1,
        Verdict::Awaiting(vec![Reason::OtherOrder])
    );
    let sorted =
        with(one, |form| form.order = ["tenant", "__time", "page"].map(str::to_owned).to_vec());
    assert_eq!(verdicts(&wanted, &[sorted])[0].1, Verdict::Compact);
}

#[test]
fn chunks_that_overlap_are_one_part_and_what_is_seen_of_them_is_known() {
    let used = [segment((0, 48), 1, (0, 0), 50), segment((5, 6), 2, (0, 1), 1)];
    let judged = judge(&Goal::always(in_days()), &used, &Limits::default(), 0);
    assert_eq!(judged.len(), 1);
    let unit = &judged[0].unit;
    assert_eq!(unit.interval, Interval { start_ms: 0, end_ms: 2 * DAY_MS });
    let seen: Vec<_> = unit
        .visible
        .iter()
        .map(|v| {
            (v.segment.id.version.0, v.interval.start_ms / HOUR_MS, v.interval.end_ms / HOUR_MS)
        })
        .collect();
    assert_eq!(seen, [(1, 0, 5), (2, 5, 6), (1, 6, 48)]);
    assert_eq!((unit.segments().count(), unit.rows()), (2, 51));
}

#[test]
fn what_is_young_large_or_lacks_a_part_is_skipped_and_says_why() {
    let used = [segment((0, 1), 1, (0, 0), 5), segment((1, 2), 1, (0, 0), 5)];
    let skipped = |limits: Limits, used: &[SegmentFacts]| {
        let judged = judge(&Goal::always(in_days()), used, &limits, 0);
        assert!(choose(&judged, 9).is_empty());
        assert_eq!(judged[0].verdict.state(), "skipped");
        judged[0].verdict.why()[0].clone()
    };
    let young = Limits { young_from_ms: 23 * HOUR_MS, ..Limits::default() };
    assert!(skipped(young, &used).contains("skipOffsetFromLatest"));
    let small = Limits { max_bytes: 99, ..Limits::default() };
    assert!(skipped(small, &used).contains("100 bytes"));
    // A newer version lacks its second core partition: nobody sees it, and nobody decides that it is lost.
    let used = [used[0].clone(), used[1].clone(), segment((0, 24), 9, (0, 2), 7)];
    assert!(skipped(Limits::default(), &used).contains("lacks others"));
}

#[test]
fn policies_by_age_make_old_chunks_coarse_and_then_there_is_nothing_to_do() {
    let rolled = |query: &str| Wanted {
        segment_granularity: Some(named("day")),
        query_granularity: Some(named(query)),
        rollup: Some(true),
        ..Wanted::default()
    };
    let goal = Goal::by_age(vec![
        Age { older_than: Some("P2D".parse().unwrap()), wanted: rolled("hour") },
        Age { older_than: None, wanted: rolled("minute") },
    ]);
    let used: Vec<_> = (0..4)
        .map(|day| {
            let minute = |form: &mut SegmentForm| {
                (form.rollup, form.query_granularity) = (true, named("minute"));
                form.fingerprint = Some(rolled("minute").fingerprint());
            };
            with(segment((day * 24, day * 24 + 24), 1, (0, 1), 9), minute)
        })
        .collect();
    let now_ms = 4 * DAY_MS;
    let waiting: Vec<_> = judge(&goal, &used, &Limits::default(), now_ms)
        .into_iter()
        .map(|j| (j.unit.interval.start_ms / DAY_MS, j.verdict))
        .collect();
    let coarser = || Verdict::Awaiting(vec![Reason::FinerTimes]);
    let expected = [(3, Verdict::Compact), (2, Verdict::Compact), (1, coarser()), (0, coarser())];
    assert_eq!(waiting, expected);
}
