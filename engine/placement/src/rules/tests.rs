//! Rules against what `druid-api` says of each, one by one and as lists.

use std::collections::{BTreeMap, BTreeSet};

use henge_types::Interval;
use serde_json::{Value, json};

use super::*;

const DAY_MS: i64 = 86_400_000;
/// 2026-11-30T12:00:00Z
const NOW_MS: i64 = 1_796_040_000_000;

fn rule(json: &Value) -> Rule {
    parse_rules(&json!([json]).to_string()).unwrap().remove(0)
}

fn refusal(json: &Value) -> String {
    parse_rules(&json.to_string()).unwrap_err().to_string()
}

/// The time from so many days before now until so many days before now.
fn days_ago(from: i64, until: i64) -> Interval {
    Interval { start_ms: NOW_MS - from * DAY_MS, end_ms: NOW_MS - until * DAY_MS }
}

fn check(json: &Value, matching: &[Interval], others: &[Interval]) {
    let rule = rule(json);
    for interval in matching {
        assert!(rule.matches(*interval, NOW_MS), "{json} should match {interval}");
    }
    for interval in others {
        assert!(!rule.matches(*interval, NOW_MS), "{json} should not match {interval}");
    }
}

#[test]
fn forever_matches_everything() {
    for name in ["loadForever", "dropForever", "broadcastForever"] {
        check(&json!({"type": name}), &[days_ago(1, 0), Interval::ETERNITY, days_ago(-5, -6)], &[]);
    }
}

#[test]
fn what_loads_shares_time_and_what_drops_lies_within() {
    let interval = days_ago(10, 5).to_string();
    let inside = [days_ago(10, 5), days_ago(8, 7)];
    let across = [days_ago(11, 9), days_ago(6, 4), days_ago(12, 1)];
    let outside = [days_ago(5, 4), days_ago(11, 10), days_ago(0, -1)];
    for name in ["loadByInterval", "broadcastByInterval"] {
        let rule = json!({"type": name, "interval": interval});
        check(&rule, &[inside.as_slice(), across.as_slice()].concat(), &outside);
    }
    let rule = json!({"type": "dropByInterval", "interval": interval});
    check(&rule, &inside, &[across.as_slice(), outside.as_slice()].concat());
}

#[test]
fn periods_end_now_and_include_the_future_unless_told_otherwise() {
    let past = [days_ago(30, 29), days_ago(1, 0), days_ago(31, 29)];
    let future = [days_ago(-1, -2), days_ago(-400, -401)];
    let old = [days_ago(31, 30), days_ago(100, 99)];
    for name in ["loadByPeriod", "broadcastByPeriod"] {
        check(
            &json!({"type": name, "period": "P30D"}),
            &[past, [future[0], future[1], past[0]]].concat(),
            &old,
        );
        let without = json!({"type": name, "period": "P30D", "includeFuture": false});
        check(&without, &past, &[old, future].concat());
    }
    let inside = [days_ago(30, 29), days_ago(1, 0)];
    let drop = json!({"type": "dropByPeriod", "period": "P30D"});
    check(&drop, &[inside, future].concat(), &[days_ago(31, 29), old[0], old[1]]);
    let without = json!({"type": "dropByPeriod", "period": "P30D", "includeFuture": false});
    check(&without, &inside, &[days_ago(31, 29), future[0], days_ago(1, -1)]);
    let before = json!({"type": "dropBeforeByPeriod", "period": "P30D"});
    check(&before, &old, &[days_ago(31, 29), inside[0], future[0], Interval::ETERNITY]);
}

#[test]
fn months_are_those_of_the_calendar() {
    // Three months before the end of November is the end of August.
    let rule = json!({"type": "loadByPeriod", "period": "P3M", "includeFuture": false});
    let day = |text: &str| Interval::parse(text).unwrap();
    check(&rule, &[day("2026-08-30/2026-08-31")], &[day("2026-08-29/2026-08-30")]);
}

