//! Coordinators over hosts that obey, fail, hang, come and go.

use std::sync::Arc;

use henge_data_node::Instruction;
use henge_platform::discovery::Discovery;
use henge_platform::metadata::{MetadataError, MetadataStore};
use henge_platform::runtime::spawn;

use super::*;
use crate::CoordinatorOptions;
use crate::leadership::Leadership;
use crate::testing::{Mood, Setup};

fn run(coordinator: &Arc<Coordinator>) -> tokio::task::JoinHandle<()> {
    let coordinator = Arc::clone(coordinator);
    spawn(async move { coordinator.run_woken_by(&Notify::new()).await })
}

#[tokio::test(start_paused = true)]
async fn f_53_f_60_a_host_that_hangs_holds_up_nobody_else() {
    let setup = Setup::new();
    let (slow, _fast) = (setup.host("a", ""), setup.host("b", ""));
    *slow.mood.lock() = Mood::Hangs;
    let ids = setup.publish(0..40).await;
    let coordinator = setup.coordinator(1, Leadership::alone());
    let _running = run(&coordinator);
    setup.pass(5_000).await;
    let loaded = |ids: &[henge_types::SegmentId]| {
        ids.iter().filter(|id| setup.holders(id).contains("b")).count()
    };
    assert_eq!(loaded(&ids), 20);
    assert_eq!(slow.heard("load"), 8, "no more at once");
    // What is published meanwhile is loaded by the other, too.
    let later = setup.publish(40..42).await;
    setup.pass(5_000).await;
    assert_eq!(loaded(&later) + loaded(&ids), 21);
    // When its time is up each goes elsewhere.
    setup.pass(900_000).await;
    assert_eq!(loaded(&later) + loaded(&ids), 42);
    assert_eq!(coordinator.progress().borrow().waiting_to_load, 0);
}

#[tokio::test(start_paused = true)]
async fn f_49_f_50_a_load_that_fails_is_tried_elsewhere_and_later_again() {
    let setup = Setup::new();
    let failing = setup.host("a", "");
    *failing.mood.lock() = Mood::Fails;
    let ids = setup.publish(0..1).await;
    let coordinator = setup.coordinator(1, Leadership::alone());
    let _running = run(&coordinator);
    setup.pass(10_000).await;
    let tried = failing.heard("load");
    assert!((3..=6).contains(&tried), "{tried}");
    setup.host("b", "");
    setup.pass(20_000).await;
    assert_eq!(setup.holders(&ids[0]), ["b".to_owned()].into());
}

