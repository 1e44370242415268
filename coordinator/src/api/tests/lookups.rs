//! Lookups: set, replaced by later versions, bounded, removed.

use henge_platform::metadata::MAX_LOOKUP_BYTES;
use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
fn spec(version: &str, map: Value) -> Value {
    json!({"version": version, "lookupExtractorFactory": {"type": "map", "map": map}})
}

#[tokio::test(start_paused = true)]
async fn lookups_are_set_and_replaced_by_later_versions() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    let config = format!("{V1}/lookups/config");
    assert_eq!(api.post(&config, "{}").await.0, StatusCode::ACCEPTED);
    assert_eq!(api.druid("/lookups/config").await, json!(["__default"]));
    let first = json!({"__default": {"names": spec("v1", json!({"a": "x"}))}});
    assert_eq!(api.post(&config, &first.to_string()).await, (StatusCode::ACCEPTED, first.clone()));
    assert_eq!(api.druid("/lookups/config/all").await, first);
    assert_eq!(api.druid("/lookups/config/__default").await, json!(["names"]));
    assert_eq!(
        api.druid("/lookups/status").await,
        json!({"__default": {"names": {"loaded": true}}})
    );
    let nodes = api.druid("/lookups/nodeStatus/__default").await;
    assert_eq!(nodes["a"]["current"]["names"]["version"], "v1");
    // The same again is nothing new; another one has to be later.
    assert_eq!(api.post(&config, &first.to_string()).await.0, StatusCode::ACCEPTED);
    let one = format!("{config}/__default/names");
    let (status, refused) = api.post(&one, &spec("v1", json!({"a": "y"})).to_string()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused.to_string().contains("give a later one"), "{refused}");
    let later = spec("v2", json!({"a": "y"}));
    assert_eq!(api.post(&one, &later.to_string()).await.0, StatusCode::ACCEPTED);
    assert_eq!(api.druid("/lookups/config/__default/names").await, later);
    assert_eq!(api.ask(Method::DELETE, &one, "").await.0, StatusCode::ACCEPTED);
    assert_eq!(api.ask(Method::DELETE, &one, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(api.druid("/lookups/config/all").await, json!({}));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_lookup_or_too_large_is_refused_in_words() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    let set = async |spec: Value| {
        let (status, body) =
            api.post(&format!("{V1}/lookups/config/__default/names"), &spec.to_string()).await;
        (status.as_u16(), body.to_string())
    };
    let mut other = spec("v1", json!({}));
    other["lookupExtractorFactory"]["type"] = "cachedNamespace".into();
    let (status, text) = set(other).await;
    assert!(status == 501 && text.contains("supported: map"), "{status} {text}");
    let (status, text) = set(spec("v1", json!([]))).await;
    assert!(status == 400 && text.contains("give an object of keys and values"), "{status} {text}");
    for value in [json!(null), json!(["x"]), json!({"a": 1})] {
        let (status, text) = set(spec("v1", json!({"a": "x", "k": value}))).await;
        assert!(status == 400 && text.contains("the value of key 'k' is"), "{status} {text}");
    }
    let (status, text) = set(spec("v1", json!({"k": "v".repeat(MAX_LOOKUP_BYTES)}))).await;
    assert!(status == 400 && text.contains("load the values as a datasource"), "{status} {text}");
}
