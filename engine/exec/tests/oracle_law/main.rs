//! The law that holds execution together: for any rows, any query and any split of the rows into
//! segments, in memory or on file, `finalise(merge(run(q, s_i))) == oracle(q, rows)`; and neither
//! the order nor the grouping of merges shows in the answer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compare;
mod data;
mod filters;
mod large;
mod many_numbers;
mod many_values;
mod queries;

use std::sync::{Arc, Mutex};

use henge_exec::{
    DerivedKeys, ExecContext, Extent, Gathering, GroupSink, GroupedPartial, Grouping, Merger,
    NodeDictionaries, Partial, SharedItem, SharedRun, Spill, Tuning, Worker, finalise, merge,
    merge_partition, partition_groups, run,
};
use henge_oracle::{BEYOND_64_BITS, OracleRow, answer_segments};
use henge_query::Query;
use henge_segment::SegmentView;
use henge_types::Interval;
use proptest::prelude::*;

use data::{Part, Storage};

fn parse(query: &serde_json::Value) -> Query {
    let text = query.to_string();
    let query = Query::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    as_another_node_reads_it(&query)
}

/// Queries are sent in their normal form, which says all of them.
fn as_another_node_reads_it(query: &Query) -> Query {
    let sent = query.to_value().to_string();
    let read = Query::decode(sent.as_bytes()).unwrap_or_else(|error| panic!("{sent}: {error}"));
    assert_eq!(format!("{read:?}"), format!("{query:?}"), "{sent}");
    read
}

/// How the partials of segments come together.
#[derive(Debug, Clone, Copy)]
enum Merging {
    /// All at once.
    Together,
    /// One more at a time.
    OneByOne,
    /// From the last to the first, each through a merge of its own.
    Backwards,
    /// Two halves, merged.
    Halves,
    /// Two workers in turn, with node-wide dictionaries of at most so many bytes.
    Workers { dictionary_bytes: usize },
    /// Two workers that put everything aside.
    Spilling,
}

/// A segment as the broker asks for it: once for each part of time that it is visible in.
struct Visible {
    query: Arc<Query>,
    view: Arc<dyn SegmentView>,
}

/// Cuts time at some moments, as newer segments over parts of older ones do.
fn visible(query: &Query, views: &[Arc<dyn SegmentView>], cuts: &[i64]) -> Vec<Visible> {
    let mut edges = cuts.to_vec();
    edges.extend([i64::MIN, i64::MAX]);
    edges.sort_unstable();
    edges.dedup();
    let parts: Vec<Arc<Query>> = edges
        .windows(2)
        .map(|edge| {
            let mut part = query.clone();
            part.clip_to(Interval { start_ms: edge[0], end_ms: edge[1] });
            Arc::new(part)
        })
        .collect();
    let of = |view: &Arc<dyn SegmentView>| {
        let part =
            |query: &Arc<Query>| Visible { query: Arc::clone(query), view: Arc::clone(view) };
        parts.iter().map(part).collect::<Vec<_>>()
    };
    views.iter().flat_map(of).collect()
}

/// What a partial is elsewhere: read from the bytes it was sent as.
fn through_bytes(partial: &Partial) -> Partial {
    let bytes = partial.encode().unwrap();
    let read = Partial::decode(&bytes).unwrap();
    assert!(read.encode().unwrap().len() <= bytes.len());
    read
}

fn merged(
    query: &Query,
    mut partials: Vec<Partial>,
    merging: Merging,
    ctx: &ExecContext,
) -> Partial {
    partials = partials.iter().map(through_bytes).collect();
    match merging {
        Merging::Together => merge(query, partials, ctx).unwrap(),
        Merging::OneByOne => {
            let empty = merge(query, Vec::new(), ctx).unwrap();
            partials
                .into_iter()
                .fold(empty, |whole, part| merge(query, vec![whole, part], ctx).unwrap())
        }
        Merging::Backwards => {
            partials.reverse();
            let each = partials.into_iter().map(|part| merge(query, vec![part], ctx).unwrap());
            let each = each.collect();
            merge(query, each, ctx).unwrap()
        }
        Merging::Halves => {
            let second = partials.split_off(partials.len() / 2);
            let halves =
                vec![merge(query, partials, ctx).unwrap(), merge(query, second, ctx).unwrap()];
            merge(query, halves, ctx).unwrap()
        }
        Merging::Workers { .. } | Merging::Spilling => unreachable!("workers merge as they run"),
    }
}

