//! What two data nodes behind gRPC over loopback cost beside the same nodes in the process, and beside
//! nodes in the process whose messages are encoded and decoded: medians of a small query and of some over
//! all rows. And what it costs to ask a third node, that has no segments, how far its announcements are.
//! Figures are for people, so it runs when asked for:
//! `cargo test -p henge-broker --test wire_cost -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

mod over_grpc;

use std::sync::Arc;
use std::time::{Duration, Instant};

use henge_answer::Form;
use henge_broker::Broker;
use henge_index::{DimensionSchema, IndexLimits, IndexSchema, WriteIndex};
use henge_platform::runtime::CpuPool;
use henge_query::Query;
use henge_segment::SegmentView;
use henge_types::{ColumnType, Granularity, Interval, SegmentId, ValueRef, Version};

use over_grpc::{Way, broker};

const SEGMENTS: u32 = 20;
const ROWS: i64 = 200_000;
const TIMES: usize = 300;
const VISITORS: i64 = 300_000;

fn segment(partition: u32) -> SegmentId {
    SegmentId::new("t", Interval { start_ms: 0, end_ms: 86_400_000 }, Version(1), partition)
}

fn view(partition: u32) -> Arc<dyn SegmentView> {
    let schema = IndexSchema {
        dimensions: vec![
            DimensionSchema::string("page"),
            DimensionSchema::string("visitor"),
            DimensionSchema::new("bytes", ColumnType::Long),
        ],
        before_time: Vec::new(),
        metrics: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    };
    let limits = IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX };
    let mut index = WriteIndex::new(schema, limits).unwrap();
    for row in 0..ROWS {
        let page = format!("/page/{}", row * 7_919 % 1_000);
        // Spread evenly: some come twice as often as others, and none is far ahead.
        let mixed = (row + i64::from(partition) * ROWS).wrapping_mul(0x5851_F42D_4C95_7F2D);
        let visitor = format!("visitor-{:06}", (mixed >> 33).rem_euclid(VISITORS));
        let values =
            [ValueRef::String(&page), ValueRef::String(&visitor), ValueRef::Long(row % 5_000)];
        index.add(row * 400, &values).unwrap();
    }
    index.snapshot(segment(partition))
}

const MANY_GROUPS: &str = "topN of 300,000 groups";

async fn ask(broker: &Broker, text: &str) -> (Duration, usize) {
    let query = Query::parse(text.as_bytes()).unwrap();
    let began = Instant::now();
    let answer = broker.execute(query, Form::Json, "q", None).await.unwrap();
    (began.elapsed(), answer.body.unwrap().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and judges nothing"]
async fn what_grpc_over_loopback_costs() {
    let pool = CpuPool::new(0).unwrap();
    let views: Vec<_> = (0..SEGMENTS).map(view).collect();
    let ways = [Way::Near, Way::Encoded, Way::Grpc, Way::GrpcAndBuffering];
    let mut brokers = Vec::new();
    for way in ways {
        brokers.push((way, broker(&views, &pool, way).await));
    }
    let context = r#""context":{"useResultLevelCache":false,"useCache":false}"#;
    let queries = [
        (
            "count of a minute",
            format!(
                r#"{{"queryType":"timeseries","dataSource":"t","granularity":"all",
                "intervals":"1970-01-01T10:00/PT1M",
                "aggregations":[{{"type":"count","name":"n"}}],{context}}}"#
            ),
        ),
        (
            "topN of all rows",
            format!(
                r#"{{"queryType":"topN","dataSource":"t","granularity":"all","intervals":"1970/P1D",
                "dimension":"page","metric":"s","threshold":10,
                "aggregations":[{{"type":"longSum","name":"s","fieldName":"bytes"}}],{context}}}"#
            ),
        ),
        (
            MANY_GROUPS,
            format!(
                r#"{{"queryType":"topN","dataSource":"t","granularity":"all","intervals":"1970/P1D",
                "dimension":"visitor","metric":"n","threshold":100,
                "aggregations":[{{"type":"count","name":"n"}}],{context}}}"#
            ),
        ),
        (
            "scan of 10,000 rows",
            format!(
                r#"{{"queryType":"scan","dataSource":"t","intervals":"1970/P1D","limit":10000,
                "resultFormat":"compactedList",{context}}}"#
            ),
        ),
    ];
    for (name, text) in queries {
        let mut took = vec![Vec::new(); brokers.len()];
        let times = if name == MANY_GROUPS { TIMES / 10 } else { TIMES };
        for _ in 0..times {
            let mut bytes = None;
            for ((_, broker), took) in brokers.iter().zip(&mut took) {
                let (time, answer_bytes) = ask(broker, &text).await;
                assert_eq!(*bytes.get_or_insert(answer_bytes), answer_bytes, "{name}");
                took.push(time);
            }
        }
        for ((way, _), mut took) in brokers.iter().zip(took) {
            took.sort_unstable();
            let at = |percent: usize| took[took.len() * percent / 100];
            println!("{name}, {way:?}: p50 {:?}, p95 {:?}", at(50), at(95));
        }
    }
}