#[test]
fn the_first_match_wins_and_the_default_rules_come_last() {
    let hot = json!([
        {"type": "loadByPeriod", "period": "P7D", "tieredReplicants": {"hot": 2, "cold": 1}},
        {"type": "loadByPeriod", "period": "P90D", "tieredReplicants": {"cold": 2}},
        {"type": "dropBeforeByPeriod", "period": "P1Y"},
    ]);
    let mut book = RuleBook::of_replicas(1);
    book.set("events", parse_rules(&hot.to_string()).unwrap());
    let wanted = |datasource, from| book.wanted(datasource, days_ago(from, from - 1), NOW_MS);
    let load = |tiers: &[(&str, u32)]| {
        Wanted::Load(
            tiers.iter().map(|(tier, n)| ((*tier).to_owned(), *n)).collect::<Replicants>().into(),
        )
    };
    assert_eq!(wanted("events", 1), load(&[("hot", 2), ("cold", 1)]));
    assert_eq!(wanted("events", 8), load(&[("cold", 2)]));
    assert_eq!(wanted("events", 91), load(&[(DEFAULT_TIER, 1)]));
    assert_eq!(wanted("events", 400), Wanted::Drop);
    assert_eq!(wanted("other", 400), load(&[(DEFAULT_TIER, 1)]));
    assert!(matches!(
        book.deciding_rule("events", days_ago(400, 399), NOW_MS),
        Some(Rule::DropBeforeByPeriod { .. })
    ));
    // No rules of its own any more, and none that match.
    book.set("events", Vec::new());
    assert_eq!(book.wanted("events", days_ago(400, 399), NOW_MS), load(&[(DEFAULT_TIER, 1)]));
    let empty = RuleBook::new(Vec::new(), TierAliases::default());
    assert_eq!(empty.wanted("events", days_ago(1, 0), NOW_MS), Wanted::Unruled);
}

#[test]
fn without_tiers_there_are_two_copies_and_with_none_it_stays_in_deep_storage() {
    let wanted = |json: Value| {
        let book = RuleBook::new(vec![rule(&json)], TierAliases::default());
        match book.wanted("d", days_ago(1, 0), NOW_MS) {
            Wanted::Load(replicants) => replicants.as_ref().clone(),
            other => panic!("{other:?}"),
        }
    };
    let two = Replicants::from([(DEFAULT_TIER.to_owned(), 2)]);
    assert_eq!(wanted(json!({"type": "loadForever"})), two);
    assert_eq!(wanted(json!({"type": "loadForever", "tieredReplicants": null})), two);
    assert_eq!(
        wanted(json!({"type": "loadForever", "useDefaultTierForNull": false})),
        Replicants::new()
    );
    assert_eq!(wanted(json!({"type": "loadForever", "tieredReplicants": {}})), Replicants::new());
}

#[test]
fn an_alias_stands_for_each_of_its_tiers() {
    let tiers =
        |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let aliases = BTreeMap::from([("hot".to_owned(), tiers(&["hot_1", "hot_2"]))]);
    let aliases = TierAliases::new(aliases).unwrap();
    let named = |named: &[(&str, u32)]| -> Replicants {
        named.iter().map(|(tier, copies)| ((*tier).to_owned(), *copies)).collect()
    };
    let resolved = aliases.resolve(&named(&[("hot", 2), ("cold", 1), ("hot_2", 3)]));
    assert_eq!(resolved, named(&[("hot_1", 2), ("hot_2", 3), ("cold", 1)]));
    let refused = |pairs: &[(&str, &[&str])]| {
        let aliases = pairs.iter().map(|(alias, named)| ((*alias).to_owned(), tiers(named)));
        TierAliases::new(aliases.collect()).unwrap_err().to_string()
    };
    assert!(refused(&[("a", &["t"]), ("b", &["t"])]).contains("two aliases"));
    assert!(refused(&[("a", &["b"]), ("b", &["t"])]).contains("an alias itself"));
    assert!(refused(&[("a", &[])]).contains("'a' names no tier"));
    assert!(refused(&[("a", &["a"])]).contains("stands for itself"));
    assert!(refused(&[("a", &["t\0"])]).contains("tier name"));
    assert!(refused(&[("a\nb", &["t"])]).contains("tier name"));
    // Beside another one it is a tier that is being split.
    TierAliases::new([("a".to_owned(), tiers(&["a", "b"]))].into()).unwrap();
}

