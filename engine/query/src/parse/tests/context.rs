//! The context: lenient about spelling, strict about meaning.

use henge_types::ErrorClass;
use serde_json::{Value, json};

use super::{assert_refused, parse, refused, with};
use crate::QueryContext;
use crate::limits::MAX_TIMEOUT_MS;

fn query(context: &Value) -> Value {
    with("timeseries", json!({"context": context}))
}

fn context(context: &Value) -> QueryContext {
    parse(&query(context)).base().context.clone()
}

#[test]
fn defaults_and_null() {
    assert_eq!(context(&json!(null)), QueryContext::default());
    let nulls = context(&json!({"timeout": null, "queryId": null}));
    assert_eq!((nulls.timeout_ms, nulls.query_id), (None, None));
}

#[test]
fn booleans_and_numbers_may_be_strings() {
    let context = context(&json!({
        "skipEmptyBuckets": "true", "grandTotal": "TRUE", "finalize": "false",
        "timeout": "1500", "priority": "-3", "queryId": 17, "minTopNThreshold": 5.0,
        "timestampResultField": "d0", "useCache": false, "vectorize": "force",
        "keyOfTomorrow": [1, 2],
    }));
    assert!(context.skip_empty_buckets && context.grand_total);
    assert!(!context.finalize && !context.use_cache);
    assert_eq!(context.timeout_ms, Some(1500));
    assert_eq!(context.priority, -3);
    assert_eq!(context.query_id.as_deref(), Some("17"));
    assert_eq!(context.min_top_n_threshold, 5);
    assert_eq!(context.timestamp_result_field.as_deref(), Some("d0"));
    assert_eq!(context.raw["keyOfTomorrow"], json!([1, 2]), "unknown keys are kept");
}

#[test]
fn h_94_bad_types_are_named() {
    let cases = [
        (json!({"timeout": -1}), "context.timeout: must not be negative"),
        (json!({"timeout": "soon"}), "context.timeout: must be a whole number, not \"soon\""),
        (json!({"timeout": 1.5}), "context.timeout: must be a whole number"),
        (json!({"timeout": [1]}), "context.timeout: must be a whole number, not a list"),
        (json!({"priority": "high"}), "context.priority: must be a whole number"),
        (json!({"skipEmptyBuckets": "yes"}), "context.skipEmptyBuckets: must be true or false"),
        (
            json!({"skipEmptyBuckets": 1}),
            "context.skipEmptyBuckets: must be true or false, not a n",
        ),
        (
            json!({"maxScatterGatherBytes": -5}),
            "context.maxScatterGatherBytes: must not be negative",
        ),
        (json!({"forceLimitPushDown": {}}), "context.forceLimitPushDown: must be true or false"),
        (json!({"queryId": {"a": 1}}), "context.queryId: must be a string"),
        (json!({"queryId": "a\r\nX-Evil: 1"}), "context.queryId: must have at most"),
        (json!({"queryId": "x".repeat(2000)}), "context.queryId: must have at most"),
        (json!([]), "context: must be an object, not a list"),
    ];
    for (context, beginning) in cases {
        assert_refused(&query(&context), beginning);
    }
}

#[test]
fn h_94_huge_values_are_capped() {
    assert_eq!(context(&json!({"timeout": u64::MAX})).timeout_ms, Some(MAX_TIMEOUT_MS));
    assert_eq!(context(&json!({"priority": 1_000_000_000_000i64})).priority, i32::MAX);
    assert_eq!(context(&json!({"priority": i64::MIN})).priority, i32::MIN);
    assert_eq!(context(&json!({"timeout": 0})).timeout_ms, Some(0), "0 is no timeout");
}

#[test]
fn flags_that_would_change_the_answer_are_unsupported() {
    for flags in [
        json!({"bySegment": true}),
        json!({"realtimeSegmentsOnly": "true"}),
        json!({"groupByEnableMultiValueUnnesting": false}),
    ] {
        assert_eq!(refused(&query(&flags)).class(), ErrorClass::Unsupported, "{flags}");
    }
    context(&json!({"bySegment": false, "groupByEnableMultiValueUnnesting": true}));
}

#[test]
fn times_are_numbers_when_asked_for_and_another_answer_for_caches() {
    let inner = json!({"serializeDateTimeAsLongInner": true});
    assert!(!context(&inner).times_as_numbers, "only between Druid's servers");
    let raw = json!({"serializeDateTimeAsLongInner": true, "finalize": false});
    assert!(context(&raw).times_as_numbers);
    let asked = json!({"serializeDateTimeAsLong": "true"});
    assert!(context(&asked).times_as_numbers);
    let (plain, asked) = (parse(&query(&json!({}))), parse(&query(&asked)));
    assert_ne!(plain.cache_key(), asked.cache_key());
}
