//! Nodes that share a datasource, each with a log and tasks of its own.

use std::sync::Arc;

use henge_platform::metadata::MetadataStore;

use super::world::{DATASOURCE, body};
use super::{World, run};
use crate::node::RealtimeNode;
use crate::push::{OwnLog, PublishedLog};

#[test]
fn i_01_f_06_two_nodes_push_to_one_datasource_at_once_and_counts_are_exact() {
    run(1, |mut world| async move {
        world.start("0", "a").await;
        world.start("1", "b").await;
        world.put_schema("0", "local", "").await;
        let mut next = 0;
        for round in 0..10 {
            let here = world.push("0", next..next + 7, None);
            let there = world.push("1", next + 7..next + 12, None);
            let (here, there) = tokio::join!(here, there);
            assert_eq!((here.unwrap().accepted, there.unwrap().accepted), (7, 5));
            next += 12;
            if round % 3 == 0 {
                world.flush().await;
            }
        }
        world.assert_once(0..next).await;
        for (node, log) in [("0", "events"), ("1", "events/1")] {
            let own = OwnLog::of(&*world.metadata, DATASOURCE, node).await.unwrap();
            assert_eq!((own.name.as_str(), own.folder.as_str()), (log, DATASOURCE));
            let published = PublishedLog::of(&*world.metadata, log).await.unwrap();
            assert_eq!(published.position(), 10);
        }
    });
}

#[test]
fn f_01_each_node_replays_its_own_log_and_no_other() {
    run(2, |mut world| async move {
        world.start("0", "a").await;
        world.start("1", "b").await;
        world.put_schema("1", "local", "").await;
        world.push("0", 0..5, None).await.unwrap();
        world.push("1", 5..9, None).await.unwrap();
        world.kill("0");
        world.kill("1");
        world.start("1", "b").await;
        world.push("1", 9..11, None).await.unwrap();
        world.flush().await;
        assert_eq!(world.counts().await.len(), 6);
        world.start("0", "a").await;
        world.assert_once(0..11).await;
    });
}

#[test]
fn i_01_a_schema_of_another_node_holds_for_pushes_that_begin_after_its_answer() {
    run(3, |mut world| async move {
        world.start("0", "a").await;
        let other = world.start("1", "b").await;
        world.put_schema("0", "local", "").await;
        assert_eq!(other.known(DATASOURCE).unwrap().schema().version, 1);
        world.put_schema("0", "local", r#",{"name":"extra","type":"string"}"#).await;
        assert_eq!(other.known(DATASOURCE).unwrap().schema().version, 2);
        // One that was not told looks by itself within a second, and at once for what it does not know.
        world.peers.cut("1", "0", true);
        world.put_schema("1", "local", "").await;
        let schema = |node: Arc<RealtimeNode>| node.known(DATASOURCE).unwrap().schema().version;
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        assert_eq!(schema(world.node("0")), 3);
        world.start("2", "c").await;
        world.push("2", 0..3, None).await.unwrap();
        let unknown =
            world.at("2", |node| async move { node.push("none", body(0..1), None).await });
        assert!(unknown.await.unwrap_err().to_string().contains("'none' takes no pushes"));
        world.assert_once(0..3).await;
    });
}

#[test]
fn a_task_is_taken_up_by_its_owner_alone_and_uptime_is_counted_once() {
    run(4, |mut world| async move {
        let spec = r#"{"type":"index_parallel","id":"t1","spec":{"dataSchema":{"dataSource":"batch",
            "timestampSpec":{"column":"t","format":"millis"},"dimensionsSpec":{"dimensions":["a"]},
            "granularitySpec":{"segmentGranularity":"day"}},"ioConfig":{"type":"index_parallel","inputSource":{"type":"inline",
            "data":"{\"t\":1,\"a\":\"x\"}"},"inputFormat":{"type":"json"}}}}"#;
        let first = world.start("0", "a").await;
        // Its process ends before it comes to it.
        world.at("0", |_| async move { first.tasks.submit(spec.into()).await }).await.unwrap();
        world.kill("0");
        world.start("1", "b").await;
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        let status = |world: &World| {
            let metadata = Arc::clone(&world.metadata);
            async move { metadata.get_task("t1").await.unwrap().unwrap() }
        };
        let left = status(&world).await;
        if left.duration_ms.is_none() {
            let stopped = world.at("1", |node| async move { node.tasks.stop("t1").await }).await;
            assert!(stopped.unwrap_err().to_string().contains("realtime node '0'"));
        }
        assert_eq!(left.owner, "0");
        world.start("0", "a").await;
        while status(&world).await.duration_ms.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        world.clock.pass(50_000);
        tokio::time::sleep(std::time::Duration::from_secs(70)).await;
        assert_eq!(world.metadata.add_uptime(0).await.unwrap(), 50_000);
    });
}