#[test]
fn json_goes_in_and_out_as_druid_writes_it() {
    let rules = json!([
        {"type": "loadByPeriod", "period": "P7D", "includeFuture": true, "tieredReplicants": {"_default_tier": 2}},
        {"type": "loadByInterval", "interval": "2026-01-01T00:00:00.000Z/2026-02-01T00:00:00.000Z",
         "tieredReplicants": {"hot": 1}, "useDefaultTierForNull": false},
        {"type": "dropByInterval", "interval": "2025-01-01T00:00:00.000Z/2026-01-01T00:00:00.000Z"},
        {"type": "dropByPeriod", "period": "P1D", "includeFuture": false},
        {"type": "dropBeforeByPeriod", "period": "P1Y"},
        {"type": "broadcastByInterval", "interval": "2025-01-01T00:00:00.000Z/2026-01-01T00:00:00.000Z"},
        {"type": "broadcastByPeriod", "period": "P1M", "includeFuture": true},
        {"type": "loadForever", "tieredReplicants": {"_default_tier": 2}},
    ]);
    let read = parse_rules(&rules.to_string()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), rules);
    for name in ["dropForever", "broadcastForever"] {
        let last = json!({"type": name});
        assert_eq!(serde_json::to_value(rule(&last)).unwrap(), last);
    }
    let old = json!({"type": "broadcastForever", "colocatedDataSources": ["a", "b"]});
    assert_eq!(serde_json::to_value(rule(&old)).unwrap(), json!({"type": "broadcastForever"}));
}

#[test]
fn h_103_rules_that_make_no_sense_are_refused_with_their_place() {
    let second =
        |bad: Value| refusal(&json!([{"type": "dropBeforeByPeriod", "period": "P1Y"}, bad]));
    let cases = [
        (json!({"type": "loadFourever"}), "loadFourever"),
        (json!({"type": "loadForever", "tieredReplicants": {"a": -1}}), "-1"),
        (json!({"type": "loadForever", "tieredReplicants": {"a": 1_000_000_000}}), "at most 1000"),
        (
            json!({"type": "loadForever", "tieredReplicants": {"": 1}}),
            "'tieredReplicants': tier name",
        ),
        (json!({"type": "loadForever", "tieredReplicants": {"a\nb": 1}}), "tier name 'a\\nb'"),
        (json!({"type": "loadForever", "tieredReplicants": []}), "field 'tieredReplicants': "),
        (json!({"type": "dropForever", "period": "P1D"}), "period"),
        (json!({"type": "loadByPeriod", "period": "P999999999999Y"}), "P999999999999Y"),
        (json!({"type": "loadByPeriod", "period": "-P1D"}), "-P1D"),
        (json!({"type": "loadByPeriod"}), "period"),
        (json!({"type": "loadByPeriod", "period": "P1D", "includefuture": false}), "includefuture"),
        (json!({"type": "loadByInterval", "interval": "2026/2025"}), "end is before the start"),
        (json!({"type": "loadPartialForever"}), "not supported"),
    ];
    for (bad, part) in cases {
        let said = second(bad.clone());
        assert!(said.starts_with("rule 2: ") && said.contains(part), "{bad}: {said}");
    }
    assert!(refusal(&json!({"type": "loadForever"})).contains("array of rules"));
    let twice = r#"[{"type": "loadForever", "tieredReplicants": {"hot": 1, "hot": 2}}]"#;
    let twice = parse_rules(twice).unwrap_err().to_string();
    assert!(twice.contains("'hot' is given twice"), "{twice}");
    let shadowed = json!([{"type": "loadForever"}, {"type": "dropForever"}]);
    assert!(refusal(&shadowed).contains("rule 1: the rules after it never match"));
    let many: Vec<Value> =
        (0..1_001).map(|_| json!({"type": "dropBeforeByPeriod", "period": "P1Y"})).collect();
    assert!(refusal(&json!(many)).contains("at most 1000"));
    assert_eq!(parse_rules("[]").unwrap(), []);
    // Longer than all of time, and written as allowed: it reaches to the beginning.
    let longest = json!({"type": "loadByPeriod", "period": "P4294967295Y", "includeFuture": false});
    check(&longest, &[days_ago(1, 0), Interval::ETERNITY], &[days_ago(-1, -2)]);
}
