//! Rankings over two data nodes: the answer of nodes that send few of their groups is that of nodes that send
//! all of them, byte by byte.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

mod over_grpc;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use henge_answer::Form;
use henge_broker::{Broker, BrokerOptions};
use henge_index::{DimensionSchema, IndexLimits, IndexSchema, MultiValueHandling, WriteIndex};
use henge_platform::runtime::CpuPool;
use henge_query::Query;
use henge_segment::SegmentView;
use henge_types::{ColumnType, Granularity, Interval, SegmentId, ValueRef, Version};

use over_grpc::{Way, broker_of};

const SEGMENTS: u32 = 4;
const ROWS: u64 = 6_000;
const GROUPS: u64 = 1_200;

fn segment(partition: u32) -> SegmentId {
    SegmentId::new("t", Interval { start_ms: 0, end_ms: 86_400_000 }, Version(1), partition)
}

/// Rows of visitors of which some come more often, each with a number, tags and a value that may be below
/// zero.
fn view(partition: u32) -> Arc<dyn SegmentView> {
    let tags = DimensionSchema {
        multi_value: MultiValueHandling::Array,
        ..DimensionSchema::string("tags")
    };
    let schema = IndexSchema {
        dimensions: vec![
            DimensionSchema::string("visitor"),
            DimensionSchema::new("number", ColumnType::Long),
            tags,
            DimensionSchema::new("value", ColumnType::Long),
        ],
        before_time: Vec::new(),
        metrics: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    };
    let limits = IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX };
    let mut index = WriteIndex::new(schema, limits).unwrap();
    let mut state = u64::from(partition) + 1;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for row in 0..ROWS {
        let number = if random(4) == 0 { random(GROUPS / 8) } else { random(GROUPS) };
        let visitor = format!("visitor {number}");
        let name = if number % 97 == 5 { ValueRef::Null } else { ValueRef::String(&visitor) };
        let tags = [format!("tag {}", random(300)), format!("tag {}", random(300))];
        let tags: Vec<Option<&str>> = tags.iter().map(|tag| Some(tag.as_str())).collect();
        let value = random(40) as i64 - if number.is_multiple_of(5) { 30 } else { 4 };
        let values =
            [name, ValueRef::Long(number as i64), ValueRef::Multi(&tags), ValueRef::Long(value)];
        index.add(row as i64 * 1_000, &values).unwrap();
    }
    index.snapshot(segment(partition))
}

async fn ask(broker: &Broker, text: &str) -> String {
    let query = Query::parse(text.as_bytes()).unwrap();
    let answer = broker.execute(query, Form::Json, "q", None).await.unwrap();
    String::from_utf8(answer.body.unwrap().to_vec()).unwrap()
}

/// A query over all rows.
fn query(body: &str) -> String {
    format!(
        r#"{{"dataSource":"t","granularity":"all","intervals":"1970/P1D","aggregations":[
            {{"type":"count","name":"n"}},{{"type":"longSum","name":"s","fieldName":"value"}},
            {{"type":"longMax","name":"most","fieldName":"value"}},
            {{"type":"doubleSum","name":"d","fieldName":"value"}}],
            "context":{{"useResultLevelCache":false,"populateResultLevelCache":false}},{body}}}"#
    )
}

fn queries() -> Vec<String> {
    let long =
        r#"{"type":"default","dimension":"number","outputName":"number","outputType":"LONG"}"#;
    let mut all = Vec::new();
    for dimension in [r#""visitor""#, r#""number""#, r#""tags""#, long] {
        for metric in ["n", "s", "most", "d"] {
            all.push(query(&format!(
                r#""queryType":"topN","dimension":{dimension},"threshold":7,"metric":"{metric}""#
            )));
        }
        all.push(query(&format!(
            r#""queryType":"groupBy","dimensions":[{dimension}],"having":{{"type":"greaterThan",
            "aggregation":"n","value":45}}"#
        )));
    }
    all.push(query(&format!(
        r#""queryType":"groupBy","dimensions":["visitor",{long}],
        "filter":{{"type":"bound","dimension":"value","lower":"-20","ordering":"numeric"}},
        "postAggregations":[{{"type":"arithmetic","name":"mean","fn":"/","fields":[
            {{"type":"fieldAccess","fieldName":"s"}},{{"type":"fieldAccess","fieldName":"n"}}]}}],
        "limitSpec":{{"type":"default","limit":5,"offset":3,
            "columns":[{{"dimension":"n","direction":"descending"}},"visitor"]}}"#
    )));
    all
}

/// The answers of nodes that are reached in such a way, and how many replies lacked groups.
async fn answers(
    views: &[Arc<dyn SegmentView>],
    way: Way,
    ranked_groups: usize,
) -> (Vec<String>, usize) {
    let pool = CpuPool::new(1).unwrap();
    let options = BrokerOptions { ranked_groups, ..BrokerOptions::default() };
    let (broker, left_out) = broker_of(options, views, &pool, way).await;
    let mut answers = Vec::new();
    for query in queries() {
        answers.push(ask(&broker, &query).await);
    }
    (answers, left_out.load(Ordering::Relaxed))
}

#[tokio::test]
async fn i_10_nodes_that_send_few_groups_answer_as_those_that_send_all() {
    let views: Vec<_> = (0..SEGMENTS).map(view).collect();
    let (expected, left_out) = answers(&views, Way::Near, 1).await;
    assert_eq!(left_out, 0, "nothing is carried within a process");
    assert!(expected.iter().all(|answer| answer.len() > 100), "{expected:?}");
    for (way, ranked_groups) in [(Way::Encoded, 1), (Way::Encoded, 100), (Way::Grpc, 100)] {
        let (found, left_out) = answers(&views, way, ranked_groups).await;
        for ((query, found), expected) in queries().iter().zip(&found).zip(&expected) {
            assert_eq!(found, expected, "{way:?} {ranked_groups}: {query}");
        }
        assert!(left_out > queries().len(), "{way:?} {ranked_groups}: {left_out}");
    }
}
