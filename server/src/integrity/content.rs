//! What the metadata say against what the manifests say: all of it. SQLite has no checksums over its
//! content, so a flipped bit in a position or a schema is found here and nowhere else. Idempotency
//! keys are left out: they are forgotten in time, which no manifest says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use anyhow::Result;
use futures::stream::{self, StreamExt as _};
use henge_platform::metadata::manifest::{Manifest, fold, read_manifest};
use henge_platform::metadata::{Document, MetadataError, MetadataStore, SqlMetadataStore};
use henge_platform::storage::DeepStorage;

use super::Report;

/// Differences of one kind that are named one by one.
const NAMED: usize = 3;

/// How often comparing starts over because manifests were replaced by a complete one meanwhile.
const ATTEMPTS: usize = 3;

/// Manifests that are read at a time: each is a call to deep storage, and there may be a thousand.
const READ_AT_ONCE: usize = 32;

/// Manifests by number; one never changes.
type Manifests = BTreeMap<u64, Manifest>;

/// Compares them, when all manifests from the last complete one on can be read; gives whether they
/// can. Other processes may change the metadata meanwhile.
pub(super) async fn compare(
    storage: &dyn DeepStorage,
    metadata: &SqlMetadataStore,
    report: &mut Report,
) -> Result<bool> {
    let mut read = Manifests::new();
    for _ in 0..ATTEMPTS {
        let state = metadata.manifest_state().await?;
        if state.complete == 0 {
            return Ok(false);
        }
        // Most of them before the moment that is compared, and the few that were made since after it.
        if !read_all(storage, metadata, state.complete..=state.made, &mut read, report).await? {
            return Ok(false);
        }
        let all = match metadata.everything().await {
            Err(MetadataError::Corrupt(reason)) => {
                report.finding(reason);
                return Ok(false);
            }
            all => all?,
        };
        if !read_all(storage, metadata, state.complete..=all.number, &mut read, report).await? {
            continue;
        }
        let until = read.range(state.complete..=all.number).map(|(_, manifest)| manifest.clone());
        let Ok(said) = fold(until) else { return Ok(false) };
        differences(&all, &said, report);
        return Ok(true);
    }
    report.note(
        "other processes change the metadata all the time: what they say was not held against the manifests",
    );
    Ok(true)
}

/// Reads those that were not read, also those that wait to be written; gives whether all can be read.
async fn read_all(
    storage: &dyn DeepStorage,
    metadata: &SqlMetadataStore,
    numbers: RangeInclusive<u64>,
    read: &mut Manifests,
    report: &mut Report,
) -> Result<bool> {
    let waiting = metadata.waiting_manifests(usize::MAX).await?;
    let waiting: BTreeMap<u64, String> =
        waiting.into_iter().map(|manifest| (manifest.number, manifest.text)).collect();
    let missing: Vec<u64> = numbers.filter(|number| !read.contains_key(number)).collect();
    let read_one = async |number: u64| match waiting.get(&number) {
        Some(text) => Manifest::decode("that waits", text.as_bytes()),
        None => read_manifest(storage, number).await,
    };
    let mut answers = stream::iter(missing).map(read_one).buffered(READ_AT_ONCE);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(manifest) => {
                read.insert(manifest.number, manifest);
            }
            Err(error @ MetadataError::Corrupt(_)) => {
                report.note(format!("{error}; the next start writes all of it again"));
                return Ok(false);
            }
            // One that is gone is said elsewhere.
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
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
        "deletion of segment",
        &by(&all.condemned, Clone::clone),
        &by(&said.condemned, Clone::clone),
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
