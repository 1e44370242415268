//! Mending cached files: what is damaged is served no longer and fetched again. The other way, from a
//! cached file to deep storage, is in [`crate::object`].

use std::sync::Arc;

use henge_types::SegmentId;

use crate::cache::remove_file;
use crate::error::Result;
use crate::{HistoricalNode, Loaded};

/// Below that of any query: verifying reads whole files.
const PRIORITY: i32 = -1_000;

impl HistoricalNode {
    /// The loaded segments among these, or the one that is suspected.
    pub(crate) fn suspects(
        &self,
        asked_for: impl Iterator<Item = SegmentId>,
        suspect: Option<&SegmentId>,
    ) -> Vec<Arc<Loaded>> {
        let loaded = self.serving.loaded.read();
        asked_for
            .filter(|id| suspect.is_none_or(|suspect| suspect == id))
            .filter_map(|id| loaded.get(&id).cloned())
            .collect()
    }

    /// Verifies suspects, takes the damaged ones out of service and loads them again. Gives how many
    /// were damaged.
    pub(crate) async fn mend_damaged(&self, suspects: Vec<Arc<Loaded>>) -> usize {
        let mut damaged = 0;
        for suspect in suspects {
            if suspect.blocks.is_some() {
                // Only deep storage has it: whoever reads it next fetches what was damaged.
                continue;
            }
            let (serving, read) = (Arc::clone(&self.serving), Arc::clone(&suspect));
            let verify = move || Ok(serving.open(&read)?.verify()?);
            let reason = match self.pool.spawn::<Result<_>, _>(PRIORITY, verify).await {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => return damaged,
            };
            damaged += 1;
            self.replace(&suspect, &reason).await;
        }
        damaged
    }

    /// Takes a damaged segment out of service and loads it again.
    pub(crate) async fn replace(&self, damaged: &Arc<Loaded>, reason: &str) {
        let (id, path) = (&damaged.segment.id, damaged.file.path.display());
        if !self.withdraw(damaged) {
            return;
        }
        self.care.found.add(1);
        tracing::error!(segment = %id, %path, reason, "cached file is damaged, fetching the segment again");
        let trouble = format!("{path}: {reason}");
        self.discovery.report(&self.options.server_id, id, Some(trouble.clone()));
        match self.load_segment(&damaged.segment).await {
            Ok(()) => {
                self.care.repaired.add(1);
                tracing::info!(segment = %id, "damaged segment was fetched again");
            }
            Err(error) => {
                let trouble = format!("{trouble}; fetching it again failed: {error}");
                tracing::error!(segment = %id, trouble, "segment is unavailable");
                self.discovery.report(&self.options.server_id, id, Some(trouble));
            }
        }
    }

    /// False when it was taken out of service before.
    pub(crate) fn withdraw(&self, damaged: &Arc<Loaded>) -> bool {
        let id = &damaged.segment.id;
        {
            let mut loaded = self.serving.loaded.write();
            if !loaded.get(id).is_some_and(|current| Arc::ptr_eq(current, damaged)) {
                return false;
            }
            loaded.remove(id);
        }
        self.care.endangered.lock().remove(id);
        // Queries that still ask for it are told that it is missing.
        if let Err(error) = self.discovery.unannounce(&self.options.server_id, vec![id.clone()]) {
            tracing::warn!(segment = %id, %error, "failed to withdraw a damaged segment");
        }
        remove_file(&damaged.file.path);
        self.serving.close(damaged);
        true
    }

    pub(crate) fn serves(&self, loaded: &Arc<Loaded>) -> bool {
        self.serving.serves(loaded)
    }
}

#[cfg(test)]
pub(crate) mod tests;
