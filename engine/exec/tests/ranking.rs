//! The law of rankings over several nodes: whatever groups and values there are, however they lie on the
//! nodes, and however few each sends, the answer is that of all groups merged.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_exec::{
    Aim, BucketStarts, Entry, ExecContext, Extent, Gathering, GroupedPartial, LeftOut, Merger,
    Outcome, Partial, RankCut, Ranking, Tuning, finalise, merge, settle,
};
use henge_query::Query;
use henge_vector::{Column, Text};
use proptest::prelude::*;
use proptest::sample::select;

/// A row: its key, and its value, if it has one.
type Row = (u16, Option<i64>);

const AGGREGATIONS: &str = r#""aggregations":[
    {"type":"count","name":"n"},{"type":"longSum","name":"s","fieldName":"x"},
    {"type":"doubleSum","name":"d","fieldName":"x"},{"type":"longMax","name":"most","fieldName":"x"},
    {"type":"longMin","name":"least","fieldName":"x"}]"#;

fn query(body: &str) -> Arc<Query> {
    let text = format!(
        r#"{{"dataSource":"t","granularity":"all","intervals":"1970/1971",{AGGREGATIONS},{body}}}"#
    );
    Arc::new(Query::parse(text.as_bytes()).unwrap())
}

fn top(metric: &str, threshold: usize) -> Arc<Query> {
    query(&format!(
        r#""queryType":"topN","dimension":"a","threshold":{threshold},"metric":{metric}"#
    ))
}

fn ordered(column: &str, direction: &str, limit: usize, offset: usize) -> Arc<Query> {
    query(&format!(
        r#""queryType":"groupBy","dimensions":["a"],"limitSpec":{{"type":"default","limit":{limit},
        "offset":{offset},"columns":[{{"dimension":"{column}","direction":"{direction}"}}]}}"#
    ))
}

fn above(column: &str, value: i64) -> Arc<Query> {
    query(&format!(
        r#""queryType":"groupBy","dimensions":["a"],
        "having":{{"type":"greaterThan","aggregation":"{column}","value":{value}}}"#
    ))
}

fn any_query() -> impl Strategy<Value = Arc<Query>> {
    let metric = select(vec![
        r#""n""#,
        r#""s""#,
        r#""d""#,
        r#""most""#,
        r#"{"type":"inverted","metric":"least"}"#,
    ]);
    let order = select(vec![
        ("n", "descending"),
        ("s", "descending"),
        ("d", "descending"),
        ("most", "descending"),
        ("least", "ascending"),
    ]);
    prop_oneof![
        (metric, 1..6_usize).prop_map(|(metric, threshold)| top(metric, threshold)),
        (order, 1..4_usize, 0..3_usize).prop_map(|((column, direction), limit, offset)| ordered(
            column, direction, limit, offset
        )),
        (select(vec!["n", "s", "d", "most"]), -4..30_i64)
            .prop_map(|(column, value)| above(column, value)),
    ]
}

/// Keys of which few are frequent, values of which many tie; of some nodes all are below zero.
fn any_nodes() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let key = prop_oneof![2 => 0..6_u16, 3 => 0..60_u16];
    let value = prop_oneof![
        1 => Just(None),
        20 => (0..6_i64).prop_map(Some),
        4 => (-40..40_i64).prop_map(Some),
    ];
    let rows = prop::collection::vec((key, value), 0..160);
    let rows = (rows, select(vec![1_i64, 1, 1, -1]), any::<bool>()).prop_map(
        |(mut rows, sign, has_nulls)| {
            if !has_nulls {
                rows.retain(|(_, value)| value.is_some());
            }
            rows.iter_mut().for_each(|(_, value)| *value = value.map(|value| value * sign));
            rows
        },
    );
    prop::collection::vec(rows, 1..5)
}

/// What a node has of all its rows.
fn groups_of(rows: &[Row]) -> GroupedPartial {
    let mut by_key: BTreeMap<u16, Vec<Option<i64>>> = BTreeMap::new();
    rows.iter().for_each(|(key, value)| by_key.entry(*key).or_default().push(*value));
    let keys: Vec<String> = by_key.keys().map(|key| format!("key {key}")).collect();
    let longs = |of: fn(Vec<i64>) -> Option<i64>| {
        let values = by_key.values().map(|values| of(values.iter().flatten().copied().collect()));
        Column::Long(values.collect())
    };
    let sum = |values: Vec<i64>| (!values.is_empty()).then(|| values.iter().sum::<i64>());
    let halves = by_key.values().map(|values| {
        let values: Vec<i64> = values.iter().flatten().copied().collect();
        sum(values).map(|sum| sum as f64 / 2.0)
    });
    let counts = by_key.values().map(|values| values.len() as i64).collect();
    GroupedPartial {
        bucket_starts: BucketStarts::All(by_key.len()),
        keys: vec![Column::Text(Text::of(keys.iter().map(|key| Some(key.as_str()))))],
        states: vec![
            Column::longs(counts, None),
            longs(sum),
            Column::Double(halves.collect()),
            longs(|values| values.into_iter().max()),
            longs(|values| values.into_iter().min()),
        ],
        data_range_ms: vec![Some((0, rows.len() as i64))],
    }
}

fn answer(query: &Query, partials: Vec<Partial>) -> String {
    let context = ExecContext::default();
    let merged = merge(query, partials, &context).unwrap();
    let answer = finalise(query, merged, &context).unwrap();
    String::from_utf8(henge_answer::to_json(query, &answer).unwrap()).unwrap()
}

