//! Simulations small enough for every run of the tests.

use std::cell::Cell;

use super::*;
use crate::rules::parse_rules;

fn scenario() -> Scenario {
    let tier =
        TierSpec { name: "_default_tier".into(), nodes: 12, capacity_bytes: None, priority: 0 };
    Scenario {
        segments: 6_000,
        datasources: 20,
        days: 60,
        tiers: vec![tier],
        ..Scenario::default()
    }
}

fn run(scenario: &Scenario, first: Placement, events: &[&str]) -> Vec<Stage> {
    let events: Vec<Event> = events.iter().map(|event| event.parse().unwrap()).collect();
    let mut world = World::of(scenario).unwrap();
    let now_ms = Cell::new(0);
    let clock = || {
        now_ms.set(now_ms.get() + 1);
        now_ms.get()
    };
    let options = SimulationOptions { plan_ms: u64::MAX / 4, ..SimulationOptions::default() };
    simulate(&mut world, first, &events, &options, &clock).unwrap()
}

/// Each zone has one copy of everything, so where one has fewer nodes these have more.
fn check_settled(stage: &Stage, at_most: f64) {
    let name = &stage.name;
    assert_eq!(stage.moves_when_settled, 0, "{stage:#?}");
    assert_eq!((stage.measures.missing_copies, stage.without_room), (0, 0), "{name}");
    assert_eq!(stage.measures.crowded_segments, 0, "{name}");
    for tier in &stage.measures.tiers {
        assert_eq!(tier.nodes_over_cap, 0, "{name}");
        assert!(tier.bytes_largest_over_mean < at_most, "{name}: {tier:?}");
        assert!(tier.load_largest_over_mean < at_most + 0.01, "{name}: {tier:?}");
    }
}

#[test]
fn i_13_planned_is_more_even_than_chance_and_settles_after_everything() {
    let events = ["lose-nodes=1", "flap=1", "add-nodes=2", "drain-nodes=1"];
    let stages = run(&scenario(), Placement::Planned, &events);
    let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
    let expected = [
        "round robin",
        "random",
        "planned",
        "1 node lost",
        "1 node away for a moment",
        "and back",
        "2 empty nodes added",
        "1 node drained",
    ];
    assert_eq!(names, expected);
    let planned = &stages[2].measures.tiers[0];
    for other in [&stages[0].measures.tiers[0], &stages[1].measures.tiers[0]] {
        assert!(planned.bytes_largest_over_mean < other.bytes_largest_over_mean);
        assert!(planned.load_largest_over_mean < other.load_largest_over_mean);
    }
    // One after the other spreads what comes together as well as can be, and little else.
    let random = &stages[1].measures.tiers[0];
    assert!(planned.overlapping.largest_mean < random.overlapping.largest_mean);
    assert!(planned.recent_of_datasource.largest_mean < random.recent_of_datasource.largest_mean);
    check_settled(&stages[2], 1.05);
    for stage in stages[3..].iter().filter(|stage| !stage.name.contains("away")) {
        check_settled(stage, 1.2);
    }
    // One node of twelve lost: its copies are loaded, about a twelfth, and no more.
    let lost = &stages[3];
    assert!(lost.loads > 900 && lost.loads < 1_500, "{lost:?}");
    // Away with two copies of everything: nothing is loaded, and nothing when it is back.
    assert_eq!((stages[4].loads, stages[5].loads, stages[5].drops), (0, 0, 0));
    // Two of thirteen are new: two thirteenths have to move, and less than twice that do.
    let grown = &stages[6];
    assert!(grown.loads == 0 && grown.moves > 1_300 && grown.moves < 3_690, "{}", grown.moves);
    assert!(!grown.examples.is_empty());
}

