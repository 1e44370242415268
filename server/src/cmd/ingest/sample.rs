//! The beginning of a file, unpacked, and what format it has.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use henge_platform::runtime::files::{Packing, Unpacked, ZipEntry, zip_entries};
use henge_query::ingest::TextEncoding;
use henge_tabular::Utf8Reader;

use super::inputs::Source;

/// Bytes that are looked at, inflated.
const SAMPLE_BYTES: u64 = 1 << 20;

/// What a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Json,
    Csv,
    Tsv,
    Parquet,
}

/// A file that was looked into.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// What it is called.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The first bytes, inflated, up to the end of a line where the file goes on. Of an archive those of its
    /// first file that holds something. Text is UTF-8 here, whatever it is in the file.
    pub(super) bytes: Vec<u8>,
    pub(super) format: Format,
}

/// What is known of files before anybody looked into them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) format: Option<Format>,
    /// How text is written; UTF-8, or UTF-16 that says so itself, where nothing is said.
    pub(super) encoding: Option<TextEncoding>,
}

impl Sample {
    /// Looks into a file; `None` when nothing is in it.
    ///
    /// # Errors
    /// When it cannot be read, or its format is neither `told` nor seen by its name or its bytes.
    pub(super) fn of(source: &Source, told: Told) -> Result<Option<Self>> {
        let encoding = told.encoding.unwrap_or_default();
        let context = || format!("read {}", source.name);
        let packing = Packing::of_file(&source.path).with_context(context)?;
        let (inner, bytes) = match packing {
            Packing::Zip => match first_entry(&source.path, encoding).with_context(context)? {
                Some(found) => found,
                None => return Ok(None),
            },
            Packing::Plain | Packing::Gzip | Packing::Zstd => {
                let unpacked = Unpacked::open(&source.path).with_context(context)?;
                let name = source.path.file_name().unwrap_or_default().to_string_lossy();
                (name.into_owned(), first_bytes(unpacked, encoding).with_context(context)?)
            }
        };
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        let format = match told.format.or_else(|| by_name(&inner)).or_else(|| by_bytes(&bytes)) {
            Some(format) => format,
            None => bail!(
                "{}: neither the name nor the first bytes say what format it is; name it .parquet, \
                 .csv, .tsv or .json, or say --format",
                source.name
            ),
        };
        if format == Format::Parquet && packing != Packing::Plain {
            bail!("{}: Parquet is read from files of its own: unpack it first", source.name);
        }
        let sample = Self { name: source.name.clone(), path: source.path.clone(), bytes, format };
        // What was told is true, though single lines may be broken.
        if told.encoding.is_none() {
            sample.check_encoding()?;
        }
        Ok(Some(sample))
    }

    fn check_encoding(&self) -> Result<()> {
        if self.format == Format::Parquet {
            return Ok(());
        }
        match henge_tabular::encoding_fault(&self.bytes) {
            Some(fault) => bail!("{}: {fault}", self.name),
            None => Ok(()),
        }
    }
}

/// Name and beginning of the first file of an archive that holds something.
fn first_entry(
    archive: &Path,
    encoding: TextEncoding,
) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let entries = zip_entries(archive)?;
    let Some(entry) = entries.iter().find(|entry| entry.size_bytes > 0) else { return Ok(None) };
    let ZipEntry { name, .. } = entry;
    let name = name.rsplit('/').next().unwrap_or(name).to_owned();
    Ok(Some((name, first_bytes(Unpacked::open_entry(archive, entry)?, encoding)?)))
}

fn first_bytes(reader: impl Read, encoding: TextEncoding) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Utf8Reader::new(reader, encoding).take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == SAMPLE_BYTES
        && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
    {
        bytes.truncate(end + 1);
    }
    Ok(bytes)
}

fn by_name(name: &str) -> Option<Format> {
    let name = name.to_lowercase();
    let packed = [".gz", ".gzip", ".zst", ".zstd"];
    let name = packed.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "parquet" | "pq" => Some(Format::Parquet),
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "json" | "jsonl" | "ndjson" => Some(Format::Json),
        _ => None,
    }
}

fn by_bytes(bytes: &[u8]) -> Option<Format> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    match text.first() {
        _ if bytes.starts_with(b"PAR1") => Some(Format::Parquet),
        Some(b'{' | b'[') => Some(Format::Json),
        _ if line.contains(&b'\t') => Some(Format::Tsv),
        _ if [b',', b';', b'|'].iter().any(|separator| line.contains(separator)) => {
            Some(Format::Csv)
        }
        _ if henge_tabular::encoding_fault(bytes).is_some() => Some(Format::Csv),
        _ => None,
    }
}
