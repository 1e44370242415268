//! Pushes that are answered when a second node has them.

use std::time::Duration;

use super::world::DATASOURCE;
use super::{World, run};
use crate::push::LogState;

async fn follower(world: &World, node: &str) -> Option<String> {
    let state = LogState::of(&*world.metadata, DATASOURCE, node).await.unwrap();
    state.body.copy.map(|copy| copy.follower.to_string())
}

#[test]
fn f_16_a_push_is_answered_when_a_second_node_has_it_in_another_zone_if_there_is_one() {
    run(21, |mut world| async move {
        for (node, zone) in [("a", "x"), ("b", "x"), ("c", "y")] {
            world.start(node, zone).await;
        }
        world.put_schema("a", "replicated", "").await;
        assert_eq!(follower(&world, "a").await.unwrap(), "c");
        world.push("a", 0..3, None).await.unwrap();
        let key = world.key_of("a").await;
        world.push("a", 3..5, Some(&key)).await.unwrap();
        let copies = world.node("c").shared.copies.on_disk().await.unwrap();
        let of_a = copies.iter().find(|copy| &*copy.owner == "a").unwrap();
        let wal = world.node("c").shared.copies.log(of_a, 0).await.unwrap().unwrap();
        let sequences: Vec<u64> = wal.replay(0).map(|record| record.unwrap().sequence).collect();
        assert_eq!(sequences, [1, 2]);
        // The copy is cut as the log is.
        world.flush().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(wal.replay(0).count(), 0);
        world.assert_once(0..5).await;
    });
}

#[test]
fn f_16_without_a_second_node_pushes_are_refused_and_a_lost_one_is_replaced() {
    run(22, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "replicated", "").await;
        world.push("a", 0..3, None).await.unwrap();
        let key = world.key_of("a").await;
        world.kill("b");
        world.lose_disk("b");
        // It is noticed with the first push, whose answer says what is known.
        let refused = world.push("a", 3..4, Some(&key)).await.unwrap_err();
        assert!(refused.to_string().contains("second node"), "{refused}");
        let refused = world.push("a", 4..5, None).await.unwrap_err();
        assert!(refused.to_string().contains("ack: replicated"), "{refused}");
        assert_eq!(refused.class(), henge_types::ErrorClass::Unavailable);
        world.start("c", "y").await;
        world.followed("a").await;
        assert_eq!(follower(&world, "a").await.unwrap(), "c");
        let copies = world.node("c").shared.copies.on_disk().await.unwrap();
        let of_a = copies.iter().find(|copy| &*copy.owner == "a").unwrap();
        let wal = world.node("c").shared.copies.log(of_a, 0).await.unwrap().unwrap();
        assert_eq!(wal.replay(0).count(), 2, "it gets what was not published");
        // The one that was not answered counts once.
        assert!(world.push("a", 3..4, Some(&key)).await.unwrap().duplicate);
        world.push("a", 4..5, None).await.unwrap();
        world.assert_once(0..5).await;
    });
}

#[test]
fn f_16_a_log_of_which_all_or_some_is_published_finds_another_follower() {
    for pushed_after in [0, 1] {
        run(25, |mut world| async move {
            world.start("a", "x").await;
            world.start("b", "y").await;
            world.put_schema("a", "replicated", "").await;
            world.push("a", 0..3, None).await.unwrap();
            world.flush().await;
            for id in 3..3 + pushed_after {
                world.push("a", id..id + 1, None).await.unwrap();
            }
            world.kill("b");
            world.lose_disk("b");
            world.start("c", "y").await;
            // The first push after the loss may be the one that notices it.
            let _ = world.push("a", 4..5, None).await;
            world.followed("a").await;
            assert_eq!(follower(&world, "a").await.unwrap(), "c");
            world.push("a", 5..6, None).await.unwrap();
        });
    }
}

#[test]
fn f_16_a_follower_that_was_away_goes_on_with_its_copy() {
    run(23, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "replicated", "").await;
        world.push("a", 0..3, None).await.unwrap();
        let before = LogState::of(&*world.metadata, DATASOURCE, "a").await.unwrap();
        let key = world.key_of("a").await;
        world.peers.cut("b", "a", true);
        // It gets there, and its answer does not come back.
        let unanswered = world.push("a", 3..4, Some(&key)).await.unwrap_err();
        assert!(unanswered.to_string().contains("second node"), "{unanswered}");
        world.peers.cut("b", "a", false);
        world.followed("a").await;
        assert!(world.push("a", 3..4, Some(&key)).await.unwrap().duplicate);
        // Both start again, one after the other.
        world.kill("b");
        world.start("b", "y").await;
        world.kill("a");
        world.start("a", "x").await;
        world.followed("a").await;
        assert_eq!(LogState::of(&*world.metadata, DATASOURCE, "a").await.unwrap(), before);
        world.push("a", 4..6, None).await.unwrap();
        world.assert_once(0..6).await;
    });
}

#[test]
fn f_16_a_datasource_that_is_local_again_has_no_copy_that_could_be_taken_for_all() {
    run(24, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "local", "").await;
        world.push("a", 0..2, None).await.unwrap();
        world.put_schema("a", "replicated", "").await;
        world.push("a", 2..4, None).await.unwrap();
        assert_eq!(follower(&world, "a").await.unwrap(), "b");
        world.put_schema("a", "local", "").await;
        assert_eq!(follower(&world, "a").await, None);
        world.push("a", 4..5, None).await.unwrap();
        world.kill("a");
        world.outlive_leases();
        let taken = world.at("b", |node| async move { node.take_over("a").await }).await;
        assert_eq!(taken.unwrap(), []);
        world.start("a", "x").await;
        world.assert_once(0..5).await;
    });
}
