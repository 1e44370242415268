//! The outbox of manifests in memory.

use super::state::State;
use crate::metadata::error::Result;
use crate::metadata::manifest::{
    FinishedTransaction, Manifest, ManifestState, SourcePosition, WaitingManifest,
};
use crate::metadata::unused::Deletion;

impl State {
    /// Puts a change into the outbox, as the next manifest; gives its number.
    pub(super) fn enqueue(&mut self, cluster_uuid: &str, change: Manifest) -> Result<u64> {
        let number = self.manifests.made + 1;
        let manifest = Manifest {
            cluster_uuid: cluster_uuid.to_owned(),
            number,
            sequence: self.sequence,
            version: self.version,
            ..change
        };
        let text = manifest.encode()?;
        self.manifests.made = number;
        if manifest.complete {
            self.manifests.complete = number;
        }
        self.manifests.waiting.insert(number, text);
        Ok(number)
    }

    pub(super) fn waiting_manifests(&self, limit: usize) -> Vec<WaitingManifest> {
        let waiting = self.manifests.waiting.iter().take(limit);
        waiting
            .map(|(number, text)| WaitingManifest { number: *number, text: text.clone() })
            .collect()
    }

    pub(super) fn manifest_state(&self) -> ManifestState {
        ManifestState {
            made: self.manifests.made,
            complete: self.manifests.complete,
            waiting: self.manifests.waiting.len() as u64,
            segments: self.segments.len() as u64,
            marked: self.manifests.marked,
        }
    }

    pub(super) fn source_positions(&self) -> Vec<SourcePosition> {
        let sources = self.sources.iter();
        let positions = sources.flat_map(|(id, marks)| {
            marks.iter().map(|(partition, mark)| SourcePosition::new(id, partition, mark))
        });
        positions.collect()
    }

    /// All that is published, as a change from nothing.
    pub(super) fn everything(&self) -> Manifest {
        let stored = || self.segments.values();
        let tasks = self.publications.iter().filter(|(id, _)| self.tasks.contains_key(*id));
        Manifest {
            complete: true,
            documents: self.documents.values().flatten().cloned().collect(),
            segments: stored().map(|stored| stored.segment.clone()).collect(),
            unused: stored().filter(|s| !s.used).map(|s| s.segment.id.clone()).collect(),
            condemned: stored()
                .filter(|s| s.deletion != Deletion::None)
                .map(|s| s.segment.id.clone())
                .collect(),
            positions: self.source_positions(),
            keys: self.idempotency.values().map(|(record, _)| record.clone()).collect(),
            transactions: tasks
                .map(|(id, (fingerprint, outcome))| FinishedTransaction {
                    id: id.clone(),
                    fingerprint: fingerprint.clone(),
                    outcome: outcome.clone(),
                })
                .collect(),
            ..Manifest::default()
        }
    }
}