/// Neither placing all copies nor looking at all segments fits into a plan: each goes on where the one before
/// ended.
#[test]
fn a_cluster_that_is_too_large_for_one_plan_settles_too() {
    let mut world = World::of(&scenario()).unwrap();
    let now_ms = Cell::new(0);
    let clock = || {
        now_ms.set(now_ms.get() + 1);
        now_ms.get()
    };
    let options = SimulationOptions { plan_ms: 12, ..SimulationOptions::default() };
    let stages = simulate(&mut world, Placement::Planned, &[], &options, &clock).unwrap();
    let planned = stages.last().unwrap();
    check_settled(planned, 1.1);
    assert!((5..200).contains(&planned.plans), "{planned:#?}");
}

#[test]
fn a_zone_is_lost_and_what_is_left_takes_over() {
    let mut small = scenario();
    small.tiers[0].capacity_bytes = Some(u64::MAX / 1_000);
    let stages = run(&small, Placement::Planned, &["lose-zone=zone-1"]);
    let lost = &stages[3];
    assert_eq!((lost.measures.missing_copies, lost.measures.missing_segments), (0, 0));
    assert_eq!(lost.loads, 6_000, "each had one copy there");
    // Where there is no room for all, every segment is there once before any is twice.
    let stages = run(&scenario(), Placement::Planned, &["lose-zone=zone-1"]);
    let lost = &stages[3].measures;
    assert!(lost.missing_copies > 0 && lost.missing_segments == 0, "{lost:?}");
    assert_eq!(lost.tiers[0].nodes_over_cap, 0);
}

#[test]
fn rules_move_what_is_old_to_a_cold_tier_and_drop_the_oldest() {
    let tiers = [("hot", 4, 1), ("cold", 6, 0)].map(|(name, nodes, priority)| TierSpec {
        name: name.into(),
        nodes,
        capacity_bytes: Some(u64::MAX / 1_000),
        priority,
    });
    let rules = r#"[{"type": "loadForever", "tieredReplicants": {"hot": 1, "cold": 1}}]"#;
    let both = Scenario { tiers: tiers.to_vec(), rules: parse_rules(rules).unwrap(), ..scenario() };
    let less = r#"rules=[{"type": "dropBeforeByPeriod", "period": "P40D"},
        {"type": "loadByPeriod", "period": "P7D", "tieredReplicants": {"hot": 1, "cold": 1}},
        {"type": "loadForever", "tieredReplicants": {"cold": 1, "nowhere": 1}}]"#;
    let stages = run(&both, Placement::Planned, &[less]);
    let (before, after) = (&stages[2], &stages[3]);
    assert_eq!(before.measures.tiers.iter().map(|tier| tier.copies).sum::<u64>(), 12_000);
    let copies = |stage: &Stage, name: &str| {
        stage.measures.tiers.iter().find(|tier| tier.tier == name).unwrap().copies
    };
    assert!(copies(after, "hot") < copies(before, "hot") / 2);
    assert!(copies(after, "cold") < 6_000);
    assert_eq!(after.tiers_without_nodes[0].0, "nowhere");
    assert_eq!(after.loads, 0);
    assert_eq!(after.moves_when_settled, 0);
}

#[test]
fn a_balanced_start_by_chance_moves_what_it_takes() {
    let stages = run(&scenario(), Placement::Random, &[]);
    check_settled(&stages[2], 1.05);
    assert!(stages[2].moves > 100);
    let (json, text) = (as_json(&stages).unwrap(), as_markdown(&stages));
    assert!(json.contains("\"movesWhenSettled\": 0"));
    for heading in ["## Balance", "## Wishes", "## Work", "## Why some of the moves"] {
        assert!(text.contains(heading), "{text}");
    }
}

