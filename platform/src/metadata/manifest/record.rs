//! One manifest and its bytes: a line with a checksum, then JSON.

use henge_types::SegmentId;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::metadata::error::{MetadataError, Result};
use crate::metadata::positions::{Position, SourceMark};
use crate::metadata::records::{Document, IdempotencyRecord, PublishOutcome, PublishedSegment};

/// The folder of manifests in deep storage.
pub const MANIFEST_FOLDER: &str = "manifests";

/// The version of the format.
pub const MANIFEST_FORMAT: u32 = 1;

/// What the first line of a manifest begins with; the number is the format's.
const MAGIC: &str = "henge-manifest 1 ";

/// A committed position in one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourcePosition {
    /// The source.
    pub source_id: String,
    /// The partition; sources with only one may have it without a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub partition: String,
    /// Where it is.
    pub position: Position,
    /// What reading on from there depends on, in the words of its owner.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
}

impl SourcePosition {
    /// What is committed of a partition.
    #[must_use]
    pub fn new(source_id: &str, partition: &str, mark: &SourceMark) -> Self {
        let SourceMark { position, state } = mark.clone();
        let (source_id, partition) = (source_id.to_owned(), partition.to_owned());
        Self { source_id, partition, position, state }
    }

    /// Without the names of source and partition.
    #[must_use]
    pub fn mark(&self) -> SourceMark {
        SourceMark { position: self.position.clone(), state: self.state.clone() }
    }
}

/// A publication that may be asked for again: one of a task, whose id outlives the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinishedTransaction {
    /// The transaction's id.
    pub id: String,
    /// What it published.
    pub fingerprint: String,
    /// Its answer.
    pub outcome: PublishOutcome,
}

/// One change of what is published, or all that is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Whose it is.
    pub cluster_uuid: String,
    /// Counts the manifests, from 1 and without gaps.
    pub number: u64,
    /// True when it says everything: what came before is not needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub complete: bool,
    /// The change sequence after it.
    pub sequence: u64,
    /// The highest version given out by then.
    pub version: u64,
    /// New versions of documents. The name is from when these were schemas alone.
    #[serde(rename = "schemas", default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// Segments that are there now, and used unless `unused` names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<PublishedSegment>,
    /// Segments that are not used any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<SegmentId>,
    /// Segments that are not used any more and never will be: their objects go, or are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub condemned: Vec<SegmentId>,
    /// New positions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<SourcePosition>,
    /// New idempotency keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<IdempotencyRecord>,
    /// New publications of tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transactions: Vec<FinishedTransaction>,
}

/// A manifest in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingManifest {
    /// Its number.
    pub number: u64,
    /// Its bytes.
    pub text: String,
}

/// How far a store is with its manifests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ManifestState {
    /// The number of the last one made.
    pub made: u64,
    /// The number of the last complete one.
    pub complete: u64,
    /// Those that are not known to be written.
    pub waiting: u64,
    /// Segments known, used or not: what a complete one costs.
    pub segments: u64,
    /// True once every folder of the cluster carries its identity.
    pub marked: bool,
}

/// The object of a manifest.
#[must_use]
pub fn manifest_key(number: u64) -> String {
    format!("{MANIFEST_FOLDER}/{number:020}.json")
}

impl Manifest {
    /// What is said of segments whose objects are gone: all that stays of them.
    #[must_use]
    pub(in crate::metadata) fn of_forgotten(segments: Vec<PublishedSegment>) -> Self {
        let ids: Vec<SegmentId> = segments.iter().map(|segment| segment.id.clone()).collect();
        Self { segments, unused: ids.clone(), condemned: ids, ..Self::default() }
    }

    /// The bytes.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<String> {
        let json = serde_json::to_string(self)
            .map_err(|error| MetadataError::Internal(format!("write a manifest: {error}")))?;
        Ok(format!("{MAGIC}{:016x}\n{json}\n", xxh3_64(json.as_bytes())))
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// `Corrupt` when a byte changed or the format is unknown.
    pub fn decode(name: &str, bytes: &[u8]) -> Result<Self> {
        let corrupt =
            |reason: String| MetadataError::Corrupt(format!("manifest '{name}': {reason}"));
        let text = std::str::from_utf8(bytes).map_err(|error| corrupt(error.to_string()))?;
        let (head, json) = text.split_once('\n').unwrap_or((text, ""));
        let checksum = head
            .strip_prefix(MAGIC)
            .ok_or_else(|| corrupt("not a manifest that this version reads".into()))?;
        let json = json.strip_suffix('\n').unwrap_or(json);
        if checksum != format!("{:016x}", xxh3_64(json.as_bytes())) {
            return Err(corrupt("its checksum is wrong".into()));
        }
        serde_json::from_str(json).map_err(|error| corrupt(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes_of_a_manifest() {
        let manifest = Manifest {
            cluster_uuid: "c".into(),
            number: 7,
            sequence: 9,
            version: 3,
            positions: vec![SourcePosition {
                source_id: "push:d".into(),
                position: 5.into(),
                ..SourcePosition::default()
            }],
            ..Manifest::default()
        };
        let text = manifest.encode().unwrap();
        let json = r#"{"clusterUuid":"c","number":7,"sequence":9,"version":3,"positions":[{"sourceId":"push:d","position":5}]}"#;
        assert_eq!(text.lines().nth(1), Some(json));
        assert!(text.starts_with(&format!("henge-manifest {MANIFEST_FORMAT} ")));
        assert_eq!(Manifest::decode("x", text.as_bytes()).unwrap(), manifest);
        assert_eq!(manifest_key(7), "manifests/00000000000000000007.json");
    }

    /// Schemas look as they did before there were other documents.
    #[test]
    fn golden_form_of_documents() {
        let of = |kind: &str| Document {
            kind: kind.into(),
            name: "d".into(),
            body_json: "{}".into(),
            version: 2,
        };
        for (kind, json) in [
            ("datasource", r#"{"name":"d","schemaJson":"{}","schemaVersion":2}"#),
            ("rules", r#"{"kind":"rules","name":"d","schemaJson":"{}","schemaVersion":2}"#),
        ] {
            assert_eq!(serde_json::to_string(&of(kind)).unwrap(), json);
            assert_eq!(serde_json::from_str::<Document>(json).unwrap(), of(kind));
        }
    }

    /// A source of several partitions says their names.
    #[test]
    fn golden_form_of_positions_of_several_partitions() {
        let position = SourcePosition {
            source_id: "s".into(),
            partition: "p".into(),
            position: "5-1".into(),
            state: "{}".into(),
        };
        let json = r#"{"sourceId":"s","partition":"p","position":"5-1","state":"{}"}"#;
        assert_eq!(serde_json::to_string(&position).unwrap(), json);
        assert_eq!(serde_json::from_str::<SourcePosition>(json).unwrap(), position);
    }

    #[test]
    fn i_12_every_flipped_bit_of_a_manifest_is_found() {
        let text = Manifest { number: 1, ..Manifest::default() }.encode().unwrap();
        for at in 0..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << (at % 7);
            assert!(Manifest::decode("x", &bytes).is_err(), "byte {at}");
        }
    }
}
