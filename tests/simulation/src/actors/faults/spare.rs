//! Whether a disk may be lost: whether everything acknowledged is elsewhere, too.

use henge_platform::metadata::MetadataStore;
use henge_types::encode_path_component;
use serde_json::Value;

use crate::cluster::{REALTIMES, node_of, process_of};
use crate::model::{LOCAL, REPLICATED};
use crate::world::World;

/// True when nothing that was acknowledged is on the disk of a realtime node alone.
pub(super) async fn is_spare(world: &World, name: &str) -> bool {
    let Ok(notes) = world.metadata.store.buffered_segments().await else { return false };
    let node = node_of(name);
    let is_of = |datasource: &str| {
        notes.iter().any(|note| *note.owner == *name && *note.id.datasource == *datasource)
    };
    // What it takes over of others nobody else has.
    let takes = format!("{name}/");
    if is_of(LOCAL) || notes.iter().any(|note| note.owner.starts_with(&takes)) {
        return false;
    }
    for (other, _) in REALTIMES {
        let log = log_of(world, node_of(other)).await;
        let goes_on = log["taken"]
            .as_array()
            .is_some_and(|taken| taken.iter().any(|taken| taken["by"] == *node));
        let is_spare = match other == name {
            true => !is_of(REPLICATED) || has_copy(world, node, &log),
            false => log["copy"]["follower"] != *node || has_log(world, other, &log),
        };
        if goes_on || !is_spare {
            return false;
        }
    }
    true
}

/// What the metadata say of a log.
async fn log_of(world: &World, node: &str) -> Value {
    let kind = format!("push-log/{node}");
    let document = world.metadata.store.get_document(&kind, REPLICATED).await.ok().flatten();
    document.and_then(|found| serde_json::from_str(&found.body_json).ok()).unwrap_or_default()
}

/// Whether the follower still has the copy that counts.
fn has_copy(world: &World, node: &str, log: &Value) -> bool {
    let (Some(follower), Some(attempt)) =
        (log["copy"]["follower"].as_str(), log["copy"]["attempt"].as_u64())
    else {
        return false;
    };
    let copies = world.disk(&process_of(follower)).join("log-copies");
    copies.join(node).join(REPLICATED).join(format!("{attempt:016x}/copy.json")).exists()
}

/// Whether a node has its own log.
fn has_log(world: &World, name: &str, log: &Value) -> bool {
    let folder = match log["life"].as_u64().unwrap_or(0) {
        0 => REPLICATED.to_owned(),
        life => format!("{REPLICATED}/{life}"),
    };
    world.disk(name).join("wal").join(encode_path_component(&folder)).exists()
}
