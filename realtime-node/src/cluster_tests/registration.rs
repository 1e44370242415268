//! A node that may buffer rows is known to all brokers before it takes the first.

use std::collections::BTreeSet;
use std::time::Duration;

use henge_platform::metadata::{
    BUFFERING_SERVER, Buffering, BufferingBody, MetadataStore, READ_WITHIN,
};
use tokio::time::{Instant, sleep};

use super::{World, run};
use crate::options::server_of;

async fn said(world: &World, node: &str) -> Option<Buffering> {
    let document = world.metadata.get_document(BUFFERING_SERVER, &server_of(node)).await;
    document.unwrap().map(|document| BufferingBody::of(&document).buffering)
}

/// How long a push takes.
async fn push(world: &World, node: &str, id: i64) -> Duration {
    let began = Instant::now();
    world.push(node, id..id + 1, None).await.unwrap();
    began.elapsed()
}

#[test]
fn i_09_pushes_wait_until_all_brokers_know_a_new_node() {
    run(51, |mut world| async move {
        world.is_in_cluster = true;
        let began = Instant::now();
        world.start("a", "x").await;
        world.put_schema("a", "local", "").await;
        assert_eq!(said(&world, "a").await, Some(Buffering::Begins));
        push(&world, "a", 0).await;
        assert!(began.elapsed() > READ_WITHIN);
        assert!(push(&world, "a", 1).await < Duration::from_millis(100));
        sleep(Duration::from_millis(100)).await;
        assert_eq!(said(&world, "a").await, Some(Buffering::Known));
        world.kill("a");
        world.start("a", "x").await;
        assert!(push(&world, "a", 2).await < Duration::from_millis(100), "it is known");
        world.assert_once(0..3).await;
    });
}

#[test]
fn i_09_a_node_that_was_killed_before_brokers_knew_it_waits_again() {
    run(52, |mut world| async move {
        world.is_in_cluster = true;
        world.start("a", "x").await;
        world.put_schema("a", "local", "").await;
        world.kill("a");
        sleep(Duration::from_secs(60)).await;
        world.start("a", "x").await;
        assert!(push(&world, "a", 0).await > READ_WITHIN);
    });
}

/// `henge backup restore` asks the leases who lives.
#[test]
fn f_34_a_node_that_stops_with_rows_in_its_log_has_no_lease_and_finds_them_again() {
    run(55, |mut world| async move {
        world.start("a", "x").await;
        world.put_schema("a", "local", "").await;
        push(&world, "a", 0).await;
        let lease = || world.metadata.lease("realtime/a");
        assert!(lease().await.unwrap().unwrap().remaining_ms > 0);
        let resign = |node: std::sync::Arc<crate::RealtimeNode>| async move {
            node.resign().await;
            Ok(())
        };
        world.at("a", resign).await.unwrap();
        let left = lease().await.unwrap().unwrap();
        assert_eq!((left.holder, left.remaining_ms), (None, 0));
        // What renews it while the process ends changes nothing.
        sleep(Duration::from_secs(20)).await;
        assert_eq!(world.metadata.lease("realtime/a").await.unwrap().unwrap().remaining_ms, 0);
        world.kill("a");
        world.start("a", "x").await;
        world.assert_once(0..1).await;
    });
}

#[test]
fn a_node_that_was_drained_or_given_up_is_asked_about_no_more() {
    run(53, |mut world| async move {
        world.is_in_cluster = true;
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "local", "").await;
        push(&world, "a", 0).await;
        push(&world, "b", 1).await;
        let drain = |node: std::sync::Arc<crate::RealtimeNode>| async move {
            node.drain().await;
            Ok(())
        };
        world.at("a", drain).await.unwrap();
        assert_eq!(said(&world, "a").await, Some(Buffering::Ended));
        world.kill("a");
        world.start("a", "x").await;
        push(&world, "a", 2).await;
        sleep(Duration::from_millis(100)).await;
        assert_eq!(said(&world, "a").await, Some(Buffering::Known));
        world.kill("a");
        assert_eq!(said(&world, "a").await, Some(Buffering::Known), "it may come back");
        world.outlive_leases();
        world
            .at("b", |node| async move { node.give_up("a", &BTreeSet::new()).await })
            .await
            .unwrap();
        assert_eq!(said(&world, "a").await, Some(Buffering::Ended));
    });
}

#[test]
fn a_process_that_is_alone_says_nothing_and_waits_for_nobody() {
    run(54, |mut world| async move {
        world.start("0", "").await;
        world.put_schema("0", "local", "").await;
        assert!(push(&world, "0", 0).await < Duration::from_millis(100));
        assert_eq!(said(&world, "0").await, None);
    });
}
