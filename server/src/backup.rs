//! The file of a backup: all that the metadata say of what is published, as a complete manifest does. Segments are
//! not in it: deep storage is the data.
//!
//! gzip of a line `henge-backup <version> <xxh3-64 of the rest>` and of JSON.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use henge_platform::metadata::manifest::Manifest;
use henge_platform::metadata::{MetadataError, SqlMetadataStore};
use henge_platform::runtime::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::data_folder::DataFolder;

/// The version of the format.
pub const BACKUP_FORMAT: u32 = 1;

const MAGIC: &str = "henge-backup ";

/// A running server writes its journal while it is looked at, and a page that is half written looks damaged.
const TRIES: usize = 3;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// The version of the program that made it.
    pub program: String,
    /// What the metadata say.
    pub metadata: Manifest,
}

impl Backup {
    /// Reads the metadata of a data folder, or of the database that its settings name, at one moment; a server
    /// may be running.
    ///
    /// # Errors
    /// When there are no metadata, they are of another version than this program's, or cannot be read.
    pub async fn of(folder: &DataFolder) -> Result<Self> {
        let options = folder.metadata_store();
        let (stored, known) = (options.stored_schema().await?, options.known_schema());
        let place = folder.metadata_place();
        ensure!(stored > 0, "there are no metadata in '{place}'");
        ensure!(
            stored == known,
            "the metadata in '{place}' have schema {stored}, and this program would change them to {known}: make \
             the backup with the program that runs on them"
        );
        let mut tries = 0;
        let store = loop {
            tries += 1;
            match SqlMetadataStore::open(options.clone()).await {
                Err(MetadataError::Corrupt(_)) if tries < TRIES => {}
                opened => break opened.context("open the metadata")?,
            }
        };
        let all = store.everything().await;
        store.close().await;
        Ok(Self {
            created_ms: SystemClock.now_ms(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            metadata: all.context("read the metadata")?,
        })
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        writeln!(packed, "{MAGIC}{BACKUP_FORMAT} {:016x}", xxh3_64(&json))?;
        packed.write_all(&json)?;
        Ok(packed.finish()?)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When a byte changed, the file was cut, or the format is of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut text = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut text).context("it is no backup, or was cut")?;
        let end = text.iter().position(|byte| *byte == b'\n').context("it is no backup")?;
        let (head, json) = (String::from_utf8_lossy(&text[..end]), &text[end + 1..]);
        let head = head.strip_prefix(MAGIC).context("it is no backup")?;
        let (version, checksum) = head.split_once(' ').context("it is no backup")?;
        if version != BACKUP_FORMAT.to_string() {
            bail!(
                "it is a backup of version {version}, this program reads {BACKUP_FORMAT}: use a newer one"
            );
        }
        ensure!(
            checksum == format!("{:016x}", xxh3_64(json)),
            "its checksum is wrong: it was changed"
        );
        serde_json::from_slice(json).context("its content is not as this program knows it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> Backup {
        let metadata =
            Manifest { cluster_uuid: "c".into(), number: 7, complete: true, ..Manifest::default() };
        Backup { created_ms: 5, program: "1.0.0".into(), metadata }
    }

    #[test]
    fn golden_text_of_a_backup() {
        let bytes = backup().encode().unwrap();
        let mut text = String::new();
        GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
        let json = r#"{"createdMs":5,"program":"1.0.0","metadata":{"clusterUuid":"c","number":7,"complete":true,"sequence":0,"version":0}}"#;
        let checksum = xxh3_64(json.as_bytes());
        assert_eq!(text, format!("henge-backup 1 {checksum:016x}\n{json}"));
        assert_eq!(Backup::decode(&bytes).unwrap(), backup());
    }

    #[test]
    fn i_12_every_flipped_bit_and_every_cut_of_a_backup_is_found() {
        let bytes = backup().encode().unwrap();
        // Beyond flags, time and system of gzip's header, which say nothing.
        for at in 10..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            // The last bits before gzip's checksum may mean nothing.
            let is_whole = Backup::decode(&changed).map_or(true, |read| read == backup());
            assert!(is_whole, "byte {at}");
            assert!(Backup::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_later_version_is_told_apart() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(b"henge-backup 2 0\n{}").unwrap();
        let error = Backup::decode(&packed.finish().unwrap()).unwrap_err().to_string();
        assert!(error.contains("version 2"), "{error}");
    }
}
