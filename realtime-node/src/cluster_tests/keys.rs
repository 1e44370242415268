//! Idempotency keys: stored once, whichever node a push comes to.

use std::collections::BTreeSet;

use super::run;
use super::world::DATASOURCE;
use crate::error::RealtimeError;
use crate::push::KeyOwners;

fn keys() -> impl Iterator<Item = String> {
    (0..40).map(|number| format!("key-{number}"))
}

#[test]
fn f_15_a_key_that_comes_to_both_nodes_at_once_is_stored_once() {
    run(11, |mut world| async move {
        world.start("a", "").await;
        world.start("b", "").await;
        world.put_schema("a", "local", "").await;
        let mut duplicates = 0;
        for (number, key) in (0..).zip(keys()) {
            let ids = || number * 2..number * 2 + 2;
            let (here, there) = tokio::join!(
                world.push("a", ids(), Some(&key)),
                world.push("b", ids(), Some(&key))
            );
            let (here, there) = (here.unwrap(), there.unwrap());
            assert_eq!((here.accepted, there.accepted), (2, 2));
            assert_ne!(here.duplicate, there.duplicate);
            duplicates += 1;
            if number % 7 == 0 {
                world.flush().await;
            }
            assert!(world.push("b", ids(), Some(&key)).await.unwrap().duplicate);
        }
        let reused = world.push("a", 900..901, Some("key-3")).await.unwrap_err();
        assert!(matches!(reused, RealtimeError::KeyReused { .. }), "{reused}");
        let owners = owners(&world).await;
        assert!(owners.has("a") && owners.has("b"));
        world.assert_once(0..duplicates * 2).await;
    });
}

async fn owners(world: &super::World) -> KeyOwners {
    KeyOwners::read(&*world.metadata, &DATASOURCE.into()).await.unwrap().unwrap()
}

#[test]
fn f_15_while_the_owner_is_away_the_answer_names_it_and_nothing_is_stored_elsewhere() {
    run(12, |mut world| async move {
        world.start("a", "").await;
        world.start("b", "").await;
        world.put_schema("a", "local", "").await;
        world.push("a", 0..1, Some("first")).await.unwrap();
        let owners = owners(&world).await;
        let of_b = keys().find(|key| **owners.owner(key) == *"b").unwrap();
        // The answer is lost, and the push is not.
        world.peers.cut("b", "a", true);
        let lost = world.push("a", 1..2, Some(&of_b)).await.unwrap_err().to_string();
        assert!(lost.contains("belongs to realtime node 'b'"), "{lost}");
        world.peers.cut("b", "a", false);
        assert!(world.push("a", 1..2, Some(&of_b)).await.unwrap().duplicate);
        world.kill("b");
        let away = world.push("a", 1..2, Some(&of_b)).await.unwrap_err();
        assert!(away.to_string().contains("node 'b', which does not answer"), "{away}");
        assert_eq!(away.class(), henge_types::ErrorClass::Unavailable);
        world.outlive_leases();
        assert!(world.push("a", 1..2, Some(&of_b)).await.is_err());
        world.start("b", "").await;
        assert!(world.push("a", 1..2, Some(&of_b)).await.unwrap().duplicate);
        world.assert_once(0..2).await;
    });
}

#[test]
fn f_15_keys_move_to_nodes_that_come_and_away_from_nodes_that_stop() {
    run(13, |mut world| async move {
        let first = world.start("0", "").await;
        world.put_schema("0", "local", "").await;
        for (number, key) in (0..).zip(keys()) {
            world.push("0", number..number + 1, Some(&key)).await.unwrap();
        }
        world.start("1", "").await;
        let live = BTreeSet::from(["0".into(), "1".into()]);
        let balance = |node: std::sync::Arc<crate::RealtimeNode>| async move {
            node.balance_keys(&live).await;
            Ok(())
        };
        world.at("0", balance).await.unwrap();
        let owners_now = owners(&world).await;
        assert!(owners_now.has("0") && owners_now.has("1"));
        assert_eq!(owners_now.beyond_share("0", &BTreeSet::from(["0".into(), "1".into()])), None);
        for (number, key) in (0..).zip(keys()) {
            let node = if number % 2 == 0 { "0" } else { "1" };
            let again = world.push(node, number..number + 1, Some(&key)).await.unwrap();
            assert!(again.duplicate, "{key}");
        }
        world.push("1", 40..41, Some("new")).await.unwrap();
        world
            .at("0", |node| async move {
                node.drain().await;
                Ok(())
            })
            .await
            .unwrap();
        assert!(!owners(&world).await.has("0"));
        let refused = world.push("0", 41..42, None).await.unwrap_err().to_string();
        assert!(refused.contains("stopping"), "{refused}");
        drop(first);
        world.kill("0");
        for (number, key) in (0..).zip(keys()) {
            assert!(world.push("1", number..number + 1, Some(&key)).await.unwrap().duplicate);
        }
        assert!(world.push("1", 40..41, Some("new")).await.unwrap().duplicate);
        world.start("0", "").await;
        world.assert_once(0..41).await;
    });
}
