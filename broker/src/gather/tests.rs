//! Queries over nodes that fail, lack, lie, are late and say nothing: by hand, and whatever they do.

mod elsewhere;
mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use henge_platform::discovery::{Discovery, ServerAddress, ServerDescription, ServerId};
use henge_platform::membership::MissingInventory;
use henge_types::ErrorClass;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use self::world::{Act, Dials, Found, PLAIN, Scripted, World, announced, options, segment};
use crate::{BrokerError, BrokerOptions, ClusterLinks};

const AWAY: Act = Act::Fail { after_ms: 0, class: ErrorClass::Unavailable };

fn parts<'f>(found: &'f Found, node: &str) -> Vec<&'f Value> {
    let nodes = found.profile["nodes"].as_array().unwrap();
    nodes.iter().filter(|part| part["node"] == node).collect()
}

#[tokio::test(start_paused = true)]
async fn f_55_what_a_node_that_died_was_asked_for_replicas_answer() {
    for class in [ErrorClass::Unavailable, ErrorClass::Corrupt, ErrorClass::Internal] {
        let world = World::new(6, &[("a", 0b111111), ("b", 0b000111), ("c", 0b111000)]).await;
        *world.node("a").habit.lock() = Act::Fail { after_ms: 20, class };
        let found = world.ask(json!({})).await.unwrap();
        assert_eq!(found.segments, [0, 1, 2, 3, 4, 5], "{class:?}");
        assert!(found.etag.is_some());
        assert_eq!(parts(&found, "a")[0]["outcome"], "failed");
        let retried = |part: &&Value| part["isRetry"] == true;
        assert_eq!(
            ["b", "c"].map(|n| parts(&found, n).into_iter().filter(retried).count()),
            [1, 1]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn f_55_a_query_starts_over_when_a_node_dies_before_all_that_it_has_on_disk_was_read() {
    let world = World::new(2, &[("a", 0b01), ("b", 0b10)]).await;
    world.node("a").will([Act::Break, AWAY]);
    assert_eq!(world.ask(json!({})).await.unwrap().segments, [0, 1]);
    assert_eq!((world.node("a").calls(), world.node("b").calls()), (3, 2));
    *world.node("a").habit.lock() = Act::Break;
    let error = world.ask(json!({ "allowPartial": true })).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unavailable);
    assert!(error.to_string().contains("told to go"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn errors_that_are_the_querys_are_not_tried_elsewhere() {
    for class in [ErrorClass::ResourceLimit, ErrorClass::InvalidInput, ErrorClass::Unsupported] {
        let world = World::new(2, &[("a", 0b11), ("b", 0b11)]).await;
        for node in world.nodes.values() {
            *node.habit.lock() = Act::Fail { after_ms: 0, class };
        }
        let error = world.ask(json!({})).await.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(world.nodes.values().all(|node| node.calls() <= 1));
    }
}

#[tokio::test(start_paused = true)]
async fn f_39_f_46_a_segment_that_is_damaged_everywhere_is_an_error_at_once() {
    let world = World::new(1, &[("a", 1), ("b", 1)]).await;
    for node in world.nodes.values() {
        *node.habit.lock() = Act::Fail { after_ms: 5, class: ErrorClass::Corrupt };
    }
    let began = Instant::now();
    let error = world.ask(json!({ "allowPartial": true })).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Corrupt);
    assert!(began.elapsed() < Duration::from_millis(100));
    assert!(world.nodes.values().all(|node| node.calls() == 1));
}

#[tokio::test(start_paused = true)]
async fn f_56_what_no_server_can_be_asked_for_is_an_error_or_is_named() {
    let world = World::new(4, &[("a", 0b0011), ("b", 0b1111)]).await;
    *world.node("b").habit.lock() = AWAY;
    let began = Instant::now();
    let error = world.ask(json!({})).await.unwrap_err();
    let BrokerError::SegmentsUnavailable(_) = &error else { panic!("{error}") };
    for part in ["2 segment(s) are unavailable", "told to fail", &segment(3).to_string()] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(7), "{waited:?}");
    // It is asked again now and then, and not in a loop.
    assert!((5..30).contains(&world.node("b").calls()), "{}", world.node("b").calls());

    let found = world.ask(json!({ "allowPartial": true })).await.unwrap();
    assert_eq!(found.segments, [0, 1]);
    assert_eq!(found.etag, None);
    assert_eq!(found.context["missingSegmentCount"], 2);
    let named: Vec<&Value> =
        found.context["missingSegments"].as_array().unwrap().iter().map(|s| &s["part"]).collect();
    assert_eq!(named, [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn f_56_a_node_that_is_back_in_time_is_asked_again() {
    let world = World::new(2, &[("a", 0b01), ("b", 0b10)]).await;
    world.node("b").will([AWAY, AWAY, AWAY]);
    let found = world.ask(json!({})).await.unwrap();
    assert_eq!(found.segments, [0, 1]);
    // What the other answered was not asked for twice.
    assert_eq!((world.node("a").calls(), world.node("b").calls()), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn f_58_a_segment_that_moved_is_asked_of_its_new_server_before_the_others_answer() {
    let world = World::new(2, &[("a", 0b11), ("b", 0b00)]).await;
    let asked = world.ask(json!({}));
    let moves = async {
        world.node("a").was_asked.notified().await;
        world.discovery.announce(&"b".into(), vec![announced(1)]).unwrap();
        world.discovery.unannounce(&"a".into(), vec![segment(1)]).unwrap();
    };
    world.node("a").will([Act::Answer { after_ms: 30, lacks: 0b10 }]);
    let (found, ()) = tokio::join!(asked, moves);
    assert_eq!(found.unwrap().segments, [0, 1]);
    assert_eq!(world.node("b").calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_asked_for_before_the_slowest_has_answered() {
    let world = World::new(3, &[("a", 0b001), ("b", 0b010), ("c", 0b110)]).await;
    *world.node("a").habit.lock() = Act::Answer { after_ms: 1_000, lacks: 0 };
    *world.node("b").habit.lock() = Act::Answer { after_ms: 0, lacks: 0b010 };
    *world.node("c").habit.lock() = Act::Answer { after_ms: 900, lacks: 0 };
    let began = Instant::now();
    let found = world.ask(json!({})).await.unwrap();
    assert_eq!(found.segments, [0, 1, 2]);
    assert_eq!(began.elapsed().as_millis(), 1_000);
    assert_eq!(found.profile["waitedFor"]["node"], "a");
    assert_eq!(found.profile["waitedFor"]["micros"], 1_000_000);
}

#[tokio::test(start_paused = true)]
async fn f_57_a_reply_that_does_not_add_up_is_not_counted() {
    let world = World::new(2, &[("a", 0b11), ("b", 0b11)]).await;
    world.nodes.values().for_each(|node| node.will([Act::Lie, Act::Lie]));
    let error = world.ask(json!({})).await.unwrap_err();
    assert!(error.to_string().contains("answers for 0 segments and lacks 0 of"), "{error}");
    world.nodes.values().for_each(|node| node.forget());
    let found = world.ask(json!({})).await.unwrap();
    assert_eq!(found.segments, [0, 1]);
}

/// Enough calls that it is known how long they take.
async fn warmed(world: &World) {
    for _ in 0..20 {
        world.ask(json!({})).await.unwrap();
    }
    world.nodes.values().for_each(|node| node.asked.lock().clear());
}

#[tokio::test(start_paused = true)]
async fn f_60_a_node_that_hangs_is_hedged_and_its_call_ends() {
    let world = World::new(8, &[("a", 0xff), ("b", 0x0f), ("c", 0xf0)]).await;
    warmed(&world).await;
    *world.node("a").habit.lock() = Act::Silent;
    let began = Instant::now();
    let found = world.ask(json!({})).await.unwrap();
    assert_eq!(found.segments, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(began.elapsed(), options().hedge_floor);
    assert_eq!(parts(&found, "a")[0]["outcome"], "givenUp");
    let hedged = |part: &&Value| part["isHedge"] == true;
    assert_eq!(
        ["b", "c"].map(|name| parts(&found, name).into_iter().filter(hedged).count()),
        [1, 1]
    );
    assert_ne!(found.profile["waitedFor"]["node"], "a");
    world.is_idle().await;
}

#[tokio::test(start_paused = true)]
async fn f_60_whichever_comes_first_counts() {
    let world = World::new(4, &[("a", 0xf), ("b", 0xf)]).await;
    warmed(&world).await;
    // Late, and still before its replica.
    *world.node("a").habit.lock() = Act::Answer { after_ms: 150, lacks: 0 };
    *world.node("b").habit.lock() = Act::Answer { after_ms: 150, lacks: 0 };
    let began = Instant::now();
    assert_eq!(world.ask(json!({})).await.unwrap().segments, [0, 1, 2, 3]);
    assert_eq!(began.elapsed().as_millis(), 150);
    world.is_idle().await;
}

#[tokio::test(start_paused = true)]
async fn f_60_without_a_budget_nobody_is_asked_twice() {
    let options = BrokerOptions { hedge_percent: 0, ..options() };
    let world = World::with(options, ClusterLinks::default(), 4, &[("a", 0xf), ("b", 0xf)]).await;
    warmed(&world).await;
    *world.node("a").habit.lock() = Act::Answer { after_ms: 700, lacks: 0 };
    *world.node("b").habit.lock() = Act::Answer { after_ms: 700, lacks: 0 };
    assert_eq!(world.ask(json!({})).await.unwrap().segments, [0, 1, 2, 3]);
    let asked: usize = world.nodes.values().map(|node| node.calls()).sum();
    assert!(asked <= 2, "{asked}");
}

#[tokio::test(start_paused = true)]
async fn f_60_later_calls_are_given_what_is_left_of_the_time() {
    let world = World::new(1, &[("a", 1), ("b", 1)]).await;
    for node in world.nodes.values() {
        *node.habit.lock() = Act::Fail { after_ms: 300, class: ErrorClass::Internal };
    }
    let error = world.ask(json!({ "timeout": 1_000 })).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Internal);
    let mut left: Vec<u128> =
        world.nodes.values().map(|node| node.asked.lock()[0].0.as_millis()).collect();
    left.sort_unstable();
    assert_eq!(left, [700, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn f_60_a_query_whose_time_is_up_names_whom_it_waited_for() {
    let world = World::new(2, &[("a", 0b01), ("b", 0b10)]).await;
    *world.node("b").habit.lock() = Act::Silent;
    let error = world.ask(json!({ "timeout": 500 })).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Timeout);
    world.is_idle().await;
}

#[tokio::test(start_paused = true)]
async fn f_61_h_97_a_cancelled_query_ends_at_once_and_its_nodes_are_told() {
    let world = World::new(2, &[("a", 0b01), ("b", 0b10), ("c", 0b00)]).await;
    *world.node("b").habit.lock() = Act::Silent;
    let began = Instant::now();
    let cancels = async {
        world.node("b").was_asked.notified().await;
        world.broker.cancel("another").await;
        world.broker.cancel("q").await;
    };
    let (outcome, ()) = tokio::join!(world.ask(json!({})), cancels);
    assert_eq!(outcome.unwrap_err().class(), ErrorClass::Cancelled);
    assert_eq!(began.elapsed(), Duration::ZERO);
    world.is_idle().await;
    let told = |name: &str| world.node(name).cancelled.lock().clone();
    assert_eq!((told("b"), told("c")), (vec!["q".to_owned()], vec![]));
}

#[tokio::test(start_paused = true)]
async fn f_59_a_broker_that_has_not_seen_the_cluster_answers_nothing() {
    let awaited = watch::Sender::new(vec![MissingInventory::NotPulled("h-7".into())]);
    let links = ClusterLinks { awaited: awaited.subscribe(), ..ClusterLinks::default() };
    let world = World::with(options(), links, 1, &[("a", 1)]).await;
    for context in [json!({}), json!({ "allowPartial": true })] {
        let error = world.ask(context).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unavailable);
        assert!(error.to_string().contains("what 'h-7' serves is not known yet"), "{error}");
    }
    awaited.send_replace(Vec::new());
    assert_eq!(world.ask(json!({})).await.unwrap().segments, [0]);
    awaited.send_replace(vec![MissingInventory::Cluster]);
    assert_eq!(world.ask(json!({})).await.unwrap().segments, [0]);
}

#[tokio::test(start_paused = true)]
async fn f_60_a_slow_node_is_spared_while_another_has_its_segments() {
    let world = World::new(8, &[("a", 0xff), ("b", 0xff)]).await;
    *world.node("a").habit.lock() = Act::Answer { after_ms: 80, lacks: 0 };
    for _ in 0..10 {
        world.ask(json!({})).await.unwrap();
    }
    // After the first answer the other one is asked for all.
    assert!(world.node("a").calls() <= 2, "{}", world.node("a").calls());
    assert!(world.node("b").calls() >= 9);
}

fn described(address: &str, zone: &str) -> ServerDescription {
    let address = ServerAddress::Network(address.into());
    ServerDescription { address, zone: zone.into(), ..ServerDescription::default() }
}

#[tokio::test(start_paused = true)]
async fn nodes_of_other_processes_come_move_and_go() {
    let dials = Arc::new(Dials::default());
    let links = ClusterLinks { dial: Some(Arc::clone(&dials) as _), ..ClusterLinks::default() };
    let world = World::with(options(), links, 2, &[("a", 0b01)]).await;
    let (discovery, server): (_, ServerId) = (&world.discovery, "far".into());
    let (here, there) = (Scripted::named("far"), Scripted::named("far"));
    dials.there.lock().insert("h1:1".into(), Arc::clone(&here));
    dials.there.lock().insert("h2:1".into(), Arc::clone(&there));
    discovery.join(&server, &described("h1:1", "")).unwrap();
    discovery.announce(&server, vec![announced(1)]).unwrap();
    for _ in 0..3 {
        assert_eq!(world.ask(json!({})).await.unwrap().segments, [0, 1]);
    }
    assert_eq!((here.calls(), dials.dialed.lock().len()), (3, 1));
    discovery.join(&server, &described("h2:1", "")).unwrap();
    assert_eq!(world.ask(json!({})).await.unwrap().segments, [0, 1]);
    assert_eq!((here.calls(), there.calls(), dials.dialed.lock().len()), (3, 1, 2));
    discovery.leave(&server).unwrap();
    let error = world.ask(json!({})).await.unwrap_err().to_string();
    assert!(error.contains("1 segment(s) are unavailable"), "{error}");
    // Nobody holds it any more but who made it and the test.
    assert_eq!(Arc::strong_count(&there), 2);
    discovery.join(&server, &described("h3:1", "")).unwrap();
    discovery.announce(&server, vec![announced(1)]).unwrap();
    let error = world.ask(json!({})).await.unwrap_err().to_string();
    assert!(error.contains("nobody is at h3:1"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn nodes_of_the_own_zone_are_asked_and_named() {
    let dials = Arc::new(Dials::default());
    let links = ClusterLinks {
        dial: Some(Arc::clone(&dials) as _),
        zone: "west".into(),
        ..ClusterLinks::default()
    };
    let world = World::with(options(), links, 4, &[]).await;
    let nodes = ["east", "west"].map(|zone| {
        let server: ServerId = format!("in-{zone}").into();
        let node = Scripted::named(&server);
        let address = format!("{zone}:1");
        dials.there.lock().insert(address.clone(), Arc::clone(&node));
        world.discovery.join(&server, &described(&address, zone)).unwrap();
        world.discovery.announce(&server, (0..4).map(announced).collect()).unwrap();
        node
    });
    let found = world.ask(json!({})).await.unwrap();
    assert_eq!(found.segments, [0, 1, 2, 3]);
    assert_eq!(nodes.map(|node| node.calls()), [0, 1]);
    let part = parts(&found, "in-west")[0];
    assert_eq!((&part["zone"], &part["segments"]), (&json!("west"), &json!(4)));
}

fn act() -> impl Strategy<Value = Act> {
    let classes = [
        ErrorClass::Unavailable,
        ErrorClass::Corrupt,
        ErrorClass::Internal,
        ErrorClass::ResourceLimit,
    ];
    let class = (0..4_usize).prop_map(move |which| classes[which]);
    let after_ms = prop_oneof![Just(0_u64), 0..300_u64, 500..3_000_u64];
    prop_oneof![
        4 => after_ms.clone().prop_map(|after_ms| Act::Answer { after_ms, lacks: 0 }),
        2 => (after_ms.clone(), any::<u64>())
            .prop_map(|(after_ms, lacks)| Act::Answer { after_ms, lacks }),
        3 => (after_ms, class).prop_map(|(after_ms, class)| Act::Fail { after_ms, class }),
        1 => Just(Act::Lie),
        1 => Just(Act::Break),
        1 => Just(Act::Silent),
        2 => Just(PLAIN),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever nodes do: every segment counts once, or there is an error, or what lacks is named.
    #[test]
    fn f_55_f_56_f_57_f_60_an_answer_has_every_segment_once_or_says_what_it_lacks(
        has in prop::collection::vec(0..256_u64, 3),
        acts in prop::collection::vec(prop::collection::vec(act(), 0..8), 3),
        habits in prop::collection::vec(act(), 3),
        may_be_partial in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let nodes = [("a", has[0] | 0x11), ("b", has[1] | 0x66), ("c", has[2] | 0x88)];
            let world = World::new(8, &nodes).await;
            warmed(&world).await;
            for (node, (acts, habit)) in world.nodes.values().zip(acts.into_iter().zip(habits)) {
                node.will(acts);
                *node.habit.lock() = habit;
            }
            for _ in 0..3 {
                let context = json!({ "allowPartial": may_be_partial, "timeout": 20_000 });
                check(world.ask(context).await, may_be_partial);
                world.is_idle().await;
            }
        });
    }
}

/// That it counts nothing twice was seen when it was read.
fn check(outcome: Result<Found, BrokerError>, may_be_partial: bool) {
    let Ok(Found { segments, context, etag, .. }) = outcome else { return };
    let lacking: Vec<u32> = (0..8).filter(|partition| !segments.contains(partition)).collect();
    let named = context["missingSegments"].as_array().cloned().unwrap_or_default();
    let named: Vec<u32> =
        named.iter().map(|segment| segment["part"].as_u64().unwrap() as u32).collect();
    assert_eq!(named, lacking);
    assert!(lacking.is_empty() || (may_be_partial && etag.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_over_on_its_node() {
    let world = World::new(1, &[("a", 1)]).await;
    *world.node("a").habit.lock() = Act::Silent;
    let world = Arc::new(world);
    let asking = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.ask(json!({})).await.map(drop) }
    });
    world.node("a").was_asked.notified().await;
    assert_eq!(world.node("a").at_work.load(Ordering::SeqCst), 1);
    asking.abort();
    world.is_idle().await;
}
