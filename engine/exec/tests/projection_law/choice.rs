//! Which projection answers which query, and what the context flags do.

use std::collections::BTreeMap;

use henge_exec::projection::plan;
use henge_oracle::OracleRow;
use henge_query::Query;
use henge_segment::{MappedSegment, SegmentView};
use henge_types::{Value as Cell, format_timestamp};
use serde_json::{Value, json};

use crate::data::{self, Part, START_MS, Storage};
use crate::{specs, with_projections};

const HOUR_MS: i64 = 3_600_000;

/// Two rows every ten minutes of a day.
fn segment() -> MappedSegment {
    let row = |number: i64| {
        let text = |text: &str| Cell::String(text.to_owned());
        let values = [
            ("s", text(if number % 2 == 0 { "even" } else { "odd" })),
            ("m", text("m")),
            ("l", Cell::Long(number % 3)),
            ("d", Cell::Double(0.5)),
            ("lm", Cell::Long(number)),
            ("fm", Cell::Float(1.0)),
            ("dm", Cell::Double(0.25)),
            ("hm", text("h")),
        ];
        let values: BTreeMap<String, Cell> =
            values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        OracleRow { time_ms: START_MS + number / 2 * HOUR_MS / 6, values }
    };
    let part =
        Part { rows: (0..288).map(row).collect(), storage: Storage::File, before_time: vec!["l"] };
    let projections = [
        json!({
            "type": "aggregate", "name": "hourly",
            "virtualColumns": [{
                "type": "expression", "name": "__gran", "outputType": "LONG",
                "expression": "timestamp_floor(__time, 'PT1H')",
            }],
            "groupingColumns": [{"type": "long", "name": "__gran"}, {"type": "string", "name": "s"}],
            "aggregators": [
                {"type": "count", "name": "rows"},
                {"type": "longSum", "name": "total", "fieldName": "lm"},
            ],
        }),
        json!({
            "type": "aggregate", "name": "daily", "granularity": "day", "groupingColumns": ["s"],
            "aggregators": [{"type": "count", "name": "rows"}],
        }),
        json!({
            "type": "aggregate", "name": "even", "groupingColumns": ["l"],
            "filter": {"type": "selector", "dimension": "s", "value": "even"},
            "aggregators": [{"type": "count", "name": "rows"}],
        }),
    ];
    with_projections(&data::file(&part, 0), &specs::parse(&projections))
}

fn query(change: impl FnOnce(&mut Value)) -> Query {
    let mut query = json!({
        "queryType": "timeseries", "dataSource": "t", "granularity": "all",
        "intervals": ["2024-03-09/2024-03-12"],
        "aggregations": [{"type": "count", "name": "n"}],
        "context": {},
    });
    change(&mut query);
    Query::parse(query.to_string().as_bytes()).unwrap()
}

fn chosen(segment: &MappedSegment, change: impl FnOnce(&mut Value)) -> Option<String> {
    let plan = plan(&query(change), segment).unwrap();
    plan.map(|plan| {
        assert!(plan.view(segment).row_count() < segment.row_count());
        plan.name().to_owned()
    })
}

#[test]
fn the_smallest_projection_that_can_answers() {
    let segment = segment();
    assert_eq!(segment.projections().len(), 3);
    let sum = json!([{"type": "longSum", "name": "x", "fieldName": "lm"}]);
    let even = json!({"type": "selector", "dimension": "s", "value": "even"});
    assert_eq!(chosen(&segment, |_| {}).as_deref(), Some("daily"));
    assert_eq!(chosen(&segment, |q| q["granularity"] = json!("hour")).as_deref(), Some("hourly"));
    assert_eq!(chosen(&segment, |q| q["granularity"] = json!("minute")), None);
    assert_eq!(chosen(&segment, |q| q["aggregations"] = sum.clone()).as_deref(), Some("hourly"));
    let both = json!({"type": "and", "fields": [
        even.clone(), {"type": "selector", "dimension": "l", "value": "1"},
    ]});
    assert_eq!(chosen(&segment, |q| q["filter"] = both).as_deref(), Some("even"));
    assert_eq!(chosen(&segment, |q| q["filter"] = even.clone()).as_deref(), Some("daily"));
    let unknown = json!({"type": "selector", "dimension": "d", "value": "0.5"});
    assert_eq!(chosen(&segment, |q| q["filter"] = unknown), None);
}

#[test]
fn intervals_must_not_cut_buckets() {
    let segment = segment();
    let from = |ms: i64| json!([format!("{}/2024-03-12", format_timestamp(START_MS + ms))]);
    assert_eq!(chosen(&segment, |q| q["intervals"] = from(HOUR_MS)).as_deref(), Some("hourly"));
    assert_eq!(chosen(&segment, |q| q["intervals"] = from(HOUR_MS / 2)), None);
    assert_eq!(chosen(&segment, |q| q["intervals"] = from(-HOUR_MS / 2)).as_deref(), Some("daily"));
}

#[test]
fn context_flags() {
    let segment = segment();
    let flags = |flags: Value| move |q: &mut Value| q["context"] = flags;
    assert_eq!(chosen(&segment, flags(json!({"noProjections": true}))), None);
    let named = json!({"useProjection": "hourly"});
    assert_eq!(chosen(&segment, flags(named.clone())).as_deref(), Some("hourly"));
    let refused = |change: &dyn Fn(&mut Value)| {
        let error = plan(&query(change), &segment).expect_err("it cannot answer");
        assert_eq!(error.class(), henge_types::ErrorClass::InvalidInput);
        error.to_string()
    };
    let fine = refused(&|q| {
        q["granularity"] = json!("minute");
        q["context"] = named.clone();
    });
    assert!(fine.contains("projection 'hourly' cannot answer") && fine.contains("finer"), "{fine}");
    let unknown = refused(&|q| q["context"] = json!({"useProjection": "nope"}));
    assert!(unknown.contains("does not have it"), "{unknown}");
    let forced = refused(&|q| {
        q["granularity"] = json!("minute");
        q["context"] = json!({"forceProjections": true});
    });
    assert!(forced.starts_with("forceProjections: no projection can answer"), "{forced}");
    // Queries over rows never use projections, and are not refused.
    let scan = json!({
        "queryType": "scan", "dataSource": "t", "intervals": ["2024-03-09/2024-03-12"],
        "context": {"forceProjections": true},
    });
    let scan = Query::parse(scan.to_string().as_bytes()).unwrap();
    assert!(plan(&scan, &segment).unwrap().is_none());
}
