//! A node is lost: others go on with its logs, or an operator gives them up.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::{random, spawn};
use henge_types::ErrorClass;

use super::world::{DATASOURCE, body};
use super::{World, run};
use crate::error::RealtimeError;
use crate::options::server_of;

async fn take_over(world: &World, by: &str, node: &str) -> Vec<Arc<str>> {
    let node = node.to_owned();
    world.at(by, |this| async move { this.take_over(&node).await }).await.unwrap()
}

/// Leases run out as often as it takes: the node may write and renew its own meanwhile.
async fn take_over_in_time(world: &World, by: &str, node: &str) -> usize {
    loop {
        world.outlive_leases();
        let name = node.to_owned();
        match world.at(by, |this| async move { this.take_over(&name).await }).await {
            Ok(taken) => return taken.len(),
            Err(RealtimeError::Busy(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Pushes until somebody ends it; gives what was answered, and the last push that was not.
struct Pusher {
    name: &'static str,
    first: i64,
    keyed: bool,
}

#[derive(Debug, Default)]
struct Pushed {
    answered: Vec<(i64, i64)>,
    unanswered: Vec<(i64, i64, Option<String>)>,
}

impl Pusher {
    fn start(self, world: &World) -> tokio::task::JoinHandle<Pushed> {
        let node = world.node(self.name);
        let process = world.process(self.name);
        spawn(async move {
            let mut pushed = Pushed::default();
            let mut next = self.first;
            for number in 0..40 {
                let ids = next..next + 1 + number % 4;
                next = ids.end;
                let key = self.keyed.then(|| format!("{}-{number}", self.name));
                let (node, sent, with) = (Arc::clone(&node), ids.clone(), key.clone());
                let push = async move {
                    node.push(DATASOURCE, body(sent), with.as_deref().map(Arc::from)).await
                };
                match process.spawn(push).await {
                    Ok(Ok(_)) => pushed.answered.push((ids.start, ids.end)),
                    Ok(Err(_)) => pushed.unanswered.push((ids.start, ids.end, key)),
                    Err(_) => {
                        pushed.unanswered.push((ids.start, ids.end, key));
                        return pushed;
                    }
                }
                tokio::time::sleep(Duration::from_millis(random::<u64>() % 4)).await;
            }
            pushed
        })
    }
}

/// F-16: a node and its disk are lost at some moment, another goes on, and whoever got no answer asks again.
async fn lose_one(mut world: World, tally: Rc<Cell<(usize, usize)>>, is_paused: bool) {
    for (node, zone) in [("a", "x"), ("b", "y"), ("c", "z")] {
        world.start(node, zone).await;
    }
    world.peers.delay(3);
    world.put_schema("a", "replicated", "").await;
    for node in ["b", "c"] {
        world.followed(node).await;
    }
    let pushers = [
        Pusher { name: "a", first: 0, keyed: true },
        Pusher { name: "a", first: 1_000, keyed: false },
        Pusher { name: "b", first: 2_000, keyed: true },
        Pusher { name: "c", first: 3_000, keyed: false },
    ];
    let running: Vec<_> = pushers.into_iter().map(|pusher| pusher.start(&world)).collect();
    let flushed = world.node("a");
    let process = world.process("a");
    tokio::time::sleep(Duration::from_millis(random::<u64>() % 60)).await;
    drop(process.spawn(async move { flushed.flush().await }));
    tokio::time::sleep(Duration::from_millis(random::<u64>() % 20)).await;
    if !is_paused {
        world.kill("a");
        world.lose_disk("a");
    }
    let mut pushed = Vec::new();
    let (mut replayed, mut repeated) = tally.get();
    for by in ["b", "c"] {
        replayed += take_over_in_time(&world, by, "a").await;
    }
    for pusher in running {
        pushed.push(pusher.await.unwrap());
    }
    if is_paused {
        world.kill("a");
    }
    world.followed("b").await;
    world.followed("c").await;
    let mut expected: BTreeMap<i64, bool> = BTreeMap::new();
    for Pushed { answered, unanswered } in pushed {
        for (first, end) in answered {
            expected.extend((first..end).map(|id| (id, true)));
        }
        for (first, end, key) in unanswered {
            // With a key the client finds out; without one it may be stored or not.
            let is_certain = key.is_some();
            if let Some(key) = key {
                let again = world.push("c", first..end, Some(&key)).await.unwrap();
                repeated += usize::from(again.duplicate);
            }
            expected.extend((first..end).map(|id| (id, is_certain)));
        }
    }
    world.finished("a").await;
    world.flush().await;
    let counts = world.counts().await;
    for (id, is_certain) in &expected {
        let count = counts.get(id).copied().unwrap_or(0);
        assert!(count == 1 || (count == 0 && !is_certain), "event {id} counts {count} times");
    }
    assert!(counts.keys().all(|id| expected.contains_key(id)));
    tally.set((replayed, repeated));
    // On a new disk it begins anew, and on its own, too.
    world.start("a", "x").await;
    world.followed("a").await;
    world.push("a", 9_000..9_003, None).await.unwrap();
    world.flush().await;
    assert_eq!(world.counts().await.len(), counts.len() + 3);
    // Also what it noted before it heard that it was taken for dead.
    assert_eq!(world.metadata.buffered_segments().await.unwrap(), []);
}

#[test]
fn f_16_i_01_a_node_is_lost_with_its_disk_at_fifty_moments_and_nothing_acknowledged_is() {
    let tally = Rc::new(Cell::new((0, 0)));
    for seed in 100..150 {
        run(seed, |world| lose_one(world, Rc::clone(&tally), false));
    }
    let (replayed, repeated) = tally.get();
    println!("{replayed} logs were taken over, {repeated} pushes without an answer were stored");
    assert_eq!(replayed, 50);
    assert!(repeated > 0, "no push was lost between its storing and its answer");
}

#[test]
fn f_10_f_16_i_01_a_node_is_taken_for_dead_while_it_works_and_nothing_acknowledged_is_lost() {
    let tally = Rc::new(Cell::new((0, 0)));
    for seed in 200..225 {
        run(seed, |world| lose_one(world, Rc::clone(&tally), true));
    }
    assert_eq!(tally.get().0, 25);
}

#[test]
fn f_10_i_02_a_node_that_was_paused_does_no_harm_when_it_wakes() {
    run(31, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "replicated", "").await;
        let key = world.key_of("a").await;
        world.push("a", 0..6, Some(&key)).await.unwrap();
        let early = world.at("b", |node| async move { node.take_over("a").await }).await;
        assert_eq!(early.unwrap_err().class(), ErrorClass::Capacity);
        // It hears of nothing, and sleeps through the end of its lease.
        world.outlive_leases();
        assert_eq!(take_over(&world, "b", "a").await, [DATASOURCE.into()]);
        world.finished("a").await;
        // It wakes: it answers for nothing, acknowledges nothing, publishes nothing.
        let stale = world.node("a");
        let buffered = world.discovery_of("a");
        assert!(!buffered.is_empty());
        assert!(buffered.iter().all(|id| !stale.may_answer(id)));
        for with in [None, Some(&*key)] {
            let refused = world.push("a", 6..7, with).await;
            assert!(refused.is_err(), "{refused:?}");
        }
        let flush = world.at("a", |node| async move {
            let _ = tokio::time::timeout(Duration::from_secs(20), node.flush()).await;
            Ok(())
        });
        flush.await.unwrap();
        tokio::time::timeout(Duration::from_secs(60), stale.lost()).await.unwrap();
        assert!(world.push("b", 0..6, Some(&key)).await.unwrap().duplicate);
        // It starts again on its own disk, which has all of it.
        world.kill("a");
        world.start("a", "x").await;
        world.followed("a").await;
        assert!(world.push("a", 0..6, Some(&key)).await.unwrap().duplicate);
        world.push("a", 6..8, None).await.unwrap();
        world.kill("a");
        world.start("a", "x").await;
        world.assert_once(0..8).await;
    });
}

#[test]
fn f_16_i_01_a_node_back_on_a_new_disk_waits_until_its_copy_was_taken_over() {
    run(36, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "replicated", "").await;
        world.push("a", 0..6, None).await.unwrap();
        world.kill("a");
        world.lose_disk("a");
        let clock = Arc::clone(&world.clock);
        let passing = spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                clock.pass(100);
            }
        });
        // Before its lease ran out: it might have it first.
        world.start("a", "x").await;
        passing.abort();
        world.finished("a").await;
        world.followed("a").await;
        world.push("a", 6..8, None).await.unwrap();
        world.assert_once(0..8).await;
    });
}

