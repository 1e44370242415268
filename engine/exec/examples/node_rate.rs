//! Where the time of a query over many segments goes on one thread: running, merging, finishing.
//! `cargo run --release -p henge-exec --example node_rate [segments [rows [part of a query's name]]]`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people to run")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use henge_exec::{ExecContext, Extent, NodeDictionaries, SharedItem, SharedRun, Worker, finalise};
use henge_query::Query;
use henge_segment::{
    ColumnData, MappedSegment, SegmentView, SegmentWriter, StringTable, WriteOptions,
};
use henge_types::{ColumnType, Interval, SegmentId, SegmentSchema, Version};
use support::{Noise, cpu_time};

const DAY_MS: i64 = 86_400_000;
const VISITORS: f64 = 2_000_000.0;

fn main() {
    let argument = |at: usize| std::env::args().nth(at);
    let segments = argument(1).map_or(6, |text| text.parse().unwrap());
    let rows: usize = argument(2).map_or(1_000_000, |text| text.parse().unwrap());
    let wanted = argument(3).unwrap_or_default();
    let views: Vec<Arc<dyn SegmentView>> =
        (0..segments).map(|day| Arc::new(segment(day, rows)) as Arc<dyn SegmentView>).collect();
    let dictionaries = Arc::new(NodeDictionaries::new(1 << 30));
    for (name, query) in queries().into_iter().filter(|(name, _)| name.contains(&wanted)) {
        let query = Arc::new(Query::parse(query.as_bytes()).unwrap());
        let first = measure(&query, &views, &dictionaries);
        let again = (0..20).map(|_| measure(&query, &views, &dictionaries)).min().unwrap();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{name:28} run and merge {:8.1} ms, finish {:6.1} ms, {:6.1} M rows/s; first {:8.1} ms",
            ms(again.1),
            ms(again.2),
            (segments * rows) as f64 / again.0.as_secs_f64() / 1e6,
            ms(first.0),
        );
    }
}

fn queries() -> Vec<(&'static str, String)> {
    let base = r#""dataSource":"t","intervals":"2020-01-01/2021-01-01","granularity":"all",
        "context":{"useBlockStatistics":false}"#;
    let count = r#"{"type":"count","name":"n"}"#;
    let sum = r#"{"type":"longSum","name":"s","fieldName":"duration"}"#;
    let top = |dimension: &str, aggregations: &str| {
        format!(
            r#"{{"queryType":"topN",{base},"dimension":"{dimension}","metric":"n",
            "threshold":100,"aggregations":[{aggregations}]}}"#
        )
    };
    let having = format!(
        r#"{{"queryType":"groupBy",{base},"dimensions":["uri"],"aggregations":[{count},{sum}],
        "having":{{"type":"greaterThan","aggregation":"n","value":5000}}}}"#
    );
    let distinct = format!(
        r#"{{"queryType":"timeseries",{base},
        "aggregations":[{{"type":"HLLSketchBuild","name":"u","fieldName":"visitor"}}]}}"#
    );
    vec![
        ("top visitors", top("visitor", count)),
        ("top uris, two aggregators", top("uri", &format!("{count},{sum}"))),
        ("having over uris", having),
        ("distinct visitors", distinct),
    ]
}

/// Whole time, time until all is merged, time to finish.
fn measure(
    query: &Arc<Query>,
    views: &[Arc<dyn SegmentView>],
    dictionaries: &Arc<NodeDictionaries>,
) -> (Duration, Duration, Duration) {
    let ctx =
        ExecContext { dictionaries: Some(Arc::clone(dictionaries)), ..ExecContext::default() };
    let start = cpu_time();
    let item = |view: &Arc<dyn SegmentView>| SharedItem {
        query: Arc::clone(query),
        view: Arc::clone(view),
        whole: None,
    };
    let views = views.iter().map(item).collect();
    let mut worker = Worker::new(Arc::new(SharedRun::new(Arc::clone(query), views, Extent::Part)));
    while worker.step(&ctx, &|| false).unwrap() {}
    let merged = worker.into_merger().finish(Extent::Part, &ctx).unwrap();
    let ran = cpu_time() - start;
    henge_answer::to_json(query, &finalise(query, merged, &ctx).unwrap()).unwrap();
    let whole = cpu_time() - start;
    (whole, ran, whole - ran)
}

/// The text of a value.
type Text = fn(u32) -> String;

/// A number from 0 to 1.
fn fraction(noise: &mut Noise) -> f64 {
    noise.bits() as f64 / (1_u64 << 53) as f64
}

/// A day's page views, skewed as the views of real sites are.
fn segment(day: usize, rows: usize) -> MappedSegment {
    let mut noise = Noise(7 + day as u64);
    let start = (18_262 + day as i64) * DAY_MS;
    let times: Vec<i64> = (0..rows as i64).map(|row| start + row * DAY_MS / rows as i64).collect();
    let duration: Vec<i64> =
        (0..rows).map(|_| (fraction(&mut noise).powi(4) * 6e5) as i64).collect();
    let visitors: Vec<u32> =
        (0..rows).map(|_| (fraction(&mut noise).powf(1.6) * VISITORS) as u32).collect();
    let uris: Vec<u32> = (0..rows)
        .map(|_| {
            let site = (fraction(&mut noise).powi(3) * 200.0) as u32;
            site * 20_000 + (fraction(&mut noise).powi(4) * 20_000.0) as u32
        })
        .collect();
    let interval = Interval { start_ms: start, end_ms: start + DAY_MS };
    let id = SegmentId::new("t", interval, Version(1), 0);
    let mut writer =
        SegmentWriter::new(Vec::new(), id, schema(), rows, WriteOptions::hot()).unwrap();
    writer.write_column("__time", ColumnData::Long { values: &times, nulls: None }).unwrap();
    let texts: [(&str, &[u32], Text); 2] = [
        ("visitor", &visitors, |visitor| format!("v{visitor}")),
        ("uri", &uris, |uri| format!("/s{}/page/{}", uri / 20_000, uri % 20_000)),
    ];
    for (name, values, text) in texts {
        let (dictionary, ids) = encode(values, text);
        let data = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: false };
        writer.write_column(name, data).unwrap();
    }
    writer.write_column("duration", ColumnData::Long { values: &duration, nulls: None }).unwrap();
    let (_, bytes) = writer.finish_into().unwrap();
    MappedSegment::open(Arc::new(bytes)).unwrap()
}

/// A sorted dictionary of the values' texts, and the ids of the rows.
fn encode(values: &[u32], text: Text) -> (StringTable, Vec<u32>) {
    let sorted: BTreeMap<String, u32> = values.iter().map(|value| (text(*value), *value)).collect();
    let mut dictionary = StringTable::new();
    let mut id_of = BTreeMap::new();
    for ((text, value), id) in sorted.iter().zip(1..) {
        dictionary.push(text);
        id_of.insert(*value, id);
    }
    (dictionary, values.iter().map(|value| id_of[value]).collect())
}

fn schema() -> SegmentSchema {
    support::schema(&[
        ("visitor", ColumnType::String),
        ("uri", ColumnType::String),
        ("duration", ColumnType::Long),
    ])
}
