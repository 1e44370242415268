//! Spilled answers equal those from memory, and failing disks are errors.

use henge_exec::{BucketStarts, ExecContext, Extent, Partial, finalise, merge};
use henge_platform::spill::MemorySpillStorage;
use henge_query::Query;
use henge_vector::{Column, Text};

use super::*;

const PARTS: u64 = 7;
const GROUPS: u64 = 400;

fn query(more: &str) -> Arc<Query> {
    let text = format!(
        r#"{{"queryType":"groupBy","dataSource":"t","granularity":"day","intervals":"1970/1971",
        "dimensions":["s",{{"type":"default","dimension":"n","outputType":"LONG"}}],
        "aggregations":[{{"type":"longSum","name":"sum","fieldName":"x"}}]{more}}}"#
    );
    Arc::new(Query::parse(text.as_bytes()).unwrap())
}

/// Contribution `part`: some groups of its own, some that others have as well.
fn part(part: u64) -> Partial {
    let numbers: Vec<u64> = (0..GROUPS).map(|i| (i * 31 + part * 97) % 1_000).collect();
    // Every tenth string is null.
    let text = |n: &u64| (!n.is_multiple_of(10)).then(|| format!("value {}", n % 300));
    let texts: Vec<Option<String>> = numbers.iter().map(text).collect();
    let longs = numbers.iter().map(|n| (!n.is_multiple_of(7)).then_some((n % 50) as i64));
    Partial::Grouped(GroupedPartial {
        bucket_starts: BucketStarts::At(
            numbers.iter().map(|n| (n % 3) as i64 * 86_400_000).collect(),
        ),
        keys: vec![
            Column::Text(Text::of(texts.iter().map(Option::as_deref))),
            Column::Long(longs.collect()),
        ],
        states: vec![Column::longs(numbers.iter().map(|n| (n * 3 + part) as i64).collect(), None)],
        data_range_ms: vec![None],
    })
}

fn answer(query: &Query, partial: Partial) -> String {
    let answer = finalise(query, partial, &ExecContext::default()).unwrap();
    String::from_utf8(henge_answer::to_json(query, &answer).unwrap()).unwrap()
}

fn spill(storage: &Arc<MemorySpillStorage>, disk_bytes: u64) -> GroupSpill {
    GroupSpill::new(Arc::clone(storage) as _, disk_bytes)
}

fn put(spill: &GroupSpill, parts: std::ops::Range<u64>) -> Result<(), ExecError> {
    parts.into_iter().try_for_each(|number| match part(number) {
        Partial::Grouped(groups) => spill.put(groups),
        _ => Ok(()),
    })
}

/// What a node has whose first `kept` of `parts` stayed in memory.
fn spilled(
    storage: &Arc<MemorySpillStorage>,
    query: &Arc<Query>,
    parts: std::ops::Range<u64>,
    kept: u64,
    extent: Extent,
    context: &ExecContext,
) -> Result<SpilledGroups, ExecError> {
    let spill = spill(storage, u64::MAX);
    let cut = parts.start + kept;
    put(&spill, cut..parts.end)?;
    let kept = (parts.start..cut).map(part).collect();
    let kept = merge(query, kept, context)?;
    let (written, lease) = (spill.take().unwrap(), context.memory.lease());
    SpilledGroups::new(Arc::clone(query), written, kept, lease, extent, context.clone())
}

/// Merges what nodes have on disk with `whole`.
fn merged(
    query: &Arc<Query>,
    mut nodes: Vec<SpilledGroups>,
    whole: Vec<Partial>,
    context: &ExecContext,
) -> Result<Partial, ExecError> {
    let mut merger = PartitionMerger::new(Arc::clone(query), whole, Vec::new(), context.clone());
    while !merger.is_done() {
        let parts: Result<Vec<_>, _> =
            nodes.iter_mut().map(|node| node.next_partition().map(|part| part.unwrap())).collect();
        merger.add(parts?)?;
    }
    merger.finish().map(|(merged, _)| merged)
}

