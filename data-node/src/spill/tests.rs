//! Spilled answers equal those from memory, and failing disks are errors.

use henge_exec::{BucketStarts, CancelFlag, KeyColumn, StateColumn, StringKeys, finalise};
use henge_platform::spill::MemorySpillStorage;

use super::*;

const PARTS: u64 = 7;
const GROUPS: u64 = 400;

fn query(more: &str) -> Query {
    let text = format!(
        r#"{{"queryType":"groupBy","dataSource":"t","granularity":"day","intervals":"1970/1971",
        "dimensions":["s",{{"type":"default","dimension":"n","outputType":"LONG"}}],
        "aggregations":[{{"type":"longSum","name":"sum","fieldName":"x"}}]{more}}}"#
    );
    Query::parse(text.as_bytes()).unwrap()
}

/// Contribution `part`: some groups of its own, some that others have as well.
fn part(part: u64) -> Partial {
    let numbers: Vec<u64> = (0..GROUPS).map(|i| (i * 31 + part * 97) % 1_000).collect();
    let (mut ends, mut bytes) = (Vec::new(), String::new());
    for number in &numbers {
        bytes.push_str(&format!("value {}", number % 300));
        ends.push(bytes.len());
    }
    // Every tenth string is null; dictionaries of partials may hold a value once only.
    let mut seen = std::collections::HashMap::new();
    let ids = numbers.iter().zip(1..).map(|(number, id)| match number % 10 {
        0 => 0,
        _ => *seen.entry(number % 300).or_insert(id),
    });
    let ids = ids.collect();
    Partial::Grouped(GroupedPartial {
        bucket_starts: BucketStarts::At(
            numbers.iter().map(|n| (n % 3) as i64 * 86_400_000).collect(),
        ),
        keys: vec![
            KeyColumn::String(StringKeys { ids, ends, bytes, sorted: false }),
            KeyColumn::Long(
                numbers.iter().map(|n| (n % 7 > 0).then_some((n % 50) as i64)).collect(),
            ),
        ],
        states: vec![StateColumn::Long {
            values: numbers.iter().map(|n| (n * 3 + part) as i64).collect(),
            valid: None,
        }],
        data_range_ms: vec![None],
    })
}

fn answer(query: &Query, partial: Partial) -> String {
    let mut out = Vec::new();
    finalise(query, partial, &ExecContext::default()).unwrap().write_json(&mut out);
    String::from_utf8(out).unwrap()
}

fn spill(storage: &Arc<MemorySpillStorage>, disk_bytes: u64) -> GroupSpill {
    let options = SpillOptions { disk_bytes, partitions: 19 };
    GroupSpill::new(Arc::clone(storage) as _, options)
}

/// Merges all parts, of which the first `kept` stay in memory.
fn run(spill: &GroupSpill, query: &Query, kept: u64) -> Result<Partial, ExecError> {
    put(spill, kept)?;
    spill.merge(query, (0..kept).map(part).collect(), &ExecContext::default())
}

fn put(spill: &GroupSpill, kept: u64) -> Result<(), ExecError> {
    (kept..PARTS).try_for_each(|number| match part(number) {
        Partial::Grouped(groups) => spill.put(groups),
        _ => Ok(()),
    })
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
        for kept in [0, 3, PARTS] {
            let storage = Arc::new(MemorySpillStorage::new(usize::MAX));
            let spill = spill(&storage, u64::MAX);
            assert_eq!(answer(&query, run(&spill, &query, kept).unwrap()), expected, "{more}");
            assert_eq!(spill.written_bytes() > 0, kept < PARTS);
            assert_eq!(storage.file_count(), 0, "the file goes with the merge");
        }
    }
}

#[test]
fn f_64_a_full_disk_or_share_fails_the_query_and_frees_its_file() {
    let storage = Arc::new(MemorySpillStorage::new(30_000));
    let full = spill(&storage, u64::MAX);
    let error = run(&full, &query(""), 0).unwrap_err();
    assert!(matches!(error, ExecError::Spill(_)), "{error}");
    drop(full);
    assert_eq!(storage.file_count(), 0);
    let share = spill(&storage, 10_000);
    let error = run(&share, &query(""), 0).unwrap_err().to_string();
    assert!(error.contains("maxOnDiskStorage"), "{error}");
}

#[test]
fn f_64_damaged_files_are_errors() {
    let storage = Arc::new(MemorySpillStorage::damaged());
    let error = run(&spill(&storage, u64::MAX), &query(""), 3).unwrap_err();
    assert!(matches!(error, ExecError::Corrupt(_)), "{error}");
}

#[test]
fn f_63_an_answer_beyond_memory_is_refused_and_cancelling_stops() {
    let storage = Arc::new(MemorySpillStorage::new(usize::MAX));
    let small = ExecContext { memory_budget_bytes: 20_000, ..ExecContext::default() };
    let full = spill(&storage, u64::MAX);
    put(&full, 0).unwrap();
    let error = full.merge(&query(""), Vec::new(), &small).unwrap_err();
    assert!(matches!(error, ExecError::ResourceLimit(_)), "{error}");

    let stopped = spill(&storage, u64::MAX);
    put(&stopped, 0).unwrap();
    let cancel = CancelFlag::default();
    cancel.cancel();
    let context = ExecContext { cancel, ..ExecContext::default() };
    assert!(matches!(stopped.merge(&query(""), vec![], &context), Err(ExecError::Cancelled)));
    assert_eq!(storage.file_count(), 0);
}
