//! What the metadata say against what the manifests say: all of it. SQLite has no checksums over its
//! content, so a flipped bit in a position or a schema is found here and nowhere else. Idempotency
//! keys are left out: they are forgotten in time, which no manifest says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use anyhow::Result;
use henge_platform::metadata::manifest::{Manifest, fold, read_manifest};
use henge_platform::metadata::{Document, MetadataError, MetadataStore, SqlMetadataStore};
use henge_platform::storage::DeepStorage;

use super::Report;

/// Differences of one kind that are named one by one.
const NAMED: usize = 3;

/// How often comparing starts over because other processes changed the metadata meanwhile.
const ATTEMPTS: usize = 5;

/// Compares them, when all manifests from the last complete one on can be read; gives whether they
/// can.
pub(super) async fn compare(
    storage: &dyn DeepStorage,
    metadata: &SqlMetadataStore,
    report: &mut Report,
) -> Result<bool> {
    for _ in 0..ATTEMPTS {
        let before = metadata.manifest_state().await?.made;
        let all = match metadata.everything().await {
            Err(MetadataError::Corrupt(reason)) => {
                report.finding(reason);
                return Ok(false);
            }
            all => all?,
        };
        let mut found = Report::default();
        let said = said_by_manifests(storage, metadata, &mut found).await?;
        if metadata.manifest_state().await?.made != before {
            continue;
        }
        if let Some(said) = &said {
            differences(&all, said, &mut found);
        }
        report.absorb(found);
        return Ok(said.is_some());
    }
    report.note(
        "other processes change the metadata all the time: what they say was not held against the manifests",
    );
    Ok(true)
}

/// All that the manifests say, also those that wait to be written.
async fn said_by_manifests(
    storage: &dyn DeepStorage,
    metadata: &SqlMetadataStore,
    report: &mut Report,
) -> Result<Option<Manifest>> {
    let state = metadata.manifest_state().await?;
    if state.complete == 0 {
        return Ok(None);
    }
    let waiting = metadata.waiting_manifests(usize::MAX).await?;
    let mut waiting: BTreeMap<u64, String> =
        waiting.into_iter().map(|manifest| (manifest.number, manifest.text)).collect();
    let mut manifests = Vec::new();
    for number in state.complete..=state.made {
        let manifest = match waiting.remove(&number) {
            Some(text) => Manifest::decode("that waits", text.as_bytes()),
            None => read_manifest(storage, number).await,
        };
        match manifest {
            Ok(manifest) => manifests.push(manifest),
            Err(error @ MetadataError::Corrupt(_)) => {
                report.note(format!("{error}; the next start writes all of it again"));
                return Ok(None);
            }
            // One that is gone is said elsewhere.
            Err(_) => return Ok(None),
        }
    }
    Ok(fold(manifests).ok())
}

fn name_of(document: &Document) -> String {
    let Document { kind, name, version, .. } = document;
    format!("{kind} {name} version {version}")
}

fn differences(all: &Manifest, said: &Manifest, report: &mut Report) {
    if all.version < said.version || all.sequence != said.sequence {
        report.finding(format!(
            "the metadata count {} versions and {} changes, the manifests {} and {}",
            all.version, all.sequence, said.version, said.sequence
        ));
    }
    compare_maps("document", &by(&all.documents, name_of), &by(&said.documents, name_of), report);
    compare_maps(
        "segment",
        &by(&all.segments, |segment| segment.id.clone()),
        &by(&said.segments, |segment| segment.id.clone()),
        report,
    );
    compare_maps(
        "use of segment",
        &by(&all.unused, Clone::clone),
        &by(&said.unused, Clone::clone),
        report,
    );
    compare_maps(
        "position of",
        &by(&all.positions, |source| source.source_id.clone()),
        &by(&said.positions, |source| source.source_id.clone()),
        report,
    );
}

fn by<'a, T, K: Ord>(records: &'a [T], key: impl Fn(&'a T) -> K) -> BTreeMap<K, &'a T> {
    records.iter().map(|record| (key(record), record)).collect()
}

fn compare_maps<K: Ord + Display, T: PartialEq>(
    kind: &str,
    all: &BTreeMap<K, &T>,
    said: &BTreeMap<K, &T>,
    report: &mut Report,
) {
    let differs = |key: &&K| all.get(*key) != said.get(*key);
    let keys: BTreeSet<&K> = all.keys().chain(said.keys()).collect();
    let different: Vec<&K> = keys.into_iter().filter(differs).collect();
    for key in different.iter().take(NAMED) {
        let how = match (all.contains_key(*key), said.contains_key(*key)) {
            (true, true) => "is another one than in the manifests",
            (true, false) => "is in no manifest",
            (false, _) => "is in the manifests and not there",
        };
        report.finding(format!("the metadata's {kind} '{key}' {how}"));
    }
    if different.len() > NAMED {
        report.finding(format!("and {} more like it", different.len() - NAMED));
    }
}