#[test]
fn an_exported_cluster_is_read_and_balanced() {
    let json = r#"{"version": 1, "nowMs": 0,
        "defaultRules": [{"type": "loadForever", "tieredReplicants": {"_default_tier": 1}}],
        "rules": {"b": [{"type": "dropForever"}]},
        "servers": [{"name": "n1", "tier": "_default_tier", "capacityBytes": 1000},
                    {"name": "n0", "tier": "_default_tier", "capacityBytes": 1000}],
        "segments": [
            {"datasource": "b", "interval": "2026-01-01/2026-01-02", "sizeBytes": 10, "servers": ["n0"]},
            {"datasource": "a", "interval": "2026-01-02/2026-01-03", "sizeBytes": 10, "servers": ["n1"]},
            {"datasource": "a", "interval": "2026-01-02/2026-01-03", "sizeBytes": 10, "servers": ["n1"]},
            {"datasource": "a", "interval": "2026-01-01/2026-01-02", "sizeBytes": 10}]}"#;
    let mut world = Snapshot::parse(json.as_bytes()).unwrap().into_world().unwrap();
    assert_eq!((world.segments(), world.nodes()), (4, 2));
    let stages =
        simulate(&mut world, Placement::AsGiven, &[], &SimulationOptions::default(), &|| 0)
            .unwrap();
    assert_eq!(stages[0].measures.missing_segments, 1);
    let settled = &stages[1];
    assert_eq!((settled.loads, settled.measures.tiers[0].copies), (1, 3));
    assert_eq!(settled.measures.missing_copies, 0);
    let refused = |text: &str| {
        let snapshot = Snapshot::parse(text.as_bytes());
        snapshot.and_then(Snapshot::into_world).unwrap_err().to_string()
    };
    assert!(refused(&json.replace("\"version\": 1", "\"version\": 2")).contains("version 2"));
    assert!(refused(&json.replace("[\"n1\"]", "[\"n7\"]")).contains("'n7'"));
    assert!(refused("{}").contains("missing field"));
}

#[test]
fn events_that_cannot_happen_are_refused() {
    for text in ["lose-nodes=x", "burn", "add-nodes", "rules=[{}]"] {
        assert!(text.parse::<Event>().is_err(), "{text}");
    }
    let mut world = World::of(&scenario()).unwrap();
    let mut refused = |event: &str| {
        let events = [event.parse().unwrap()];
        simulate(&mut world, Placement::Planned, &events, &SimulationOptions::default(), &|| 0)
            .unwrap_err()
            .to_string()
    };
    assert!(refused("lose-zone=nowhere").contains("nowhere"));
    assert!(refused("lose-nodes=12").contains("some have to be left"));
    let nodes = |nodes| Scenario { tiers: Vec::new(), segments: nodes, ..scenario() };
    assert!(World::of(&nodes(100)).is_err());
}

/// Milliseconds that this thread has computed: what others do meanwhile does not count.
fn computed_ms() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let computed_ns: u64 = text.split(' ').next().unwrap().parse().unwrap();
    computed_ns / 1_000_000
}

/// The size that plans are made for; takes long, so it is run by itself:
/// `cargo test -p henge-placement --lib a_million -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes in a build that is not optimised"]
fn a_million_segments_on_a_hundred_nodes() {
    let mut world = World::of(&Scenario::default()).unwrap();
    println!("made up after {} ms", computed_ms());
    let events = ["lose-nodes=3", "add-nodes=5"];
    let events: Vec<Event> = events.iter().map(|event| event.parse().unwrap()).collect();
    let options = SimulationOptions::default();
    let stages = simulate(&mut world, Placement::Planned, &events, &options, &computed_ms).unwrap();
    println!("{}", as_markdown(&stages));
    assert!(stages.iter().all(|stage| stage.moves_when_settled == 0));
    // What a coordinator does, with nothing to do and with another node: a hundred moves at once.
    for event in [None, Some("add-nodes=1")] {
        let events: Vec<Event> = event.iter().map(|event| event.parse().unwrap()).collect();
        let some = SimulationOptions { moves_per_plan: Some(100), plans: 2, ..options.clone() };
        let stages =
            simulate(&mut world, Placement::AsGiven, &events, &some, &computed_ms).unwrap();
        println!("{}", as_markdown(&stages));
    }
    let options = SimulationOptions { plans: 8, ..options };
    let mut by_chance = World::of(&Scenario::default()).unwrap();
    let stages = simulate(&mut by_chance, Placement::Random, &[], &options, &computed_ms).unwrap();
    println!("{}", as_markdown(&stages));
}
