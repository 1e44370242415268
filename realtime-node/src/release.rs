//! Letting go of published segments: the node's own copy goes once another server has it, or once
//! the metadata no longer call it used and nobody ever will.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::metadata::SegmentChange;
use henge_types::SegmentId;

use crate::error::Result;
use crate::shared::Shared;

/// How often the metadata are asked what is used, while segments wait.
const POLL: Duration = Duration::from_secs(1);
/// Changes of one answer.
const CHANGES_PER_POLL: usize = 1_000;

/// Withdraws each of these published segments when it is served elsewhere or no longer used.
/// `sequence` is that of their publication.
pub(crate) async fn release_when_served(
    shared: Arc<Shared>,
    ids: Vec<SegmentId>,
    mut sequence: u64,
) {
    let mut waiting: BTreeSet<SegmentId> = ids.into_iter().collect();
    let mut versions = shared.discovery.watch();
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !waiting.is_empty() {
        let mut done = served_elsewhere(&shared, &waiting);
        tokio::select! {
            biased;
            _ = poll.tick() => match unused(&shared, &waiting, &mut sequence).await {
                Ok(unused) => done.extend(unused),
                Err(error) => tracing::warn!(%error, "failed to ask what is used, will ask again"),
            },
            () = std::future::ready(()), if !done.is_empty() => {}
            changed = versions.changed() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
        }
        if let Err(error) = shared.serving.withdraw(&done) {
            // Served twice under one id is counted once: nothing is wrong, only memory is not freed.
            tracing::error!(%error, "failed to withdraw published segments, will try again");
            poll.tick().await;
            continue;
        }
        done.iter().for_each(|id| {
            waiting.remove(id);
        });
    }
}

/// Withdraws segments whose rows somebody else published.
pub(crate) async fn let_go(shared: &Shared, ids: &[SegmentId]) {
    if let Err(error) = shared.serving.withdraw(ids) {
        tracing::error!(%error, "failed to withdraw rows that somebody else published");
    }
    shared.notes.end(ids).await;
}

fn served_elsewhere(shared: &Shared, waiting: &BTreeSet<SegmentId>) -> Vec<SegmentId> {
    let snapshot = shared.discovery.snapshot();
    let own = shared.serving.server_id();
    let others = || snapshot.servers.iter().filter(|(id, _)| *id != own).map(|(_, other)| other);
    let is_served = |id: &&SegmentId| others().any(|other| other.segments.contains_key(*id));
    waiting.iter().filter(is_served).cloned().collect()
}

/// Those that were marked unused since `sequence`, which moves on.
async fn unused(
    shared: &Shared,
    waiting: &BTreeSet<SegmentId>,
    sequence: &mut u64,
) -> Result<Vec<SegmentId>> {
    let mut unused = Vec::new();
    loop {
        let polled = shared.metadata.segment_changes(*sequence, CHANGES_PER_POLL).await?;
        *sequence = polled.sequence;
        unused.extend(polled.changes.into_iter().filter_map(|change| match change {
            SegmentChange::Unused(id) if waiting.contains(&id) => Some(id),
            _ => None,
        }));
        if !polled.more {
            return Ok(unused);
        }
    }
}
