//! Writing a LONG, FLOAT or DOUBLE column.
//!
//! Directory, per block: encoding, null count, null mask (a piece, only when some rows but not all of
//! a multiple of 64 are null), minimum, maximum, sum, values (a piece, unless constant).

use std::borrow::Cow;
use zerocopy::IntoBytes;

use crate::block::{BLOCK_ROWS, NumericStats};
use crate::encoding::Encoding;
use crate::error::{Result, SegmentError};
use crate::format::bytes::ByteWriter;
use crate::format::sink::{Packed, PieceSink};
use crate::number::{Number, mask_is_implied};
use crate::options::WriteOptions;
use crate::writer::choose;

/// Writes the column; true when it has nulls.
pub(super) fn write<T: Number>(
    sink: &mut PieceSink,
    options: &WriteOptions,
    values: &[T],
    nulls: Option<&[u64]>,
    directory: &mut Vec<u8>,
) -> Result<bool> {
    if nulls.is_some_and(|words| words.len() != values.len().div_ceil(64)) {
        return Err(SegmentError::Invalid("the null mask has another length".into()));
    }
    let mut has_nulls = false;
    for (block, values) in values.chunks(BLOCK_ROWS).enumerate() {
        let start = block * (BLOCK_ROWS / 64);
        let nulls =
            nulls.map(|words| mask(&words[start..start + values.len().div_ceil(64)], values.len()));
        has_nulls |= write_block(sink, options, values, nulls.as_deref(), directory)?;
    }
    Ok(has_nulls)
}

/// A block's mask with the bits beyond the last row cleared.
fn mask(words: &[u64], rows: usize) -> Vec<u64> {
    let mut words = words.to_vec();
    if let (Some(last), true) = (words.last_mut(), !rows.is_multiple_of(64)) {
        *last &= u64::MAX >> (64 - rows % 64);
    }
    words
}

fn write_block<T: Number>(
    sink: &mut PieceSink,
    options: &WriteOptions,
    values: &[T],
    nulls: Option<&[u64]>,
    directory: &mut Vec<u8>,
) -> Result<bool> {
    let stats = T::stats(values, nulls);
    let nulls = nulls.filter(|_| stats.null_count > 0);
    let values = match nulls {
        Some(words) => Cow::Owned(fill_nulls(values, words)),
        None => Cow::Borrowed(values),
    };
    let first = values.first().map(|value| value.bits());
    let constant = values.iter().all(|value| Some(value.bits()) == first);
    let chosen = match constant {
        true => None,
        false => choose::choose(options, &T::profile(&values)),
    };
    let mask = match nulls {
        Some(words) if !mask_is_implied(stats.null_count, values.len()) => {
            Some(words.as_bytes().to_vec())
        }
        _ => None,
    };
    put_block(sink, options, &stats, mask, chosen, directory)?;
    Ok(stats.null_count > 0)
}

/// Puts a block's parts where they belong; one without values is constant.
pub(crate) fn put_block<T: Number>(
    sink: &mut PieceSink,
    options: &WriteOptions,
    stats: &NumericStats<T>,
    mask: Option<Vec<u8>>,
    values: Option<(Encoding, Packed)>,
    directory: &mut Vec<u8>,
) -> Result<()> {
    directory.push(values.as_ref().map_or(Encoding::Constant, |(encoding, _)| *encoding) as u8);
    directory.put_varint(u64::from(stats.null_count));
    if let Some(mask) = mask {
        sink.put(&options.pack(mask), directory)?;
    }
    stats.min.write(directory);
    stats.max.write(directory);
    directory.push(u8::from(stats.sum.is_some()));
    if let Some(sum) = stats.sum {
        T::write_sum(sum, directory);
    }
    if let Some((_, packed)) = values {
        sink.put(&packed, directory)?;
    }
    Ok(())
}

/// The values with null rows repeating their neighbour: it widens no frame and ends no run.
fn fill_nulls<T: Number>(values: &[T], nulls: &[u64]) -> Vec<T> {
    let is_null = |row: usize| nulls[row / 64] >> (row % 64) & 1 == 1;
    let first = (0..values.len()).find(|row| !is_null(*row)).map_or(T::ZERO, |row| values[row]);
    let mut last = first;
    let filled = values.iter().enumerate().map(|(row, value)| {
        if !is_null(row) {
            last = *value;
        }
        last
    });
    filled.collect()
}