/// Ways to go through the rows.
const TUNINGS: [Tuning; 3] = [
    Tuning { batch_rows: 4096, grouping: Grouping::Auto, flushed_groups: 1, parted_groups: 0 },
    Tuning {
        batch_rows: 1,
        grouping: Grouping::Dense,
        flushed_groups: 1 << 15,
        parted_groups: 1 << 16,
    },
    Tuning { batch_rows: 2048, grouping: Grouping::Hashed, flushed_groups: 3, parted_groups: 4 },
];

/// Runs as a node does: workers that share the segments, one dictionary for all.
fn run_shared(
    query: &Query,
    parts: &[Visible],
    dictionary_bytes: usize,
    put_aside: Option<Arc<Aside>>,
    tuning: Tuning,
) -> Result<Partial, String> {
    let dictionaries = Some(Arc::new(NodeDictionaries::new(dictionary_bytes)));
    let spill = put_aside.clone().map(|sink| Spill { sink, above_bytes: 0 });
    let ctx = ExecContext { dictionaries, tuning, spill, ..ExecContext::default() };
    let views: Vec<_> = parts.iter().map(|part| part.view.as_ref()).collect();
    let derived = DerivedKeys::of(query, &views).map_err(|error| error.to_string())?;
    // Groups that are put aside have all keys.
    let derived = derived.filter(|_| put_aside.is_none());
    let query = match &derived {
        Some(derived) => Arc::clone(derived.query()),
        None => Arc::new(query.clone()),
    };
    let item = |part: &Visible| SharedItem {
        query: match &derived {
            Some(derived) => derived.without(&part.query),
            None => Arc::clone(&part.query),
        },
        view: Arc::clone(&part.view),
        whole: None,
    };
    let views = parts.iter().map(item).collect();
    let shared = Arc::new(SharedRun::new(Arc::clone(&query), views, Extent::Whole));
    let mut workers = [Worker::new(Arc::clone(&shared)), Worker::new(shared)];
    let mut busy = true;
    while busy {
        busy = false;
        for worker in &mut workers {
            busy |= worker.step(&ctx, &|| false).map_err(|error| error.to_string())?;
        }
    }
    let mut all = Merger::new(Arc::clone(&query));
    for worker in workers {
        all.absorb(worker.into_merger(), &ctx).map_err(|error| error.to_string())?;
    }
    let gathered = gathered(all, &ctx).map_err(|error| error.to_string())?;
    match (put_aside, derived) {
        (Some(sink), _) => merge_spilled(&query, gathered, &sink, &ctx),
        (None, Some(derived)) => {
            derived.complete(gathered, &ctx).map_err(|error| error.to_string())
        }
        (None, None) => Ok(gathered),
    }
}

fn gathered(all: Merger, ctx: &ExecContext) -> henge_exec::Result<Partial> {
    let gathering = Gathering::new(all, Extent::Whole)?;
    while gathering.step(ctx)? {}
    gathering.finish().map(|(merged, _)| merged)
}

/// Groups that were put aside.
#[derive(Debug, Default)]
struct Aside(Mutex<Vec<GroupedPartial>>);

impl GroupSink for Aside {
    fn put(&self, groups: GroupedPartial) -> henge_exec::Result<()> {
        self.0.lock().unwrap().push(groups);
        Ok(())
    }
}

