//! I-14 and I-16 for any body: parsing never panics, accounts for every event, and repeats itself.

use std::sync::Arc;

use henge_query::ingest::DataSchema;
use proptest::prelude::*;
use serde_json::json;

use super::{Collector, parse_with, schema};
use crate::ParseLimits;

fn schemas() -> Vec<Arc<DataSchema>> {
    let metrics = json!([
        {"type": "count", "name": "count"},
        {"type": "longSum", "name": "l", "fieldName": "n"},
        {"type": "doubleSum", "name": "d", "fieldName": "n"},
    ]);
    vec![
        schema(json!({
            "timestampSpec": {"column": "t"},
            "dimensionsSpec": {"dimensions": ["a", {"type": "long", "name": "b"}]},
            "metricsSpec": metrics,
            "transformSpec": {
                "transforms": [{"type": "expression", "name": "a", "expression": "concat(a, b)"}],
                "filter": {"type": "expression", "expression": "n != 3"},
            },
        })),
        schema(json!({
            "timestampSpec": {"column": "t"},
            "dimensionsSpec": {"useSchemaDiscovery": true},
            "metricsSpec": metrics,
        })),
    ]
}

fn limits() -> ParseLimits {
    ParseLimits { max_discovered_dimensions: 4, max_event_bytes: 200, ..Default::default() }
}

/// Every event is counted once and reported once, in order, and a second reading is the same.
fn check(body: &[u8]) {
    for schema in schemas() {
        let (counts, sink): (_, Collector) = parse_with(&schema, limits(), body);
        let (again, second) = parse_with(&schema, limits(), body);
        assert_eq!((&counts, &sink), (&again, &second));
        assert!(sink.rejections.iter().map(|r| r.0).is_sorted());
        assert!(sink.rejections.iter().all(|r| r.1 <= body.len()));
    }
}

fn fragment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\n",
        " ",
        "{\"t\":1}",
        "\"t\":2",
        "\"t\"",
        "{\"t\":3,\"a\":\"x\"}",
        "\"a\":[1,\"y\",null]",
        "\"n\":3",
        "\"n\":1e999",
        "null",
        "true",
        "1.5",
        "-",
        "\\ud800",
        "\"new\":{\"k\":[]}",
        "\u{feff}",
        "é",
        "{\"t\":4,\"q\":1.5}\n",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn i_14_arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&body);
        let mut opened = b"[".to_vec();
        opened.extend_from_slice(&body);
        check(&opened);
    }

    #[test]
    fn i_16_every_event_is_accounted_for(parts in prop::collection::vec(fragment(), 0..25)) {
        check(format!("{{{}", parts.concat()).as_bytes());
        check(parts.concat().as_bytes());
    }

    #[test]
    fn a_damaged_event_leaves_the_others(
        at in 0_usize..40,
        byte in any::<u8>(),
        list in any::<bool>(),
    ) {
        let good = "{\"t\":7,\"a\":\"good\",\"b\":1,\"n\":1}";
        let mut bad = good.as_bytes().to_vec();
        let at = at % bad.len();
        bad[at] = byte;
        let (open, separator, close) = if list { ("[", ",\n", "]") } else { ("", "\n", "") };
        let mut body = format!("{open}{good}{separator}").into_bytes();
        body.extend_from_slice(&bad);
        body.extend_from_slice(format!("{separator}{good}{close}").as_bytes());
        let (counts, _) = parse_with(&schemas()[0], limits(), &body);
        prop_assert!(counts.unwrap().accepted >= 2);
        check(&body);
    }
}