/// What a node sends that was asked so, with its groups in one piece or in partitions.
fn sent(
    query: &Arc<Query>,
    groups: &GroupedPartial,
    cut: Option<RankCut>,
    in_partitions: bool,
) -> (Partial, Option<LeftOut>) {
    let tuning = match in_partitions {
        true => Tuning { flushed_groups: 1, parted_groups: 0, ..Tuning::default() },
        false => Tuning::default(),
    };
    let context = ExecContext { tuning, ..ExecContext::default() };
    let mut merger = Merger::new(Arc::clone(query));
    merger.add(Partial::Grouped(groups.clone()), &context).unwrap();
    let gathering = Gathering::new(merger, Extent::Part).unwrap().ranked(cut);
    while gathering.step(&context).unwrap() {}
    gathering.finish().unwrap()
}

/// How often something was left out, asked for by its keys, asked for anew, and asked for whole.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    left_out: usize,
    opened: usize,
    anew: usize,
    whole: usize,
}

/// As a broker asks: `is_whole` are the nodes that always send everything.
fn ranked(
    query: &Arc<Query>,
    nodes: &[GroupedPartial],
    most: usize,
    is_whole: &[bool],
    in_partitions: bool,
    seen: &mut Seen,
) -> String {
    let ranking = Ranking::of(query).unwrap();
    let is_whole = |node: usize| is_whole.get(node).copied().unwrap_or_default();
    let mut aim = Some(ranking.first_aim(most));
    for round in 0..2 {
        let Some(aimed) = aim else { break };
        seen.anew += round;
        let cut = |node: usize| ranking.cut(aimed, nodes.len(), 0).filter(|_| !is_whole(node));
        let sent: Vec<_> = (0..nodes.len())
            .map(|node| sent(query, &nodes[node], cut(node), in_partitions))
            .collect();
        if sent.iter().all(|(_, left_out)| left_out.is_none()) {
            return answer(query, sent.into_iter().map(|(partial, _)| partial).collect());
        }
        seen.left_out += 1;
        let entries = sent.iter().map(|(partial, left_out)| match partial {
            Partial::Grouped(groups) => Entry { groups: groups.clone(), left_out: *left_out },
            _ => panic!("groups"),
        });
        match settle(&ranking, entries.collect(), &ExecContext::default()).unwrap() {
            Outcome::Settled { groups, open } => {
                let mut partials: Vec<Partial> = groups.into_iter().map(Partial::Grouped).collect();
                if let Some(open) = open {
                    seen.opened += 1;
                    // A filter finds these groups, and perhaps others.
                    let asked = nodes.iter().zip(&sent).filter(|(_, sent)| sent.1.is_some());
                    let found = asked.map(|(groups, _)| Partial::Grouped(groups.clone()));
                    let found = open.only(found.collect(), &ExecContext::default()).unwrap();
                    partials.extend(found);
                }
                return answer(query, partials);
            }
            Outcome::Unproven { from } => aim = from.map(Aim::From).filter(|next| *next != aimed),
        }
    }
    seen.whole += 1;
    answer(query, nodes.iter().cloned().map(Partial::Grouped).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i_10_what_few_groups_prove_is_the_answer_of_all(
        query in any_query(),
        nodes in any_nodes(),
        most in 1..12_usize,
        is_whole in prop::collection::vec(prop::bool::weighted(0.2), 5),
        in_partitions in any::<bool>(),
    ) {
        let nodes: Vec<_> = nodes.iter().map(|rows| groups_of(rows)).collect();
        let expected = answer(&query, nodes.iter().cloned().map(Partial::Grouped).collect());
        let mut seen = Seen::default();
        let found = ranked(&query, &nodes, most, &is_whole, in_partitions, &mut seen);
        prop_assert_eq!(found, expected, "{:?}", seen);
    }
}

/// Many rows over few nodes, as the rankings of a dashboard.
fn many(groups: u64, rows: u64) -> Vec<GroupedPartial> {
    let mut state = 7_u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let nodes = (0..3).map(|_| {
        let rows = (0..rows).map(|_| ((random() % groups) as u16, Some((random() % 50) as i64)));
        groups_of(&rows.collect::<Vec<Row>>())
    });
    nodes.collect()
}

#[test]
fn groups_that_are_spread_evenly_are_settled_by_a_few_of_them() {
    let nodes = many(20_000, 110_000);
    let all = || nodes.iter().cloned().map(Partial::Grouped).collect();
    for (query, most) in [
        (top(r#""n""#, 10), 3_000),
        (top(r#""s""#, 10), 3_000),
        (top(r#""d""#, 10), 3_000),
        (top(r#""most""#, 10), 3_000),
        (above("n", 32), 1),
    ] {
        let mut seen = Seen::default();
        let expected = answer(&query, all());
        for in_partitions in [false, true] {
            let found = ranked(&query, &nodes, most, &[], in_partitions, &mut seen);
            assert_eq!(found, expected, "{query:?}");
        }
        assert_eq!((seen.left_out, seen.whole, seen.anew), (2, 0, 0), "{query:?}: {seen:?}");
    }
    // Too few were asked for: the value that is known by then says how many it takes.
    let (query, mut seen) = (top(r#""n""#, 10), Seen::default());
    let found = ranked(&query, &nodes, 20, &[], false, &mut seen);
    assert_eq!(found, answer(&query, all()));
    assert_eq!((seen.anew, seen.whole), (1, 0), "{seen:?}");
}