/// Merges what was put aside with what was kept, partition by partition.
fn merge_spilled(
    query: &Query,
    kept: Partial,
    aside: &Aside,
    ctx: &ExecContext,
) -> Result<Partial, String> {
    let mut all = std::mem::take(&mut *aside.0.lock().unwrap());
    all.extend(grouped(kept));
    let all: Vec<Vec<GroupedPartial>> = all
        .into_iter()
        .filter_map(|groups| grouped(through_bytes(&Partial::Grouped(groups))))
        .map(|groups| partition_groups(&groups, 3))
        .collect();
    let of = |partition: usize| all.iter().map(|parts| parts[partition].clone()).collect();
    let merged = (0..3).map(|partition| merge_partition(query, of(partition), ctx));
    let merged = merged.collect::<henge_exec::Result<_>>();
    merged.and_then(|merged| merge(query, merged, ctx)).map_err(|error| error.to_string())
}

fn grouped(partial: Partial) -> Option<GroupedPartial> {
    match partial {
        Partial::Grouped(groups) => Some(groups),
        _ => None,
    }
}

fn execute(
    query: &Query,
    parts: &[Visible],
    merging: Merging,
    tuning: &Tuning,
) -> Result<serde_json::Value, String> {
    let ctx = ExecContext { tuning: *tuning, ..ExecContext::default() };
    let merged = match merging {
        Merging::Workers { dictionary_bytes } => {
            run_shared(query, parts, dictionary_bytes, None, *tuning)?
        }
        Merging::Spilling => {
            // Only a groupBy puts groups aside, when it has many.
            let has_keys = query.grouped().is_some_and(|grouped| !grouped.dimensions.is_empty());
            let puts_aside = matches!(query, Query::GroupBy(_)) && has_keys;
            let aside = puts_aside.then(Arc::<Aside>::default);
            run_shared(query, parts, 1 << 20, aside, *tuning)?
        }
        merging => {
            // A node merges what the parts of one segment contribute.
            let of_segment = |parts: &[Visible]| {
                let mut whole = Merger::new(Arc::new(query.clone()));
                for part in parts {
                    whole.add(run(&part.query, part.view.as_ref(), &ctx)?, &ctx)?;
                }
                whole.finish(Extent::Part, &ctx)
            };
            let partials = parts
                .chunk_by(|a, b| Arc::ptr_eq(&a.view, &b.view))
                .map(|parts| of_segment(parts).map_err(|error| error.to_string()))
                .collect::<Result<_, _>>()?;
            merged(query, partials, merging, &ctx)
        }
    };
    let answer = finalise(query, merged, &ctx).map_err(|error| error.to_string())?;
    let json = henge_answer::to_json(query, &answer).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| format!("{error}: {json:?}"))
}

fn check(
    parts: &[Part],
    query: &serde_json::Value,
    (merging, cuts): (Merging, Vec<i64>),
) -> Result<(), TestCaseError> {
    let parsed = parse(query);
    let views: Vec<Arc<dyn SegmentView>> =
        parts.iter().enumerate().map(|(number, part)| data::view(part, number).into()).collect();
    let rows: Vec<&[OracleRow]> = parts.iter().map(|part| part.rows.as_slice()).collect();
    let expected = answer_segments(&parsed, &rows);
    let views = visible(&parsed, &views, &cuts);
    for tuning in &TUNINGS {
        let actual = match execute(&parsed, &views, merging, tuning) {
            Ok(_) if expected.to_string().contains(BEYOND_64_BITS) => {
                return Err(TestCaseError::fail(format!("no error\nquery {query}")));
            }
            Ok(actual) => actual,
            // Also for groups that are not shown, if they are looked at.
            Err(error) if error.contains(BEYOND_64_BITS) && sums_largest(query) => continue,
            Err(error) => return Err(TestCaseError::fail(format!("{error}\nquery {query}"))),
        };
        compare::same_answer(&parsed, &expected, &actual).map_err(|difference| {
            TestCaseError::fail(format!(
                "{difference}\nquery {query}\n{tuning:?} {cuts:?}\nexpected {expected}\nactual {actual}"
            ))
        })?;
    }
    Ok(())
}