#[test]
fn f_01_a_takeover_that_is_interrupted_goes_on_at_the_next_start() {
    run(32, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "replicated", "").await;
        world.push("a", 0..6, None).await.unwrap();
        world.push("b", 6..9, None).await.unwrap();
        world.kill("a");
        world.lose_disk("a");
        world.outlive_leases();
        world.refuse_objects(true);
        assert_eq!(take_over(&world, "b", "a").await.len(), 1);
        // All of it is queryable and nothing is published.
        assert_eq!(world.counts().await, BTreeMap::new());
        world.kill("b");
        let noted = world.metadata.buffered_segments().await.unwrap();
        assert!(!noted.is_empty() && noted.iter().all(|of| of.owner == server_of("b")));
        world.start("b", "y").await;
        world.start("a", "x").await;
        world.refuse_objects(false);
        world.finished("a").await;
        world.assert_once(0..9).await;
    });
}

/// Of a push that only its own disk has a part might be published, and the rest be lost with the disk.
#[test]
fn f_16_i_02_what_the_copy_does_not_have_is_not_published_after_a_start_either() {
    run(34, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "replicated", "").await;
        world.push("a", 0..3, None).await.unwrap();
        let key = world.key_of("a").await;
        world.peers.cut("a", "b", true);
        assert!(world.push("a", 3..9, Some(&key)).await.is_err());
        world.kill("a");
        world.start("a", "x").await;
        let flush = world.at("a", |node| async move {
            let _ = tokio::time::timeout(Duration::from_secs(20), node.flush()).await;
            Ok(())
        });
        flush.await.unwrap();
        assert_eq!(world.counts().await, BTreeMap::new());
        world.kill("a");
        world.lose_disk("a");
        world.peers.cut("a", "b", false);
        world.outlive_leases();
        assert_eq!(take_over(&world, "b", "a").await.len(), 1);
        world.start("c", "z").await;
        world.followed("b").await;
        assert!(!world.push("b", 3..9, Some(&key)).await.unwrap().duplicate);
        world.finished("a").await;
        world.assert_once(0..9).await;
    });
}

#[test]
fn i_01_a_log_of_several_schemas_is_gone_on_with_and_one_that_was_drained_needs_nobody() {
    run(35, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "replicated", "").await;
        world.push("a", 0..3, None).await.unwrap();
        world.put_schema("b", "replicated", r#",{"name":"extra","type":"string"}"#).await;
        world.push("a", 3..6, None).await.unwrap();
        world.kill("a");
        world.lose_disk("a");
        world.outlive_leases();
        assert_eq!(take_over(&world, "b", "a").await.len(), 1);
        world.finished("a").await;
        world.start("a", "x").await;
        world.followed("a").await;
        world.followed("b").await;
        world.push("b", 6..8, None).await.unwrap();
        world
            .at("b", |node| async move {
                node.drain().await;
                Ok(())
            })
            .await
            .unwrap();
        world.kill("b");
        world.outlive_leases();
        assert_eq!(take_over(&world, "a", "b").await, []);
        assert_eq!(world.metadata.buffered_segments().await.unwrap(), []);
        world.start("c", "z").await;
        world.assert_once(0..8).await;
    });
}
