//! Rows that one thread aggregates in a second of its running time, over a mapped segment of a few million rows:
//! `cargo run --release -p henge-exec --example scan_rate [rows [part of a query's name]]`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people to run")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use henge_exec::{
    ExecContext, Extent, Merger, NodeDictionaries, SharedItem, SharedRun, Worker, finalise, run,
};
use henge_query::Query;
use henge_segment::{
    ColumnData, MappedSegment, SegmentView, SegmentWriter, StringTable, WriteOptions,
};
use henge_types::{ColumnType, Interval, SegmentId, SegmentSchema, Version};
use support::{Noise, cpu_time};

const DAY_MS: i64 = 86_400_000;
const PARTS: usize = 1_000_000;
const DATES: usize = 2_500;
const MODES: [&str; 7] = ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"];
const SUMS: &str = r#"{"type":"doubleSum","name":"a","fieldName":"price"},
    {"type":"doubleSum","name":"b","fieldName":"discount"},
    {"type":"doubleSum","name":"c","fieldName":"tax"},
    {"type":"longSum","name":"d","fieldName":"quantity"}"#;

const EXTREMES: &str = r#"{"type":"doubleMin","name":"a","fieldName":"price"},
    {"type":"doubleMax","name":"b","fieldName":"price"}"#;

fn main() {
    let rows = std::env::args().nth(1).map_or(5_000_000, |text| text.parse().unwrap());
    let segment = Arc::new(segment(rows));
    println!("{rows} rows, {} MB", segment.size_bytes() / 1_000_000);
    let wanted = std::env::args().nth(2).unwrap_or_default();
    for (name, query) in queries().into_iter().filter(|(name, _)| name.contains(&wanted)) {
        measure(name, &query, &segment, rows);
    }
}

type Named = (&'static str, String);

fn queries() -> Vec<Named> {
    [plain(), filtered(), distinct(), grouped(), computed()].concat()
}

/// The members that every query has; statistics would answer for whole blocks.
const BASE: &str = r#""dataSource":"t","intervals":"2020-01-01/2021-01-01",
    "context":{"useBlockStatistics":false}"#;
const ALL: &str = r#""granularity":"all""#;
const HOUR: &str = r#""granularity":"hour""#;
const MINUTE: &str = r#""granularity":"minute""#;
const SUM: &str = r#"{"type":"doubleSum","name":"a","fieldName":"price"}"#;
const COUNT: &str = r#"{"type":"count","name":"n"}"#;
const DISTINCT: &str = r#"{"type":"HLLSketchBuild","name":"a","fieldName":"part"}"#;

fn timeseries(rest: &str, aggregations: &str) -> String {
    format!(r#"{{"queryType":"timeseries",{BASE},{rest},"aggregations":[{aggregations}]}}"#)
}

fn top(dimension: &str, aggregations: &str) -> String {
    format!(
        r#"{{"queryType":"topN",{BASE},{ALL},"dimension":"{dimension}","metric":"a",
        "threshold":100,"aggregations":[{aggregations}]}}"#
    )
}

fn top_by_count(dimension: &str) -> String {
    top(dimension, COUNT).replace(r#""metric":"a""#, r#""metric":"n""#)
}

fn group(dimensions: &str, aggregations: &str) -> String {
    format!(
        r#"{{"queryType":"groupBy",{BASE},{ALL},"dimensions":[{dimensions}],
        "aggregations":[{aggregations}]}}"#
    )
}

/// About as many rows as arrive in some seconds.
fn recent(query: &str, seconds: u32) -> String {
    let start = format!("2020-01-07T{:02}:{:02}:00", 23 - seconds / 3600, 59 - seconds / 60 % 60);
    query.replace("2020-01-01/2021-01-01", &format!("{start}/2021-01-01"))
}

