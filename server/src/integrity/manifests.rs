//! The metadata's changes against the manifests in deep storage.

use std::collections::BTreeSet;

use anyhow::Result;
use henge_platform::metadata::manifest::{
    ManifestState, copy_of, list_manifests, manifest_key, read_manifest,
};
use henge_platform::metadata::{MetadataError, MetadataStore};
use henge_platform::storage::DeepStorage;

use super::Report;

/// The manifests that deep storage has, listed once: in a large bucket that takes long. Other processes write
/// more meanwhile, so what the metadata said before the listing is what the listing must have.
#[derive(Debug)]
pub(super) struct Listing {
    before: ManifestState,
    /// Those that need not be in deep storage yet.
    waiting: BTreeSet<u64>,
    numbers: BTreeSet<u64>,
}

impl Listing {
    pub(super) async fn of(
        storage: &dyn DeepStorage,
        metadata: &dyn MetadataStore,
    ) -> Result<Self> {
        let before = metadata.manifest_state().await?;
        let waiting = metadata.waiting_manifests(usize::MAX).await?;
        let waiting = waiting.iter().map(|manifest| manifest.number).collect();
        let numbers = list_manifests(storage).await?.numbers.into_iter().collect();
        Ok(Self { before, waiting, numbers })
    }

    /// The last one's number; 0 when there is none.
    pub(super) fn highest(&self) -> u64 {
        self.numbers.last().copied().unwrap_or(0)
    }

    /// The first manifest that should be in deep storage and is not there.
    pub(super) fn first_missing(&self) -> Option<u64> {
        let ManifestState { complete, made, .. } = self.before;
        let is_there =
            |number: &u64| self.numbers.contains(number) || self.waiting.contains(number);
        if complete == 0 { None } else { (complete..=made).find(|number| !is_there(number)) }
    }
}

/// The metadata must know every manifest that deep storage has.
pub(super) async fn compare(
    storage: &dyn DeepStorage,
    metadata: &dyn MetadataStore,
    listed: &Listing,
    report: &mut Report,
) -> Result<()> {
    let state = metadata.manifest_state().await?;
    let highest = listed.highest();
    if find_copies(storage, listed, state.made, report).await? {
        return Ok(());
    }
    if highest > state.made {
        report.finding(format!(
            "deep storage has manifests up to number {highest}, the metadata know only {}: they lost \
             their last {} change(s), or are an old copy",
            state.made,
            highest - state.made
        ));
        return Ok(());
    }
    if highest > 0 {
        compare_last(storage, metadata, highest, report).await?;
    }
    if let Some(missing) = listed.first_missing() {
        report.note(format!(
            "manifest {missing} is missing from deep storage; the metadata have what it said, and the \
             next start writes all of it again"
        ));
    }
    Ok(())
}

/// Manifests above `made` that are copies of others say nothing of their own, but stand where the next
/// ones go. True when all above it are.
async fn find_copies(
    storage: &dyn DeepStorage,
    listed: &Listing,
    made: u64,
    report: &mut Report,
) -> Result<bool> {
    let mut copies = Vec::new();
    for number in listed.numbers.iter().copied().filter(|number| *number > made) {
        match copy_of(storage, number).await {
            Ok(Some(of)) => copies.push((number, of)),
            Ok(None) | Err(MetadataError::Corrupt(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    for (number, of) in &copies {
        report.finding(format!(
            "'{}' in deep storage is a copy of manifest {of}, under a number that was never given \
             out: remove it, the metadata have all that it says",
            manifest_key(*number)
        ));
    }
    Ok(!copies.is_empty())
}

async fn compare_last(
    storage: &dyn DeepStorage,
    metadata: &dyn MetadataStore,
    number: u64,
    report: &mut Report,
) -> Result<()> {
    let manifest = match read_manifest(storage, number).await {
        // Said where all of them are read.
        Err(MetadataError::Corrupt(_)) => return Ok(()),
        read => read?,
    };
    let uuid = metadata.cluster_uuid().await?;
    if manifest.cluster_uuid != uuid {
        report.finding(format!(
            "manifest {number} in deep storage belongs to cluster {}, the metadata to {uuid}",
            manifest.cluster_uuid
        ));
    }
    let sequence = metadata.used_segments().await?.sequence;
    if manifest.sequence > sequence {
        report.finding(format!(
            "manifest {number} in deep storage was made after change {}, the metadata are at change \
             {sequence}: they lost changes, or are an old copy",
            manifest.sequence
        ));
    }
    for source in &manifest.positions {
        let marks = metadata.source(&source.source_id).await?;
        let position = marks.get(&source.partition).map(|mark| mark.position.clone());
        let position = position.unwrap_or_default();
        // Only numbers can be compared here; of other positions it is known when there is none.
        let is_behind = match (position.as_u64(), source.position.as_u64()) {
            (Some(position), Some(said)) => position < said,
            _ => !position.is_some(),
        };
        if is_behind {
            report.finding(format!(
                "manifest {number} in deep storage says that '{}' is published up to {}, the metadata \
                 say {position}",
                source.source_id, source.position
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use henge_platform::metadata::MemoryMetadataStore;
    use henge_platform::storage::ObjectDeepStorage;

    use super::*;

    #[tokio::test]
    async fn f_34_a_manifest_that_waits_is_not_missing_and_one_that_is_written_must_be_there() {
        let (metadata, storage) = (MemoryMetadataStore::new(), ObjectDeepStorage::in_memory());
        let nothing = Listing::of(&storage, &metadata).await.unwrap();
        assert_eq!((nothing.highest(), nothing.first_missing()), (0, None));
        let number = metadata.make_complete_manifest().await.unwrap();
        assert_eq!(Listing::of(&storage, &metadata).await.unwrap().first_missing(), None);
        metadata.manifests_written(number).await.unwrap();
        let lost = Listing::of(&storage, &metadata).await.unwrap();
        assert_eq!(lost.first_missing(), Some(number));
    }
}
