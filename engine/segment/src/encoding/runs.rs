//! Runs of equal values: finding them, and filling a block from them.

use crate::encoding::residual::{self, Layout};
use crate::error::Result;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::corrupt;

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

/// Reads the lengths of runs that cover `rows` rows.
pub(super) fn read_lengths(reader: &mut ByteReader<'_>, rows: usize) -> Result<Vec<u32>> {
    let runs = reader.varint_usize()?;
    if runs > rows {
        return Err(corrupt(format!("{runs} runs in a block of {rows} rows")));
    }
    let stream_length = reader.varint_usize()?;
    let stream = reader.take(stream_length)?;
    let mut lengths = vec![0_u32; runs];
    residual::decode_with(stream, &mut lengths, |length| {
        u32::try_from(length).unwrap_or(u32::MAX).saturating_add(1)
    })?;
    if lengths.iter().map(|length| u64::from(*length)).sum::<u64>() != rows as u64 {
        return Err(corrupt("run lengths do not add up to the rows of the block"));
    }
    Ok(lengths)
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
