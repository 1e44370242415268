//! Files that are packed: what in, by their first bytes and whatever their names say, and what is in
//! them, inflated while it is read.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::{DeflateDecoder, MultiGzDecoder};

use super::RegularFile;
use super::zip::{ZipEntry, ZipMethod};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 20;
/// Bytes that tell what a file is packed in.
const MAGIC_BYTES: usize = 6;

/// What a file is packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Nothing.
    Plain,
    /// gzip, of one or several members.
    Gzip,
    /// Zstandard, of one or several frames.
    Zstd,
    /// An archive: see [`zip_entries`](super::zip_entries).
    Zip,
}

impl Packing {
    /// What a file that begins so is packed in.
    ///
    /// # Errors
    /// `Unsupported` for what is recognised and not read: bzip2, xz, LZ4 frames.
    pub fn of(first_bytes: &[u8]) -> io::Result<Self> {
        let unread = |name: &str, command: &str| {
            let text = format!("it is packed by {name}, which is not read: unpack it ({command})");
            Err(io::Error::new(io::ErrorKind::Unsupported, text))
        };
        match first_bytes {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Self::Zstd),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Ok(Self::Zip),
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', ..] => unread("bzip2", "bunzip2 FILE"),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => unread("xz", "unxz FILE"),
            [0x04, 0x22, 0x4d, 0x18, ..] => unread("LZ4", "unlz4 FILE"),
            _ => Ok(Self::Plain),
        }
    }

    /// What a file is packed in.
    ///
    /// # Errors
    /// As [`Packing::of`], and when the file cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let file = RegularFile::open(path)?;
        let most = usize::try_from(file.size_bytes()).unwrap_or(MAGIC_BYTES).min(MAGIC_BYTES);
        let mut first = vec![0; most];
        file.read_exact_at(&mut first, 0)?;
        Self::of(&first)
    }
}

/// What is in a packed file, read from its start to its end.
pub struct Unpacked {
    reader: Box<dyn Read + Send>,
    stored_bytes_read: Arc<AtomicU64>,
}

impl std::fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacked").field("stored_bytes_read", &self.stored_bytes_read).finish()
    }
}

impl Unpacked {
    /// Opens a file that is not an archive.
    ///
    /// # Errors
    /// When it cannot be read, is packed in what is not read, or is an archive of files.
    pub fn open(path: &Path) -> io::Result<Self> {
        let packing = Packing::of_file(path)?;
        let stored_bytes_read = Arc::<AtomicU64>::default();
        let count = Arc::clone(&stored_bytes_read);
        let file = Counted { inner: RegularFile::open(path)?, count };
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        let reader: Box<dyn Read + Send> = match packing {
            Packing::Plain => Box::new(file),
            Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
            Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
            Packing::Zip => {
                let text = "it is an archive of files: name one of them";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        };
        Ok(Self { reader, stored_bytes_read })
    }

    /// Opens a file of an archive.
    ///
    /// # Errors
    /// When it cannot be read, or is not as the archive's directory says.
    pub fn open_entry(archive: &Path, entry: &ZipEntry) -> io::Result<Self> {
        let stored_bytes_read = Arc::<AtomicU64>::default();
        let count = Arc::clone(&stored_bytes_read);
        let stored = Counted { inner: entry.open_stored(archive)?, count };
        let stored = BufReader::with_capacity(BUFFER_BYTES, stored);
        let reader: Box<dyn Read + Send> = match entry.method {
            ZipMethod::Stored => Box::new(stored),
            ZipMethod::Deflated => Box::new(DeflateDecoder::new(stored)),
            ZipMethod::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(stored)?),
        };
        let reader = Box::new(entry.checked(reader));
        Ok(Self { reader, stored_bytes_read })
    }

    /// How much of the file on disk was read.
    #[must_use]
    pub fn stored_bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.stored_bytes_read)
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// Counts the bytes that are read through it.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn content(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("file");
        std::fs::write(&path, bytes)?;
        let mut unpacked = Unpacked::open(&path)?;
        let mut content = Vec::new();
        unpacked.read_to_end(&mut content)?;
        assert_eq!(unpacked.stored_bytes_read().load(Ordering::Relaxed), bytes.len() as u64);
        Ok(content)
    }

    #[test]
    fn files_are_unpacked_by_their_content() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(b"one").unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(content(&[gzip.clone(), gzip].concat()).unwrap(), b"oneone");
        let zstd = zstd::stream::encode_all(&b"two"[..], 1).unwrap();
        assert_eq!(content(&[zstd.clone(), zstd].concat()).unwrap(), b"twotwo");
        for plain in [&b"a,b\n1,2\n"[..], b"", b"\x1f", b"PK"] {
            assert_eq!(content(plain).unwrap(), plain);
        }
    }

    #[test]
    fn what_is_not_read_is_named_with_the_way_out() {
        for (bytes, words) in [
            (&b"BZh91AY&SY"[..], "bunzip2"),
            (b"\xfd7zXZ\0\0", "unxz"),
            (b"\x04\x22\x4d\x18\x64", "unlz4"),
        ] {
            let error = content(bytes).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
