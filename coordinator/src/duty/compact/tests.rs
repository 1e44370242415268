//! Whose turn it is: late rows that keep coming to one part, or to one datasource, hold up no other.

use henge_compaction::with_fingerprint;
use henge_types::ShardSpec;

use super::*;

const DAY_MS: i64 = 24 * 3_600_000;
const SCHEMA: &str = r#"{"columns":[
    {"name":"__time","column_type":"LONG","role":"time","multi_value":false,"has_nulls":false}],
    "metrics":[],"rollup":false,"query_granularity":"none"}"#;

fn config(datasource: &str) -> CompactionConfig {
    let json = format!(
        r#"{{"dataSource": "{datasource}", "skipOffsetFromLatest": "PT0S", "minLateSegments": 3,
            "minTimeBetweenCompactions": "PT1H", "granularitySpec": {{"segmentGranularity": "day"}}}}"#
    );
    CompactionConfig::parse(json.as_bytes()).unwrap()
}

fn day(day: i64) -> Interval {
    Interval { start_ms: day * DAY_MS, end_ms: (day + 1) * DAY_MS }
}

type Used = BTreeMap<SegmentId, Arc<PublishedSegment>>;

/// Adds a segment of a day; one that a compaction wrote for what is wanted, or one that came by itself.
fn add(used: &mut Used, datasource: &str, of: i64, partition: u32, is_written: bool) {
    let fingerprint = config(datasource).goal().unwrap().ages()[0].wanted.fingerprint();
    let schema_json = match is_written {
        true => with_fingerprint(SCHEMA, &fingerprint),
        false => SCHEMA.to_owned(),
    };
    let id = SegmentId::new(datasource, day(of), Version(1), partition);
    let shard_spec = ShardSpec::Numbered { partition, core_partitions: 1 };
    let segment = PublishedSegment {
        id: id.clone(),
        shard_spec,
        schema_json,
        row_count: 9,
        ..(*crate::plan::tests::segment(0, 1, 0, 0)).clone()
    };
    used.insert(id, Arc::new(segment));
}

fn judged(datasource: &str, used: &Used, done: &[Ended], now_ms: i64) -> JudgedDatasource {
    let seen = Seen { used, at_work: &[], failed: &[], done, now_ms };
    judge_datasource(config(datasource), &seen, &mut Forms::default()).unwrap()
}

#[test]
fn what_was_done_a_moment_ago_rests_until_much_came() {
    let mut used = Used::new();
    add(&mut used, "a", 0, 0, true);
    add(&mut used, "a", 0, 1, false);
    let now_ms = 9 * DAY_MS;
    let ended = |ended_ms| Ended { interval: day(0), ended_ms, error: String::new() };
    let verdict = |used: &Used, done: &[Ended]| {
        let mut judged = judged("a", used, done, now_ms);
        judged.parts.remove(0).verdict
    };
    assert!(matches!(verdict(&used, &[]), Verdict::Awaiting(_)), "nobody knows when it was");
    let lately = [ended(now_ms - 60_000)];
    let Verdict::Skipped(skip) = verdict(&used, &lately) else { panic!("it rests") };
    let until_ms = now_ms - 60_000 + 3_600_000;
    assert_eq!(skip, Skip::Rests { segments: 1, enough: 3, until_ms });
    assert!(matches!(verdict(&used, &[ended(now_ms - 3_600_000)]), Verdict::Awaiting(_)));
    let elsewhere = [Ended { interval: day(1), ..ended(now_ms) }];
    assert!(matches!(verdict(&used, &elsewhere), Verdict::Awaiting(_)));
    add(&mut used, "a", 0, 2, false);
    add(&mut used, "a", 0, 3, false);
    assert!(matches!(verdict(&used, &lately), Verdict::Awaiting(_)), "three are enough");
}

#[test]
fn datasources_take_turns_where_there_is_room_for_one_task() {
    let mut used = Used::new();
    for datasource in ["a", "b", "c"] {
        for of in [0, 1] {
            add(&mut used, datasource, of, 0, false);
            add(&mut used, datasource, of, 1, false);
        }
    }
    let now_ms = 9 * DAY_MS;
    let all: Vec<_> = ["a", "b", "c"].iter().map(|name| judged(name, &used, &[], now_ms)).collect();
    let mut turns = Turns::default();
    let mut served = Vec::new();
    for _ in 0..4 {
        let tasks = plan(&all, 1, &turns);
        assert_eq!((tasks.len(), tasks[0].interval), (1, day(1)), "the newest part first");
        turns.took(&tasks[0].data_source);
        served.push(tasks[0].data_source.clone());
    }
    // "a" always has something to do.
    assert_eq!(served, ["a", "b", "c", "a"]);
    let next: Vec<_> = plan(&all, 2, &turns).into_iter().map(|task| task.data_source).collect();
    assert_eq!(next, ["b", "c"]);
    assert!(all.iter().all(JudgedDatasource::waits));
}
