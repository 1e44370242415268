//! Many manifests to one complete one: what the store said after the last of them.

use std::collections::{BTreeMap, BTreeSet};

use henge_types::SegmentId;

use super::record::{FinishedTransaction, Manifest, SourcePosition};
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::records::{Document, IdempotencyRecord, PublishedSegment};

/// Folds manifests that follow each other, the first a complete one.
///
/// # Errors
/// `Corrupt` when one is missing or belongs to another cluster.
pub fn fold(manifests: impl IntoIterator<Item = Manifest>) -> Result<Manifest> {
    let mut state: Option<State> = None;
    for manifest in manifests {
        match &mut state {
            Some(state) => state.check(&manifest)?,
            None if manifest.complete => {}
            None => {
                return Err(MetadataError::Corrupt(format!(
                    "the manifests before number {} are missing",
                    manifest.number
                )));
            }
        }
        state = Some(State::with(state, manifest));
    }
    let state = state.ok_or_else(|| MetadataError::Corrupt("there are no manifests".into()))?;
    Ok(state.into_manifest())
}

#[derive(Default)]
struct State {
    head: Manifest,
    documents: BTreeMap<(String, String, u64), Document>,
    segments: BTreeMap<SegmentId, (PublishedSegment, bool)>,
    condemned: BTreeSet<SegmentId>,
    positions: BTreeMap<(String, String), SourcePosition>,
    keys: BTreeMap<(String, String), IdempotencyRecord>,
    transactions: BTreeMap<String, FinishedTransaction>,
}

impl State {
    fn check(&self, next: &Manifest) -> Result<()> {
        if next.cluster_uuid != self.head.cluster_uuid {
            return Err(MetadataError::Corrupt(format!(
                "manifest {} belongs to cluster {}, those before to {}",
                next.number, next.cluster_uuid, self.head.cluster_uuid
            )));
        }
        if next.number != self.head.number + 1 {
            return Err(MetadataError::Corrupt(format!(
                "manifests {} to {} are missing",
                self.head.number + 1,
                next.number.saturating_sub(1)
            )));
        }
        Ok(())
    }

    fn with(before: Option<Self>, manifest: Manifest) -> Self {
        let mut state = before.filter(|_| !manifest.complete).unwrap_or_default();
        for document in manifest.documents {
            let key = (document.kind.clone(), document.name.clone(), document.version);
            state.documents.insert(key, document);
        }
        for segment in manifest.segments {
            state.segments.insert(segment.id.clone(), (segment, true));
        }
        for id in &manifest.unused {
            if let Some((_, used)) = state.segments.get_mut(id) {
                *used = false;
            }
        }
        state.condemned.extend(manifest.condemned);
        for source in manifest.positions {
            let key = (source.source_id.clone(), source.partition.clone());
            state.positions.insert(key, source);
        }
        for key in manifest.keys {
            // The same key again was forgotten in between.
            state.keys.insert((key.datasource.clone(), key.key.clone()), key);
        }
        for transaction in manifest.transactions {
            state.transactions.insert(transaction.id.clone(), transaction);
        }
        state.head = Manifest {
            cluster_uuid: manifest.cluster_uuid,
            number: manifest.number,
            sequence: manifest.sequence,
            version: manifest.version,
            ..Manifest::default()
        };
        state
    }

    fn into_manifest(self) -> Manifest {
        let unused = self.segments.iter().filter(|(_, (_, used))| !used).map(|(id, _)| id.clone());
        Manifest {
            complete: true,
            unused: unused.collect(),
            condemned: self.condemned.into_iter().collect(),
            documents: self.documents.into_values().collect(),
            segments: self.segments.into_values().map(|(segment, _)| segment).collect(),
            positions: self.positions.into_values().collect(),
            keys: self.keys.into_values().collect(),
            transactions: self.transactions.into_values().collect(),
            ..self.head
        }
    }
}