#[test]
fn f_63_a_spilled_answer_is_the_one_from_memory() {
    for more in [
        "",
        r#","limitSpec":{"type":"default","limit":20,"columns":[{"dimension":"sum","direction":"descending"}]}"#,
        r#","limitSpec":{"type":"default","limit":15,"offset":5}"#,
        r#","having":{"type":"greaterThan","aggregation":"sum","value":4000}"#,
        r#","subtotalsSpec":[["s"],["n"],[]]"#,
        r#","context":{"sortByDimsFirst":true,"resultAsArray":true}"#,
    ] {
        let query = query(more);
        let parts: Vec<Partial> = (0..PARTS).map(part).collect();
        let expected = answer(&query, merge(&query, parts, &ExecContext::default()).unwrap());
        assert!(expected.len() > 100);
        let storage = Arc::new(MemorySpillStorage::new(usize::MAX));
        let context = ExecContext::default();
        for kept in [0, 3, PARTS - 1] {
            let node = spilled(&storage, &query, 0..PARTS, kept, Extent::Whole, &context).unwrap();
            let found = merged(&query, vec![node], Vec::new(), &context).unwrap();
            assert_eq!(answer(&query, found), expected, "{more}");
            assert_eq!(storage.file_count(), 0, "the file goes with the merge");
        }
        // Two nodes that know nothing of each other, and a third that had room.
        let of =
            |parts, kept| spilled(&storage, &query, parts, kept, Extent::Part, &context).unwrap();
        let nodes = vec![of(0..3, 1), of(3..6, 0)];
        let found = merged(&query, nodes, vec![part(6)], &context).unwrap();
        assert_eq!(answer(&query, found), expected, "{more}");
    }
}

#[test]
fn f_64_a_full_disk_or_share_fails_the_query_and_frees_its_file() {
    let storage = Arc::new(MemorySpillStorage::new(30_000));
    let full = spill(&storage, u64::MAX);
    let error = put(&full, 0..PARTS).unwrap_err();
    assert!(matches!(error, ExecError::Spill(_)), "{error}");
    drop(full);
    assert_eq!(storage.file_count(), 0);
    let share = spill(&storage, 10_000);
    let error = put(&share, 0..PARTS).unwrap_err().to_string();
    assert!(error.contains("maxOnDiskStorage"), "{error}");
}

#[test]
fn f_64_damaged_files_are_errors() {
    let storage = Arc::new(MemorySpillStorage::damaged());
    let (query, context) = (query(""), ExecContext::default());
    let node = spilled(&storage, &query, 0..PARTS, 3, Extent::Whole, &context).unwrap();
    let error = merged(&query, vec![node], Vec::new(), &context).unwrap_err();
    assert!(matches!(error, ExecError::Corrupt(_)), "{error}");
}

#[test]
fn f_63_an_answer_beyond_memory_is_refused_and_cancelling_stops() {
    let storage = Arc::new(MemorySpillStorage::new(usize::MAX));
    let query = query("");
    let small = ExecContext { memory_budget_bytes: 20_000, ..ExecContext::default() };
    let full =
        spilled(&storage, &query, 0..PARTS, 0, Extent::Whole, &ExecContext::default()).unwrap();
    let error = merged(&query, vec![full], Vec::new(), &small).unwrap_err();
    assert!(matches!(error, ExecError::ResourceLimit(_)), "{error}");

    let context = ExecContext::default();
    let stopped = spilled(&storage, &query, 0..PARTS, 0, Extent::Whole, &context).unwrap();
    context.cancel.cancel();
    let error = merged(&query, vec![stopped], Vec::new(), &ExecContext::default()).unwrap_err();
    assert!(matches!(error, ExecError::Cancelled), "{error}");
    assert_eq!(storage.file_count(), 0);
}