/// True when longs are summed that are as large as they may be.
fn sums_largest(query: &serde_json::Value) -> bool {
    let text = query["aggregations"].to_string();
    let largest = ["\"fieldName\":\"l\"", "\"l + 1\"", "\"5 - 2 * l\"", "\"l - l\""];
    text.contains("longSum") && largest.iter().any(|input| text.contains(input))
}

/// How partials come together, and where time is cut.
fn merging() -> impl Strategy<Value = (Merging, Vec<i64>)> {
    let merging = prop_oneof![
        Just(Merging::Together),
        Just(Merging::OneByOne),
        Just(Merging::Backwards),
        Just(Merging::Halves),
        Just(Merging::Workers { dictionary_bytes: 1 << 20 }),
        // Built, dropped and refused all the time.
        Just(Merging::Workers { dictionary_bytes: 200 }),
        Just(Merging::Spilling),
    ];
    let cut = (0..data::SPAN_MS / 10_800_000).prop_map(|n| data::START_MS + n * 10_800_000);
    let cuts = prop_oneof![1 => Just(Vec::new()), 1 => prop::collection::vec(cut, 1..4)];
    (merging, cuts)
}

/// `PROPTEST_CASES` asks for more cases than the default.
fn config(cases: u32) -> ProptestConfig {
    let standard = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => standard,
        None => ProptestConfig { cases, ..standard },
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn timeseries_answers_as_the_oracle(
        parts in data::parts(), query in queries::timeseries(), merging in merging(),
    ) {
        check(&parts, &query, merging)?;
    }

    #[test]
    fn top_n_answers_as_the_oracle(
        parts in data::parts(), query in queries::top_n(), merging in merging(),
    ) {
        check(&parts, &query, merging)?;
    }

    #[test]
    fn group_by_answers_as_the_oracle(
        parts in data::parts(), query in queries::group_by(), merging in merging(),
    ) {
        check(&parts, &query, merging)?;
    }

    #[test]
    fn scan_answers_as_the_oracle(
        parts in data::parts(), query in queries::scan(), merging in merging(),
    ) {
        check(&parts, &query, merging)?;
    }

    #[test]
    fn search_answers_as_the_oracle(
        parts in data::parts(), query in queries::search(), merging in merging(),
    ) {
        check(&parts, &query, merging)?;
    }

    #[test]
    fn time_boundary_answers_as_the_oracle(
        parts in data::parts(), query in queries::time_boundary(), merging in merging(),
    ) {
        check(&parts, &query, merging)?;
    }

    #[test]
    fn i_10_storage_and_merging_do_not_show(
        parts in data::parts(), query in queries::any_query(),
    ) {
        let parsed = parse(&query);
        let answers = [
            (Storage::Index, Merging::Together),
            (Storage::File, Merging::Together),
            (Storage::File, Merging::OneByOne),
            (Storage::Index, Merging::Backwards),
            (Storage::File, Merging::Halves),
            (Storage::File, Merging::Workers { dictionary_bytes: 1 << 20 }),
        ];
        let answers = answers.map(|(storage, merging)| {
            let views: Vec<Arc<dyn SegmentView>> = parts
                .iter()
                .enumerate()
                .map(|(number, part)| data::view(&Part { storage, ..part.clone() }, number).into())
                .collect();
            execute(&parsed, &visible(&parsed, &views, &[]), merging, &TUNINGS[0])
        });
        for answer in &answers[1..] {
            let same = match (&answers[0], answer) {
                // Files are sorted by time and indexes are not, so which of several equally good
                // rows a scan shows may differ between them.
                (Ok(_), Ok(_)) if matches!(parsed, Query::Scan(_)) => true,
                (Ok(first), Ok(other)) => compare::same_json(first, other, "").is_ok(),
                (first, other) => first == other,
            };
            prop_assert!(same, "query {query}\n{:?}\n{answer:?}", answers[0]);
        }
    }
}
