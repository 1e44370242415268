//! Rules in a store, with those who set them.

use henge_placement::rules::{Wanted, parse_rules};
use henge_platform::metadata::MemoryMetadataStore;
use henge_types::Interval;

use super::*;

fn store() -> (Arc<MemoryMetadataStore>, RuleStore) {
    let metadata = Arc::new(MemoryMetadataStore::new());
    (metadata.clone(), RuleStore::new(metadata))
}

fn change(rules: &str, time_ms: i64) -> RuleChange {
    let rules = parse_rules(rules).unwrap();
    RuleChange { rules, author: "ann".into(), comment: format!("at {time_ms}"), time_ms }
}

const KEEP: &str = r#"[{"type": "loadForever", "tieredReplicants": {"hot": 2}}]"#;
const DROP: &str = r#"[{"type": "dropForever"}]"#;

#[tokio::test]
async fn f_74_rules_are_kept_with_their_history() {
    let (_, store) = store();
    assert_eq!(store.get("a").await.unwrap(), []);
    for (name, rules, time_ms) in
        [("a", DROP, 10), ("b", KEEP, 20), ("a", KEEP, 30), ("a", "[]", 40)]
    {
        store.set(name, &change(rules, time_ms)).await.unwrap();
    }
    assert_eq!(store.get("a").await.unwrap(), []);
    let all = store.all().await.unwrap();
    assert_eq!(all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b"]);
    let times = async |name, asked| {
        let history = store.history(name, asked).await.unwrap();
        history.into_iter().map(|(name, change)| (name, change.time_ms)).collect::<Vec<_>>()
    };
    let named = |name: &str, times: &[i64]| {
        times.iter().map(|time| (name.to_owned(), *time)).collect::<Vec<_>>()
    };
    assert_eq!(times(Some("a"), RuleHistory::default()).await, named("a", &[40, 30, 10]));
    let two = RuleHistory { limit: 2, ..RuleHistory::default() };
    assert_eq!(times(Some("a"), two).await, named("a", &[40, 30]));
    let early = RuleHistory { between_ms: (10, 30), ..RuleHistory::default() };
    assert_eq!(times(None, early).await, [named("b", &[20]), named("a", &[10])].concat());
    let first = store.history(Some("b"), two).await.unwrap().remove(0).1;
    assert_eq!((first.author.as_str(), first.comment.as_str()), ("ann", "at 20"));
}

#[tokio::test]
async fn h_103_what_is_refused_leaves_the_rules_as_they_were() {
    let (metadata, store) = store();
    store.set("a", &change(KEEP, 1)).await.unwrap();
    let mut bad = change(KEEP, 2);
    bad.rules.push(Rule::DropForever {});
    let refused = store.set("a", &bad).await.unwrap_err();
    assert!(refused.to_string().contains("never match"), "{refused}");
    assert_eq!(store.get("a").await.unwrap(), change(KEEP, 1).rules);
    // What is no rule stops planning rather than being read as none.
    metadata.put_document(RULES, "b", "{\"rules\": [{}]}").await.unwrap();
    assert!(matches!(store.book(1).await, Err(CoordinatorError::Stored { .. })));
}

#[tokio::test]
async fn plans_read_all_of_them_with_aliases() {
    let (_, store) = store();
    let day = Interval::parse("2026-01-01/P1D").unwrap();
    let copies = |wanted: Wanted| match wanted {
        Wanted::Load(replicants) => replicants.iter().map(|(t, n)| (t.clone(), *n)).collect(),
        other => panic!("{other:?}"),
    };
    let wanted = async |name| -> Vec<(String, u32)> {
        copies(store.book(3).await.unwrap().book.wanted(name, day, 0))
    };
    assert_eq!(wanted("a").await, [("_default_tier".to_owned(), 3)]);
    store.set("a", &change(KEEP, 1)).await.unwrap();
    let aliases = r#"{"hot": ["hot_1", "hot_2"]}"#;
    store.set_aliases(&serde_json::from_str(aliases).unwrap()).await.unwrap();
    assert_eq!(wanted("a").await, [("hot_1".to_owned(), 2), ("hot_2".to_owned(), 2)]);
    assert_eq!(wanted("b").await, [("_default_tier".to_owned(), 3)]);
    store.set(DEFAULT_RULES, &change(DROP, 2)).await.unwrap();
    assert_eq!(store.book(3).await.unwrap().book.wanted("b", day, 0), Wanted::Drop);
}

/// What is stored is read for ever.
#[test]
fn the_stored_form_is_this() {
    let stored = r#"{"rules":[{"type":"loadByPeriod","period":"P7D","includeFuture":true,"tieredReplicants":{"hot":2}},{"type":"dropForever"}],"author":"ann","comment":"why","timeMs":1}"#;
    let change: RuleChange = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_string(&change).unwrap(), stored);
    assert_eq!((change.rules.len(), change.time_ms), (2, 1));
}