#[tokio::test(start_paused = true)]
async fn f_54_f_71_hosts_come_and_go_with_their_zones() {
    let setup = Setup::new();
    setup.host("a", "x");
    setup.host("b", "y");
    let ids = setup.publish(0..6).await;
    let coordinator = setup.coordinator(2, Leadership::alone());
    let _running = run(&coordinator);
    setup.pass(4_000).await;
    assert!(ids.iter().all(|id| setup.holders(id).len() == 2));
    let third = setup.host("c", "y");
    setup.pass(60_000).await;
    assert_eq!(third.heard("load"), 0, "what is served stays where it is");
    // It leaves for a moment, and comes back as it was: nothing happens.
    let before = setup.discovery.snapshot().servers.get("b").unwrap().segments.clone();
    setup.discovery.leave(&"b".into()).unwrap();
    setup.pass(20_000).await;
    let second = setup.host("b", "y");
    setup.discovery.announce(&"b".into(), before.values().cloned().collect()).unwrap();
    setup.pass(60_000).await;
    assert_eq!((third.heard("load"), second.heard("load")), (0, 0));
    // It leaves for good: copies are made on what is left.
    setup.discovery.leave(&"b".into()).unwrap();
    setup.pass(28_000).await;
    assert_eq!(third.heard("load"), 0);
    setup.pass(6_000).await;
    assert_eq!(third.heard("load"), 6);
    // It comes back after all: what is too many is dropped after a while, and proved before.
    let second = setup.host("b", "y");
    setup.discovery.announce(&"b".into(), before.values().cloned().collect()).unwrap();
    setup.pass(28_000).await;
    assert_eq!(second.heard("unload") + third.heard("unload"), 0);
    setup.pass(6_000).await;
    assert_eq!(second.heard("unload") + third.heard("unload"), 6);
    for id in &ids {
        let holders = setup.holders(id);
        assert!(holders.len() == 2 && holders.contains("a"), "{holders:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn f_70_no_copy_is_dropped_while_another_is_not_proved() {
    let setup = Setup::new();
    let hosts = ["a", "b"].map(|name| setup.host(name, ""));
    let ids = setup.publish(0..1).await;
    let two = setup.coordinator(2, Leadership::alone());
    two.run_once().await.unwrap();
    assert_eq!(setup.holders(&ids[0]).len(), 2);
    // Either keeps it while the other cannot be asked.
    let one = setup.coordinator(1, Leadership::alone());
    hosts.iter().for_each(|host| *host.mood.lock() = Mood::Fails);
    let _running = run(&one);
    setup.pass(60_000).await;
    assert_eq!(hosts.iter().map(|host| host.heard("unload")).sum::<usize>(), 0);
    hosts.iter().for_each(|host| *host.mood.lock() = Mood::Obeys);
    setup.pass(90_000).await;
    assert_eq!(setup.holders(&ids[0]).len(), 1);
    let told: Vec<Instruction> = hosts
        .iter()
        .flat_map(|host| host.told.lock().iter().map(|(.., told)| *told).collect::<Vec<_>>())
        .collect();
    assert!(told.iter().all(|told| told.epoch == 0 && told.number > 0));
}

#[tokio::test(start_paused = true)]
async fn f_26_nothing_is_dropped_nor_marked_while_not_all_is_seen() {
    let setup = Setup::new();
    let host = setup.host("a", "");
    let ids = setup.publish(0..2).await;
    let coordinator = setup.coordinator(1, Leadership::alone());
    setup.sight.send_replace(false);
    let _running = run(&coordinator);
    // It is waited for a while, then what is missing is loaded all the same.
    setup.pass(25_000).await;
    assert_eq!(host.heard("load"), 0);
    setup.pass(10_000).await;
    assert_eq!(host.heard("load"), 2);
    setup.metadata.mark_unused(&ids, None).await.unwrap();
    setup.pass(60_000).await;
    assert_eq!(host.heard("unload"), 0);
    setup.sight.send_replace(true);
    setup.pass(3_000).await;
    assert_eq!(host.heard("unload"), 2);
}

#[tokio::test(start_paused = true)]
async fn f_68_one_of_two_coordinators_decides_and_the_other_takes_over() {
    let setup = Setup::new();
    let host = setup.host("a", "");
    setup.publish(0..3).await;
    let first = setup.coordinator(1, setup.by_lease("a/1"));
    let second = setup.coordinator(1, setup.by_lease("b/1"));
    let running = run(&first);
    setup.pass(1_000).await;
    let _standing_by = run(&second);
    setup.pass(5_000).await;
    assert!(first.leader().is_leading && !second.leader().is_leading);
    assert_eq!(second.leader().holder.as_deref(), Some("a/1"));
    assert_eq!(second.progress().borrow().runs, 0);
    let epoch = first.leader().epoch;
    assert!(host.told.lock().iter().all(|(.., told)| told.epoch == epoch));
    // It dies: within the time of a term another leads.
    running.abort();
    setup.pass(14_000).await;
    assert!(second.leader().is_leading && second.leader().epoch > epoch);
    assert!(!first.leader().is_leading);
    let published = setup.publish(3..4).await;
    setup.pass(3_000).await;
    assert!(!setup.holders(&published[0]).is_empty());
    // It stops: the next one need not wait.
    let third = setup.coordinator(1, setup.by_lease("c/1"));
    let _standing_by = run(&third);
    setup.pass(1_000).await;
    second.resign().await.unwrap();
    setup.pass(3_500).await;
    assert!(third.leader().is_leading && !second.leader().is_leading);
}

/// It is paused with loads under way and drops planned, and wakes when another leads.
#[tokio::test(start_paused = true)]
async fn f_69_what_a_paused_leader_had_in_mind_is_not_done_when_it_wakes() {
    let setup = Setup::new();
    let host = setup.host("a", "");
    *host.mood.lock() = Mood::Hangs;
    setup.publish(0..20).await;
    let first = setup.coordinator(1, setup.by_lease("a/1"));
    let asking = spawn({
        let first = Arc::clone(&first);
        async move { first.shared.leadership.keep().await }
    });
    setup.pass(500).await;
    let epoch = first.leader().epoch;
    assert!(first.decide().await.unwrap() > 0);
    setup.pass(500).await;
    assert_eq!(host.heard("load"), 8);
    // Here it is paused: it renews nothing, and time goes on.
    asking.abort();
    let second = setup.coordinator(1, setup.by_lease("b/1"));
    setup.clock.pass(20_000);
    let _leading = run(&second);
    setup.pass(1_000).await;
    assert!(second.leader().epoch > epoch);
    *host.mood.lock() = Mood::Obeys;
    host.told.lock().clear();
    setup.pass(400_000).await;
    assert!(first.hosts.are_idle());
    assert_eq!(first.decide().await.unwrap(), 0);
    let of_first = host.told.lock().iter().filter(|(.., told)| told.epoch == epoch).count();
    assert_eq!(of_first, 0, "twelve waited for their turn");
    let term = crate::leadership::Term {
        epoch,
        fence: Some(henge_platform::metadata::Fence { lease: crate::LEADER_LEASE.into(), epoch }),
    };
    let marked = setup.metadata.mark_unused(&[], term.fence.as_ref()).await;
    assert!(matches!(marked, Err(MetadataError::Fenced { .. })));
}

#[tokio::test(start_paused = true)]
async fn f_70_f_73_an_empty_host_gets_its_share_by_loading_first_and_dropping_later() {
    let setup = Setup::new();
    let first = setup.host("a", "");
    let ids = setup.publish(0..40).await;
    let options = CoordinatorOptions { moves_at_once: 10, ..CoordinatorOptions::default() };
    let coordinator = setup.coordinator_of(options, Leadership::alone());
    let _running = run(&coordinator);
    setup.pass(4_000).await;
    assert_eq!(first.heard("load"), 40);
    let second = setup.host("b", "");
    setup.pass(20_000).await;
    assert_eq!(second.heard("load"), 0, "not before it has been there for a while");
    for _ in 0..600 {
        setup.pass(500).await;
        assert!(ids.iter().all(|id| !setup.holders(id).is_empty()));
    }
    let of_second = ids.iter().filter(|id| setup.holders(id).contains("b")).count();
    assert!((17..=23).contains(&of_second), "{of_second}");
    assert!(ids.iter().all(|id| setup.holders(id).len() == 1));
    let explained = coordinator.explained_moves();
    assert!((of_second..=30).contains(&explained.len()), "{}", explained.len());
    assert!(explained.iter().all(|one| one.gain > 0.0 && one.outcome == crate::Outcome::Moved));
    let to_second = explained.iter().filter(|one| &*one.to == "b").count();
    assert!(to_second + 2 >= explained.len(), "hardly any goes back: {explained:?}");
    // And then nothing moves any more.
    let heard = (first.told.lock().len(), second.told.lock().len());
    setup.pass(600_000).await;
    assert_eq!((first.told.lock().len(), second.told.lock().len()), heard);
}

#[tokio::test(start_paused = true)]
async fn rules_that_are_set_take_effect_and_what_they_drop_stays_in_deep_storage() {
    let setup = Setup::new();
    setup.host("a", "");
    setup.host("b", "");
    let ids = setup.publish(0..3).await;
    let coordinator = setup.coordinator(1, Leadership::alone());
    let _running = run(&coordinator);
    setup.pass(4_000).await;
    let count = |ids: &[henge_types::SegmentId]| {
        ids.iter().map(|id| setup.holders(id).len()).collect::<Vec<_>>()
    };
    assert_eq!(count(&ids), [1, 1, 1]);
    let set = async |json: &str| {
        let rules = henge_placement::rules::parse_rules(json).unwrap();
        let (author, comment) = ("ann".to_owned(), String::new());
        let change = crate::RuleChange { rules, author, comment, time_ms: 1 };
        coordinator.rules().set("d", &change).await.unwrap();
    };
    set(r#"[{"type": "loadForever", "tieredReplicants": {"_default_tier": 2}}]"#).await;
    setup.pass(60_000).await;
    assert_eq!(count(&ids), [2, 2, 2]);
    set(r#"[{"type": "dropByInterval", "interval": "1970-01-01/1970-01-02"},
        {"type": "loadForever", "tieredReplicants": {"_default_tier": 1}}]"#)
    .await;
    setup.pass(60_000).await;
    assert_eq!(count(&ids), [0, 1, 1]);
    let used = setup.metadata.used_segments().await.unwrap().segments;
    assert_eq!(used.len(), 2);
    // What cannot be read decides nothing.
    setup.metadata.put_document(crate::RULES, "d", "{}").await.unwrap();
    assert!(coordinator.run_once().await.is_err());
    assert_eq!(count(&ids), [0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_explained_with_what_became_of_it() {
    let setup = Setup::new();
    setup.host("a", "");
    let ids = setup.publish(0..2).await;
    let coordinator = setup.coordinator(1, Leadership::alone());
    let _running = run(&coordinator);
    setup.pass(4_000).await;
    assert_eq!(coordinator.explained_moves(), [], "a first copy is no move");
    let second = setup.host("b", "");
    *second.mood.lock() = Mood::Fails;
    coordinator.config().drain(&"a".into(), true, &crate::Said::default(), None).await.unwrap();
    setup.pass(60_000).await;
    let failed = coordinator.explained_moves().pop().unwrap();
    assert_eq!((failed.main_reason, failed.outcome), ("drain", crate::Outcome::Failed));
    assert!(failed.error.unwrap().contains("as told"));
    *second.mood.lock() = Mood::Obeys;
    setup.pass(600_000).await;
    assert!(ids.iter().all(|id| setup.holders(id) == ["b".to_owned()].into()));
    let moved = coordinator.explained_moves().remove(0);
    assert_eq!((&*moved.from, &*moved.to, moved.outcome), ("a", "b", crate::Outcome::Moved));
}
