//! An operator gives up a node that does not come back.

use std::collections::BTreeSet;
use std::sync::Arc;

use henge_platform::metadata::MetadataStore;
use henge_types::ErrorClass;

use super::world::DATASOURCE;
use super::{World, run};
use crate::error::{RealtimeError, Result};
use crate::node::GivenUp;
use crate::options::server_of;

async fn give_up(
    world: &World,
    at: &str,
    node: &'static str,
    also_lost: &'static [&'static str],
) -> Result<GivenUp> {
    let also_lost: BTreeSet<&str> = also_lost.iter().copied().collect();
    world.at(at, |this| async move { this.give_up(node, &also_lost).await }).await
}

#[test]
fn f_16_what_only_a_lost_disk_had_is_counted_and_named_when_it_is_given_up() {
    run(33, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "local", "").await;
        world.push("a", 0..3, None).await.unwrap();
        world.flush().await;
        world.push("a", 3..6, None).await.unwrap();
        world.push("a", 6..7, None).await.unwrap();
        world.push("b", 7..9, None).await.unwrap();
        let note = |node: Arc<crate::RealtimeNode>| async move {
            node.note_log_marks().await;
            Ok(())
        };
        world.at("a", note).await.unwrap();
        let early = give_up(&world, "b", "a", &[]).await;
        assert!(matches!(early.unwrap_err(), RealtimeError::Busy(_)));
        world.kill("a");
        world.lose_disk("a");
        world.outlive_leases();
        let taken = world.at("b", |node| async move { node.take_over("a").await }).await.unwrap();
        assert_eq!(taken, [], "nothing is taken over of what has no copy");
        let waited_for = world.metadata.buffered_segments().await.unwrap();
        assert!(waited_for.iter().any(|of| of.owner == server_of("a")));
        let given_up = give_up(&world, "b", "a", &[]).await.unwrap();
        assert_eq!(given_up.lost.len(), 1);
        let lost = &given_up.lost[0];
        assert_eq!((lost.datasource.as_str(), lost.log.as_str()), (DATASOURCE, "events/a"));
        assert_eq!((lost.first_record, lost.last_known_record), (2, 3));
        assert_eq!(lost.segments.len(), 3);
        let waited_for = world.metadata.buffered_segments().await.unwrap();
        assert!(waited_for.iter().all(|of| of.owner == server_of("b")));
        world.start("a", "x").await;
        world.push("a", 9..10, None).await.unwrap();
        world.flush().await;
        let counts: Vec<i64> = world.counts().await.into_keys().collect();
        assert_eq!(counts, [0, 1, 2, 7, 8, 9]);
    });
}

#[test]
fn f_16_a_node_that_had_nothing_comes_back_on_a_new_disk_once_it_is_given_up() {
    run(37, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "local", "").await;
        world.push("a", 0..3, None).await.unwrap();
        let look = |node: Arc<crate::RealtimeNode>| async move { node.refresh().await };
        world.at("b", look).await.unwrap();
        world.kill("b");
        world.lose_disk("b");
        world.outlive_leases();
        let given_up = give_up(&world, "a", "b", &[]).await.unwrap();
        assert_eq!(given_up.lost, []);
        world.start("b", "y").await;
        world.push("b", 3..5, None).await.unwrap();
        world.assert_once(0..5).await;
    });
}

#[test]
fn f_16_who_has_a_copy_and_is_not_seen_alive_may_be_starting() {
    run(38, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "replicated", "").await;
        world.push("a", 0..3, None).await.unwrap();
        world.kill("a");
        world.kill("b");
        world.lose_disk("a");
        world.start("c", "z").await;
        world.outlive_leases();
        let early = give_up(&world, "c", "a", &[]).await.unwrap_err();
        assert_eq!(early.class(), ErrorClass::Capacity);
        let said = early.to_string();
        assert!(said.contains("node 'b' has a copy of the log of 'events'"), "{said}");
        assert!(said.contains("?alsoLost=b"), "{said}");
        world.start("b", "y").await;
        let early = give_up(&world, "c", "a", &["b"]).await.unwrap_err().to_string();
        assert!(early.contains("goes on with it by itself"), "{early}");
        world.outlive_leases();
        let taken = world.at("b", |node| async move { node.take_over("a").await }).await.unwrap();
        assert_eq!(taken.len(), 1);
        let given_up = give_up(&world, "c", "a", &[]).await.unwrap();
        assert!(given_up.lost.is_empty() && given_up.summary.starts_with("nothing is lost"));
        world.finished("a").await;
        world.assert_once(0..3).await;
    });
}

#[test]
fn f_16_what_two_lost_disks_had_is_given_up_when_both_are_named() {
    run(39, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "replicated", "").await;
        world.push("a", 0..3, None).await.unwrap();
        for node in ["a", "b"] {
            world.kill(node);
            world.lose_disk(node);
        }
        world.start("c", "z").await;
        world.outlive_leases();
        let given_up = give_up(&world, "c", "a", &["b"]).await.unwrap();
        assert_eq!((given_up.lost.len(), given_up.lost[0].segments.len()), (1, 3));
        assert!(given_up.lost[0].records.starts_with("none is known for certain"));
        assert_eq!(give_up(&world, "c", "b", &["a"]).await.unwrap().lost, []);
        assert_eq!(world.metadata.buffered_segments().await.unwrap(), []);
        world.start("a", "x").await;
        world.followed("a").await;
        world.push("a", 3..4, None).await.unwrap();
        world.flush().await;
        assert_eq!(world.counts().await.into_keys().collect::<Vec<_>>(), [3]);
    });
}

#[test]
fn f_16_whom_nobody_ever_knew_is_not_given_up() {
    run(40, |mut world| async move {
        world.start("a", "x").await;
        world.start("b", "y").await;
        let stranger = give_up(&world, "a", "nobody", &[]).await.unwrap_err();
        assert_eq!(stranger.class(), ErrorClass::NotFound);
        assert!(stranger.to_string().contains("ever had the name 'nobody'"), "{stranger}");
        let server = give_up(&world, "a", "realtime-b", &[]).await.unwrap_err().to_string();
        assert!(server.contains("the node 'b' is called as a server"), "{server}");
        assert!(matches!(give_up(&world, "a", "b", &[]).await, Err(RealtimeError::Busy(_))));
        assert_eq!(world.metadata.lease("realtime/nobody").await.unwrap(), None);
    });
}

#[test]
fn f_16_a_new_disk_does_not_end_that_what_the_lost_one_had_is_missing() {
    run(41, |mut world| async move {
        world.is_in_cluster = true;
        world.start("a", "x").await;
        world.start("b", "y").await;
        world.put_schema("a", "local", "").await;
        world.push("a", 0..3, None).await.unwrap();
        let noted = world.metadata.buffered_segments().await.unwrap();
        world.kill("a");
        world.lose_disk("a");
        world.outlive_leases();
        let refused = world.try_start("a", "x").await.unwrap_err().to_string();
        assert!(refused.contains("the log of 'events' is not on this disk"), "{refused}");
        assert_eq!(world.metadata.buffered_segments().await.unwrap(), noted);
        let given_up = give_up(&world, "b", "a", &[]).await.unwrap();
        assert_eq!(given_up.lost[0].segments.len(), 3);
        world.start("a", "x").await;
        world.push("a", 3..6, None).await.unwrap();
        world.flush().await;
        assert_eq!(world.counts().await.into_keys().collect::<Vec<_>>(), [3, 4, 5]);
    });
}
