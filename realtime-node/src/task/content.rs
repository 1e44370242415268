//! Telling whether two inputs hold the same bytes.

use std::io::Read;
use std::path::Path;

use henge_platform::metadata::TaskInput;
use henge_platform::runtime::files::RegularFile;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::input::InputRef;

const BUFFER_BYTES: usize = 1 << 20;

/// Names, sizes and hashes of inputs.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn describe(inputs: &[InputRef]) -> std::io::Result<Vec<TaskInput>> {
    let describe = |input: &InputRef| {
        let (size_bytes, content_hash) = match input {
            InputRef::Inline(data) => (data.len() as u64, hex(xxh3_128(data.as_bytes()))),
            InputRef::File { path, .. } => content_hash(path)?,
            InputRef::Entry { .. } => hash_of(&mut input.unpack()?)?,
        };
        Ok(TaskInput { name: input.name(), size_bytes, content_hash })
    };
    inputs.iter().map(describe).collect()
}

/// The size of a file and the hash of its bytes, as tasks record them: files with equal ones hold
/// the same.
///
/// # Errors
/// When it cannot be read.
pub fn content_hash(path: &Path) -> std::io::Result<(u64, String)> {
    hash_of(&mut RegularFile::open(path)?)
}

fn hash_of(file: &mut dyn Read) -> std::io::Result<(u64, String)> {
    let mut hash = Xxh3Default::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut size_bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((size_bytes, hex(hash.digest128()))),
            read => {
                hash.update(&buffer[..read]);
                size_bytes += read as u64;
            }
        }
    }
}

fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}
