//! ZIP archives: the list of their files by the directory at the end, and the bytes of each. Written
//! from the format's description, as far as archives of data use it: files that are stored, deflated or
//! packed by Zstandard, also above four gigabytes (Zip64); none that are encrypted or span disks.

use std::io::{self, Read};
use std::path::Path;

use flate2::Crc;

use super::RegularFile;

/// The end of the directory without its comment.
const END_BYTES: usize = 22;
/// A comment may have so many bytes.
const MAX_COMMENT_BYTES: usize = 0xffff;
/// Larger directories are not read.
const MAX_DIRECTORY_BYTES: u64 = 64 << 20;
/// A directory's entry without name, extra fields and comment.
const ENTRY_BYTES: usize = 46;
/// What lies before a file's bytes, without name and extra fields.
const LOCAL_BYTES: usize = 30;
/// Stands for a number that is in the Zip64 field.
const IN_ZIP64: u64 = 0xffff_ffff;

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipEntry {
    /// Its path in the archive.
    pub name: String,
    /// Bytes in the archive.
    pub stored_bytes: u64,
    /// Bytes once it is unpacked.
    pub size_bytes: u64,
    pub(super) method: ZipMethod,
    crc: u32,
    header_offset: u64,
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZipMethod {
    Stored,
    Deflated,
    Zstd,
}

/// The files of an archive by name; folders, and what systems add about files (`__MACOSX`, names that
/// begin with a point), are left out.
///
/// # Errors
/// When it cannot be read, is damaged, or a file in it is encrypted or packed in a way that is not read.
pub fn zip_entries(archive: &Path) -> io::Result<Vec<ZipEntry>> {
    let file = RegularFile::open(archive)?;
    let (offset, length) = directory_place(&file)?;
    if length > MAX_DIRECTORY_BYTES {
        return Err(broken("its directory is larger than any that is read"));
    }
    let mut directory = vec![0; length as usize];
    file.read_exact_at(&mut directory, offset)?;
    let mut entries = Vec::new();
    let mut rest = directory.as_slice();
    while let Some(fixed) = rest.get(..ENTRY_BYTES).filter(|fixed| fixed.starts_with(b"PK\x01\x02"))
    {
        let (name_bytes, extra_bytes) = (number(fixed, 28, 2), number(fixed, 30, 2));
        let comment_bytes = number(fixed, 32, 2);
        let [name_end, extra_end, end] =
            ends(ENTRY_BYTES, [name_bytes, extra_bytes, comment_bytes]);
        let name = rest.get(ENTRY_BYTES..name_end).ok_or_else(cut_off)?;
        let extra = rest.get(name_end..extra_end).ok_or_else(cut_off)?;
        let name = String::from_utf8_lossy(name).into_owned();
        if is_data(&name) {
            entries.push(entry(name, fixed, extra)?);
        }
        rest = rest.get(end..).ok_or_else(cut_off)?;
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

impl ZipEntry {
    /// The bytes of the file as they are in the archive.
    pub(super) fn open_stored(&self, archive: &Path) -> io::Result<impl Read + Send + use<>> {
        let file = RegularFile::open(archive)?;
        let mut local = [0; LOCAL_BYTES];
        file.read_exact_at(&mut local, self.header_offset)?;
        if !local.starts_with(b"PK\x03\x04") {
            return Err(broken("a file is not where its directory says"));
        }
        let before = number(&local, 26, 2) + number(&local, 28, 2) + LOCAL_BYTES as u64;
        let at = self.header_offset + before;
        Ok(Range { file, at, end: at.saturating_add(self.stored_bytes) })
    }

    /// Fails at the end unless the unpacked bytes are those that were packed.
    pub(super) fn checked(&self, reader: Box<dyn Read + Send>) -> impl Read + Send + use<> {
        Checked { reader, crc: Crc::new(), expected: self.crc }
    }
}

/// Where the directory is, and its length.
fn directory_place(file: &RegularFile) -> io::Result<(u64, u64)> {
    let size = file.size_bytes();
    let tail_bytes = size.min((END_BYTES + MAX_COMMENT_BYTES) as u64);
    let mut tail = vec![0; tail_bytes as usize];
    file.read_exact_at(&mut tail, size - tail_bytes)?;
    let is_end = |at: &usize| tail[*at..].starts_with(b"PK\x05\x06");
    let last = tail.len().checked_sub(END_BYTES).ok_or_else(cut_off)?;
    let at = (0..=last)
        .rev()
        .find(is_end)
        .ok_or_else(|| broken("it has no directory: it is cut off"))?;
    let end = &tail[at..];
    let (length, offset) = (number(end, 12, 4), number(end, 16, 4));
    if length != IN_ZIP64 && offset != IN_ZIP64 {
        return Ok((offset, length));
    }
    // Twenty bytes before say where the larger end is.
    let locator = at.checked_sub(20).and_then(|at| tail.get(at..at + 20)).ok_or_else(cut_off)?;
    let mut large = [0; 56];
    file.read_exact_at(&mut large, number(locator, 8, 8))?;
    if !locator.starts_with(b"PK\x06\x07") || !large.starts_with(b"PK\x06\x06") {
        return Err(broken("the end of its directory is damaged"));
    }
    Ok((number(&large, 48, 8), number(&large, 40, 8)))
}

fn entry(name: String, fixed: &[u8], extra: &[u8]) -> io::Result<ZipEntry> {
    let unread = |what: &str| {
        let text = format!("'{name}' in it {what}: unpack it (unzip FILE)");
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    };
    if number(fixed, 8, 2) & 1 == 1 {
        return unread("is encrypted, which is not read");
    }
    let method = match number(fixed, 10, 2) {
        0 => ZipMethod::Stored,
        8 => ZipMethod::Deflated,
        93 => ZipMethod::Zstd,
        _ => return unread("is packed in a way that is not read"),
    };
    let mut numbers = [number(fixed, 24, 4), number(fixed, 20, 4), number(fixed, 42, 4)];
    let mut large = zip64_field(extra).unwrap_or_default();
    for one in numbers.iter_mut().filter(|one| **one == IN_ZIP64) {
        let (first, rest) = large.split_at_checked(8).ok_or_else(cut_off)?;
        (*one, large) = (number(first, 0, 8), rest);
    }
    let [size_bytes, stored_bytes, header_offset] = numbers;
    let crc = number(fixed, 16, 4) as u32;
    Ok(ZipEntry { name, stored_bytes, size_bytes, method, crc, header_offset })
}

/// The field of an entry's extra fields that holds large numbers.
fn zip64_field(mut extra: &[u8]) -> Option<&[u8]> {
    while let Some((head, rest)) = extra.split_at_checked(4) {
        let length = usize::try_from(number(head, 2, 2)).ok()?;
        let (field, behind) = rest.split_at_checked(length)?;
        if number(head, 0, 2) == 1 {
            return Some(field);
        }
        extra = behind;
    }
    None
}

fn is_data(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or_default();
    !last.is_empty() && !last.starts_with('.') && !name.starts_with("__MACOSX/")
}

/// A number of so many bytes, the lowest first; 0 where there are none.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..at + length).unwrap_or_default();
    field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Where things of these lengths, one behind the other, end.
fn ends<const N: usize>(start: usize, lengths: [u64; N]) -> [usize; N] {
    let mut end = start;
    lengths.map(|length| {
        end += length as usize;
        end
    })
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the ZIP archive is damaged: {what}"))
}

fn cut_off() -> io::Error {
    broken("its directory is cut off")
}

/// Part of a file.
struct Range {
    file: RegularFile,
    at: u64,
    end: u64,
}

impl Read for Range {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        self.file.read_exact_at(&mut buffer[..wanted], self.at)?;
        self.at += wanted as u64;
        Ok(wanted)
    }
}

/// Bytes whose checksum is known.
struct Checked {
    reader: Box<dyn Read + Send>,
    crc: Crc,
    expected: u32,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.crc.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() && self.crc.sum() != self.expected {
            return Err(broken("the bytes of a file are not those that were packed"));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::super::Unpacked;
    use super::*;

    /// An archive of these files, every second one deflated.
    fn archive(files: &[(&str, &[u8])], flags: u16) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (at, (name, content)) in files.iter().enumerate() {
            let mut crc = Crc::new();
            crc.update(content);
            let mut packed = content.to_vec();
            if at % 2 == 1 {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content).unwrap();
                packed = encoder.finish().unwrap();
            }
            let mut common = Vec::new();
            common.extend(20_u16.to_le_bytes());
            common.extend(flags.to_le_bytes());
            common.extend((if at % 2 == 1 { 8_u16 } else { 0 }).to_le_bytes());
            common.extend([0; 4]);
            common.extend(crc.sum().to_le_bytes());
            common.extend((packed.len() as u32).to_le_bytes());
            common.extend((content.len() as u32).to_le_bytes());
            common.extend((name.len() as u16).to_le_bytes());
            common.extend([0; 2]);
            let offset = bytes.len() as u32;
            bytes.extend(b"PK\x03\x04");
            bytes.extend(&common);
            bytes.extend(name.as_bytes());
            bytes.extend(&packed);
            directory.extend(b"PK\x01\x02\x14\0");
            directory.extend(&common);
            directory.extend([0; 10]);
            directory.extend(offset.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let (offset, length) = (bytes.len() as u32, directory.len() as u32);
        bytes.extend(directory);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([0; 4]);
        bytes.extend(length.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.extend(b"\x03\0xyz");
        bytes
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.zip");
        std::fs::write(&path, bytes)?;
        let content = |entry: ZipEntry| {
            let mut content = Vec::new();
            Unpacked::open_entry(&path, &entry)?.read_to_end(&mut content)?;
            assert_eq!(content.len() as u64, entry.size_bytes);
            Ok((entry.name, content))
        };
        zip_entries(&path)?.into_iter().map(content).collect()
    }

    #[test]
    fn files_of_an_archive_are_read_by_name() {
        let long = b"abc".repeat(100_000);
        let files: &[(&str, &[u8])] = &[
            ("d/b.csv", b"stored"),
            ("a.csv", &long),
            ("d/", b""),
            ("__MACOSX/a.csv", b"x"),
            ("d/.hidden", b"x"),
            ("empty.csv", b""),
        ];
        let found = read(&archive(files, 0)).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.csv", "d/b.csv", "empty.csv"]);
        assert_eq!((&found[0].1, found[1].1.as_slice()), (&long, &b"stored"[..]));
    }

    #[test]
    fn damage_and_what_is_not_read_are_said() {
        let files: &[(&str, &[u8])] = &[("a.csv", b"stored")];
        let encrypted = read(&archive(files, 1)).unwrap_err().to_string();
        assert!(encrypted.contains("'a.csv' in it is encrypted"), "{encrypted}");
        let whole = archive(files, 0);
        let mut flipped = whole.clone();
        flipped[36] ^= 1;
        assert!(read(&flipped).unwrap_err().to_string().contains("not those that were packed"));
        for length in 4..whole.len() - 3 {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
    }
}
