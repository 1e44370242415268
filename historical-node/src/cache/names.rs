//! What the names of cached files say: the segment, the form, and the checksums that were verified
//! before a file took its name.

use std::path::{Path, PathBuf};

use henge_platform::runtime::files;
use henge_segment::BlockCodec;
use henge_types::{Interval, SegmentId, Version, decode_path_component, encode_path_component};

/// A file in the cache, as its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its form.
    pub(crate) form: FileForm,
}

impl CachedFile {
    /// The bytes that it takes on the disk.
    pub(super) fn taken_bytes(&self) -> std::io::Result<u64> {
        match self.form {
            FileForm::Stored { .. } | FileForm::Hot { .. } => files::size_bytes(&self.path),
            FileForm::Blocks { .. } => files::allocated_bytes(&self.path),
        }
    }
}

/// The form of a file, and what it was when it took its name. Names of earlier versions do not say
/// what the file itself is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileForm {
    /// As deep storage has it.
    Stored {
        /// Of the file.
        checksum: Option<u64>,
    },
    /// The hot form.
    Hot {
        /// What it is compressed with.
        codec: BlockCodec,
        /// Of the stored file that it was made from.
        stored: u64,
        /// Of the file itself.
        checksum: Option<u64>,
    },
    /// The stored form with holes: the blocks that were read of a segment that is served on demand.
    Blocks {
        /// Of the whole stored file.
        checksum: u64,
    },
}

impl FileForm {
    /// True when it is known to hold the rows of the stored file with this checksum.
    pub(crate) fn is_of(self, wanted: u64) -> bool {
        match self {
            Self::Stored { checksum } => checksum == Some(wanted),
            Self::Hot { stored, .. } => stored == wanted,
            Self::Blocks { .. } => false,
        }
    }
}

/// The folder and the common beginning of the names of a segment's files. Built from the encoded id,
/// never from the plain name.
pub(super) fn stem(root: &Path, id: &SegmentId) -> PathBuf {
    root.join(encode_path_component(&id.datasource)).join(format!(
        "{}_{}_{}_{}",
        id.interval.start_ms, id.interval.end_ms, id.version, id.partition
    ))
}

/// The segment whose stem this is; `None` when it is no segment's.
pub(super) fn id_of(root: &Path, of: &Path) -> Option<SegmentId> {
    let name = of.file_name()?.to_str()?;
    let datasource = decode_path_component(of.parent()?.file_name()?.to_str()?)?;
    let parts: Vec<&str> = name.split('_').collect();
    let [start, end, version, partition] = parts.as_slice() else { return None };
    let interval = Interval::new(start.parse().ok()?, end.parse().ok()?).ok()?;
    let version = Version(version.parse().ok()?);
    let id = SegmentId::new(datasource, interval, version, partition.parse().ok()?);
    (stem(root, &id) == of).then_some(id)
}

/// The name of a file of this form.
pub(super) fn path(stem: &Path, form: FileForm) -> PathBuf {
    stem.with_extension(match form {
        FileForm::Stored { checksum: None } => "segment".to_owned(),
        FileForm::Stored { checksum: Some(checksum) } => format!("{checksum:016x}.segment"),
        FileForm::Hot { codec, stored, checksum: None } => {
            format!("{stored:016x}.{}", ending(codec))
        }
        FileForm::Hot { codec, stored, checksum: Some(checksum) } => {
            format!("{stored:016x}.{checksum:016x}.{}", ending(codec))
        }
        FileForm::Blocks { checksum } => format!("{checksum:016x}.blocks"),
    })
}

/// The codecs of hot forms, by the ends of the names of their files.
const ENDINGS: [(BlockCodec, &str); 3] =
    [(BlockCodec::None, "hot"), (BlockCodec::Lz4, "lz4"), (BlockCodec::Zstd, "zstd")];

fn ending(codec: BlockCodec) -> &'static str {
    let known = ENDINGS.into_iter().find(|(of, _)| *of == codec);
    known.map_or("hot", |(_, ending)| ending)
}

fn codec_of(ending: &str) -> Option<BlockCodec> {
    ENDINGS.into_iter().find(|(_, of)| *of == ending).map(|(codec, _)| codec)
}

/// The stem and the form of a file; `None` when it is not one of the cache's.
pub(super) fn parse(path: &Path) -> Option<(PathBuf, FileForm)> {
    let parts: Vec<&str> = path.file_name()?.to_str()?.split('.').collect();
    let number = |text: &str| match text.len() {
        16 => u64::from_str_radix(text, 16).ok(),
        _ => None,
    };
    let form = match parts.as_slice() {
        [_, "segment"] => FileForm::Stored { checksum: None },
        [_, checksum, "segment"] => FileForm::Stored { checksum: Some(number(checksum)?) },
        [_, checksum, "blocks"] => FileForm::Blocks { checksum: number(checksum)? },
        [_, stored, ending] => {
            FileForm::Hot { codec: codec_of(ending)?, stored: number(stored)?, checksum: None }
        }
        [_, stored, checksum, ending] => {
            let (stored, checksum) = (number(stored)?, Some(number(checksum)?));
            FileForm::Hot { codec: codec_of(ending)?, stored, checksum }
        }
        _ => return None,
    };
    Some((path.with_file_name(parts.first()?), form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_lead_back_to_their_segments() {
        let root = Path::new("root");
        for datasource in ["wiki", "Wiki Events", &"Я".repeat(75)] {
            let interval = Interval { start_ms: -5, end_ms: 1 << 40 };
            let id = SegmentId::new(datasource, interval, Version(3), 7);
            assert_eq!(id_of(root, &stem(root, &id)), Some(id));
        }
        for other in ["0_10_000000000003", "0_10_3_0", "10_0_000000000003_0", "a_b_c_d"] {
            assert_eq!(id_of(root, &root.join("wiki").join(other)), None, "{other}");
        }
    }

    #[test]
    fn names_read_back_as_they_were_written() {
        let stem = Path::new("root/wiki/0_10_000000000003_0");
        for form in [
            FileForm::Stored { checksum: None },
            FileForm::Stored { checksum: Some(7) },
            FileForm::Hot { codec: BlockCodec::None, stored: u64::MAX, checksum: None },
            FileForm::Hot { codec: BlockCodec::None, stored: 1, checksum: Some(2) },
            FileForm::Hot { codec: BlockCodec::Lz4, stored: 1, checksum: Some(2) },
            FileForm::Hot { codec: BlockCodec::Zstd, stored: 1, checksum: Some(2) },
            FileForm::Blocks { checksum: 3 },
        ] {
            assert_eq!(parse(&path(stem, form)), Some((stem.to_owned(), form)));
        }
        let old = Path::new("root/wiki/0_1.0000000000000007.hot");
        let hot = FileForm::Hot { codec: BlockCodec::None, stored: 7, checksum: None };
        assert_eq!(parse(old).unwrap().1, hot, "of an earlier version");
        for other in [
            "x",
            "0_1.0000000000000007.0000000000000007.snappy",
            ".0_1.segment.0011.tmp",
            "0_1.7.segment",
            "0_1.zzzzzzzzzzzzzzzz.hot",
        ] {
            assert_eq!(parse(Path::new(other)), None, "{other}");
        }
    }
}
