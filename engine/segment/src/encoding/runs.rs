//! Runs of equal values: finding them, and filling a block from them.

use std::ops::Range;

use crate::encoding::residual::{self, Layout, Stream};
use crate::error::Result;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::corrupt;
use henge_types::narrow::{narrow, place};

/// Number of runs, by the equality given.
pub(super) fn count<T>(values: &[T], equal: impl Fn(&T, &T) -> bool) -> usize {
    match values.len() {
        0 => 0,
        _ => 1 + values.windows(2).filter(|pair| !equal(&pair[0], &pair[1])).count(),
    }
}

/// The first value of each run, and the lengths of the runs less one.
pub(super) fn split<T: Copy>(values: &[T], equal: impl Fn(&T, &T) -> bool) -> (Vec<T>, Vec<u64>) {
    values.chunk_by(equal).map(|run| (run[0], run.len() as u64 - 1)).unzip()
}

/// Writes the number of runs and their lengths.
pub(super) fn write_lengths(lengths: &[u64], out: &mut Vec<u8>) {
    let mut stream = Vec::new();
    residual::encode(lengths, Layout::Aligned, &mut stream);
    out.put_varint(lengths.len() as u64);
    out.put_varint(stream.len() as u64);
    out.extend_from_slice(&stream);
}

/// The runs that some rows of a block lie in.
pub(super) struct Runs {
    /// The first of them.
    pub(super) first: usize,
    /// Rows of each.
    pub(super) lengths: Vec<u32>,
    /// Runs of the whole block.
    pub(super) count: usize,
}

/// Finds the runs of some rows of a block of `block_rows` rows.
pub(super) fn read(
    reader: &mut ByteReader<'_>,
    block_rows: usize,
    rows: &Range<usize>,
) -> Result<Runs> {
    let count = reader.varint_usize()?;
    if count > block_rows {
        return Err(corrupt(format!("{count} runs in a block of {block_rows} rows")));
    }
    let stream_length = reader.varint_usize()?;
    let stream = Stream::parse(reader.take(stream_length)?, count)?;
    let mut runs = Runs { first: 0, lengths: Vec::new(), count };
    let mut chunk = [0_u64; 256];
    let (mut run, mut start) = (0, 0_u64);
    while run < count && (start < rows.end as u64 || rows.end == block_rows) {
        let taken = chunk.len().min(count - run);
        stream.decode(run, &mut chunk[..taken], |length| length);
        for length in &chunk[..taken] {
            let end = start.saturating_add(*length).saturating_add(1);
            let (from, to) = (start.max(rows.start as u64), end.min(rows.end as u64));
            if to > from {
                runs.lengths.push(narrow(place(to - from)));
            } else if runs.lengths.is_empty() {
                runs.first += 1;
            }
            start = end;
        }
        run += taken;
    }
    let covered: u64 = runs.lengths.iter().map(|length| u64::from(*length)).sum();
    if covered != rows.len() as u64 || (rows.end == block_rows && start != block_rows as u64) {
        return Err(corrupt("run lengths do not add up to the rows of the block"));
    }
    Ok(runs)
}

/// Fills `out` from runs whose lengths add up to its length.
pub(super) fn fill<T: Copy>(lengths: &[u32], values: &[T], out: &mut [T]) {
    let mut rest = out;
    for (length, value) in lengths.iter().zip(values) {
        let (run, after) = rest.split_at_mut((*length as usize).min(rest.len()));
        run.fill(*value);
        rest = after;
    }
}