fn plain() -> Vec<Named> {
    // The interval cuts every block's seconds apart from the others', so that times are compared.
    let within = timeseries(ALL, COUNT)
        .replace("2020-01-01/2021-01-01", "2020-01-01T10:00:00/2020-01-07T03:30:00");
    vec![
        ("count over an interval", within),
        ("sum(double)", timeseries(ALL, SUM)),
        ("sum(long)", timeseries(ALL, r#"{"type":"longSum","name":"a","fieldName":"quantity"}"#)),
        (
            "sum(double) of 30 bits",
            timeseries(ALL, r#"{"type":"doubleSum","name":"a","fieldName":"noisy"}"#),
        ),
        ("min and max(double)", timeseries(ALL, EXTREMES)),
        ("four sums", timeseries(ALL, SUMS)),
        ("count, sum by hour", timeseries(HOUR, &format!("{COUNT},{SUM}"))),
        ("four sums by hour", timeseries(HOUR, SUMS)),
        ("four sums by minute", timeseries(MINUTE, SUMS)),
    ]
}

fn filtered() -> Vec<Named> {
    let where_ = |filter: &str, aggregations: &str| {
        timeseries(&format!(r#"{ALL},"filter":{filter}"#), aggregations)
    };
    let integers =
        r#"{"type":"bound","dimension":"quantity","lower":"10","upper":"40","ordering":"numeric"}"#;
    let doubles = r#"{"type":"bound","dimension":"price","lower":"25000","upper":"75000",
        "ordering":"numeric"}"#;
    let like = r#"{"type":"like","dimension":"mode","pattern":"%AIR%"}"#;
    let two = r#"{"type":"in","dimension":"mode","values":["AIR","SHIP"]}"#;
    let regex = r#"{"type":"regex","dimension":"mode","pattern":".*AIR.*"}"#;
    let rare = r#"{"type":"selector","dimension":"part","value":"part 0000777"}"#;
    vec![
        ("count, integer range", where_(integers, COUNT)),
        ("four sums, like on 7 values", where_(like, SUMS)),
        ("four sums, 2 of 7 values", where_(two, SUMS)),
        ("four sums, regex on 7 values", where_(regex, SUMS)),
        ("one sum, one value of 1 M", where_(rare, SUM)),
        ("one sum, double range", where_(doubles, SUM)),
    ]
}

fn distinct() -> Vec<Named> {
    let longs = r#"{"type":"HLLSketchBuild","name":"a","fieldName":"order"}"#;
    let dates = r#"{"type":"HLLSketchBuild","name":"a","fieldName":"date"}"#;
    vec![
        ("distinct of 1 M values, few rows", recent(&timeseries(ALL, DISTINCT), 300)),
        ("distinct of 1 M values by minute, few", recent(&timeseries(MINUTE, DISTINCT), 300)),
        ("distinct of longs", timeseries(ALL, longs)),
        ("distinct of longs by hour", timeseries(HOUR, longs)),
        ("distinct of 1 M values by 50", group(r#""quantity""#, DISTINCT)),
        (
            "distinct: top 20 of 1 M, few rows",
            recent(&top_by_count("part").replace(r#""threshold":100"#, r#""threshold":20"#), 3600),
        ),
        ("distinct of 1 M values", timeseries(ALL, DISTINCT)),
        ("distinct of 1 M values by date", group(r#""date""#, DISTINCT)),
        ("distinct of 2,500 values by mode", group(r#""mode""#, dates)),
    ]
}

fn grouped() -> Vec<Named> {
    let both = &format!("{SUM},{COUNT}");
    vec![
        ("top 100 of 2,500 groups", top("date", SUM)),
        ("top 100 of 2,500 groups, four sums", top("date", SUMS)),
        ("top 100 of 1 M groups", top("part", SUM)),
        ("top 100 of 1 M groups by count", top_by_count("part")),
        ("top 100 of 1 M groups, four sums", top("part", SUMS)),
        ("top 100 of 7 groups", top("mode", SUM)),
        ("four sums by 7 values", group(r#""mode""#, SUMS)),
        ("count, one sum by 7 values", group(r#""mode""#, both)),
        ("group by 7 values and 50", group(r#""mode","quantity""#, both)),
        ("group by 7 values and 1 M", group(r#""mode","part""#, both)),
    ]
}

fn computed() -> Vec<Named> {
    let of = |expression: &str, output: &str, rest: &str| {
        format!(
            r#"{{{BASE},{ALL},"virtualColumns":[{{"type":"expression","name":"v",
            "expression":"{expression}","outputType":"{output}"}}],{rest}}}"#
        )
    };
    let groups = format!(r#""queryType":"groupBy","dimensions":["v"],"aggregations":[{COUNT}]"#);
    let aggregate = |kind: &str| {
        format!(
            r#""queryType":"timeseries","aggregations":[{{"type":"{kind}","name":"a",
            "fieldName":"v"}}]"#
        )
    };
    let (hour, distinct) = ("timestamp_extract(__time, 'HOUR'", aggregate("HLLSketchBuild"));
    let product = r#"{"type":"doubleSum","name":"a","expression":"price * (1 - discount)"}"#;
    let case = "case_searched(quantity > 24, 'many', 'few')";
    let new_york = format!("{hour}, 'America/New_York')");
    vec![
        ("sum of an expression", timeseries(ALL, product)),
        ("computed: group by hour of day", of(&format!("{hour}, 'UTC')"), "LONG", &groups)),
        ("computed: sum of hour in New York", of(&new_york, "LONG", &aggregate("longSum"))),
        ("computed: distinct pairs", of("concat(date, '|', mode)", "STRING", &distinct)),
        ("computed: text's beginning", of("substring(date, 0, 7)", "STRING", &groups)),
        ("computed: case of numbers", of(case, "STRING", &groups)),
        ("computed: distinct parts and modes", of("concat(part, '|', mode)", "STRING", &distinct)),
    ]
}

fn measure(name: &str, query: &str, segment: &Arc<MappedSegment>, rows: usize) {
    let query = Arc::new(Query::parse(query.as_bytes()).unwrap());
    let ctx = ExecContext::default();
    let run_time = mean_time(|| {
        std::hint::black_box(run(&query, segment.as_ref(), &ctx).unwrap());
    });
    // Values' hashes are kept, as a node does.
    let dictionaries = Some(Arc::new(NodeDictionaries::new(1 << 28)));
    let ctx = ExecContext { dictionaries, ..ExecContext::default() };
    let answer_time = mean_time(|| {
        let view = Arc::clone(segment) as Arc<dyn SegmentView>;
        let item = SharedItem { query: Arc::clone(&query), view, whole: None };
        let run = SharedRun::new(Arc::clone(&query), vec![item], Extent::Whole);
        let mut worker = Worker::new(Arc::new(run));
        while worker.step(&ctx, &|| false).unwrap() {}
        let mut merger = Merger::new(Arc::clone(&query));
        merger.absorb(worker.into_merger(), &ctx).unwrap();
        let merged = merger.finish(Extent::Whole, &ctx).unwrap();
        let answer = finalise(&query, merged, &ctx).unwrap();
        henge_answer::to_json(&query, &answer).unwrap();
    });
    let rate = |time: Duration| rows as f64 / time.as_secs_f64() / 1e6;
    println!(
        "{name:36} run {:9.1} M rows/s {:9.1} ms   answer {:9.1} M rows/s {:9.1} ms",
        rate(run_time),
        run_time.as_secs_f64() * 1e3,
        rate(answer_time),
        answer_time.as_secs_f64() * 1e3,
    );
}

/// The mean running time of some work, over enough rounds that the clock's ticks do not show.
fn mean_time(mut work: impl FnMut()) -> Duration {
    work();
    let (start, mut rounds) = (cpu_time(), 0);
    loop {
        work();
        rounds += 1;
        let passed = cpu_time() - start;
        if passed > Duration::from_millis(400) {
            return passed / rounds;
        }
    }
}

/// A random number below another.
fn below(noise: &mut Noise, limit: u64) -> u64 {
    noise.bits() % limit
}

fn segment(rows: usize) -> MappedSegment {
    let mut noise = Noise(7);
    let start = 18_262 * DAY_MS;
    let times: Vec<i64> =
        (0..rows as i64).map(|row| start + row * 7 * DAY_MS / rows as i64).collect();
    let doubles = |noise: &mut Noise| -> Vec<f64> {
        (0..rows).map(|_| below(noise, 1 << 30) as f64 / 1e7).collect()
    };
    let noisy = doubles(&mut noise);
    let mut cents = |from: u64, to: u64| -> Vec<f64> {
        (0..rows).map(|_| (from + below(&mut noise, to - from)) as f64 / 100.0).collect()
    };
    // As TPC-H has them: prices of 24 bits, discounts and taxes of 4.
    let (price, discount, tax) = (cents(90_000, 10_500_000), cents(0, 11), cents(0, 9));
    let quantity: Vec<i64> = (0..rows).map(|_| below(&mut noise, 50) as i64 + 1).collect();
    // An order's rows follow each other.
    let order: Vec<i64> = (0..rows as i64).map(|row| row / 4 * 7919).collect();
    let mode: Vec<u32> = (0..rows).map(|_| below(&mut noise, 7) as u32 + 1).collect();
    let part: Vec<u32> = (0..rows).map(|_| below(&mut noise, PARTS as u64) as u32 + 1).collect();
    let (mut modes, mut parts) = (StringTable::new(), StringTable::new());
    MODES.iter().for_each(|mode| modes.push(mode));
    (0..PARTS).for_each(|part| parts.push(&format!("part {part:07}")));
    let date: Vec<u32> = (0..rows).map(|_| below(&mut noise, DATES as u64) as u32 + 1).collect();
    let mut dates = StringTable::new();
    (0..DATES).for_each(|date| dates.push(&format!("date {date:04}")));
    let interval = Interval { start_ms: start, end_ms: start + 7 * DAY_MS };
    let id = SegmentId::new("t", interval, Version(1), 0);
    let mut writer =
        SegmentWriter::new(Vec::new(), id, schema(), rows, WriteOptions::hot()).unwrap();
    let mut write = |name: &str, data: ColumnData<'_>| writer.write_column(name, data).unwrap();
    write("__time", ColumnData::Long { values: &times, nulls: None });
    write("mode", ColumnData::String { dictionary: &modes, ids: &mode, bitmaps: true });
    write("part", ColumnData::String { dictionary: &parts, ids: &part, bitmaps: true });
    write("date", ColumnData::String { dictionary: &dates, ids: &date, bitmaps: true });
    write("quantity", ColumnData::Long { values: &quantity, nulls: None });
    write("order", ColumnData::Long { values: &order, nulls: None });
    for (name, values) in
        [("price", &price), ("discount", &discount), ("tax", &tax), ("noisy", &noisy)]
    {
        write(name, ColumnData::Double { values, nulls: None });
    }
    let (_, bytes) = writer.finish_into().unwrap();
    MappedSegment::open(Arc::new(bytes)).unwrap()
}

fn schema() -> SegmentSchema {
    support::schema(&[
        ("mode", ColumnType::String),
        ("part", ColumnType::String),
        ("quantity", ColumnType::Long),
        ("order", ColumnType::Long),
        ("price", ColumnType::Double),
        ("discount", ColumnType::Double),
        ("tax", ColumnType::Double),
        ("noisy", ColumnType::Double),
        ("date", ColumnType::String),
    ])
}
