//! Writing a STRING column: dictionary, bitmap index, blocks of ids.
//!
//! Directory: dictionary; a byte that says whether a bitmap index follows, and the index; the blocks. The
//! compact form leaves the index out and says that the column has one.
//! A block of ids is encoding, smallest id, largest id, ids (a piece, unless constant). A block of a
//! multi-value column is the number of its values, the block of its rows' counts, the block of ids.

use crate::bitmap::writer::{self as bitmaps, Postings};
use crate::block::{BLOCK_ROWS, NULL_ID};
use crate::dictionary::table::StringTable;
use crate::dictionary::writer as dictionary_writer;
use crate::encoding::Encoding;
use crate::encoding::ids::Ids;
use crate::error::{Result, SegmentError};
use crate::format::MAX_BLOCK_VALUES;
use crate::format::bytes::ByteWriter;
use crate::format::sink::PieceSink;
use crate::options::{IndexPolicy, WriteOptions};
use crate::writer::choose;

/// The rows of a multi-value column.
pub(super) struct Lists<'a> {
    pub(super) offsets: &'a [u32],
    pub(super) ids: &'a [u32],
}

/// Writes a single-value column; true when it has nulls.
pub(super) fn write_single(
    sink: &mut PieceSink,
    options: &WriteOptions,
    table: &StringTable,
    ids: &[u32],
    bitmaps: bool,
    directory: &mut Vec<u8>,
) -> Result<bool> {
    check_ids(table, ids)?;
    dictionary_writer::write(sink, options, table, directory)?;
    let bitmaps = bitmaps && index_pays(options, ids.chunks(BLOCK_ROWS), table.len());
    write_index(sink, options, bitmaps, || Postings::of_ids(ids, table.len() + 1), directory)?;
    for ids in ids.chunks(BLOCK_ROWS) {
        write_ids(sink, options, ids, directory)?;
    }
    Ok(ids.contains(&NULL_ID))
}

/// Writes a multi-value column; true when a row is empty or holds null.
pub(super) fn write_multi(
    sink: &mut PieceSink,
    options: &WriteOptions,
    table: &StringTable,
    lists: &Lists<'_>,
    bitmaps: bool,
    directory: &mut Vec<u8>,
) -> Result<bool> {
    let Lists { offsets, ids } = *lists;
    check_ids(table, ids)?;
    let ends = (offsets.first(), offsets.last().map(|end| *end as usize));
    if ends != (Some(&0), Some(ids.len())) || !offsets.is_sorted() {
        return Err(SegmentError::Invalid(
            "offsets must ascend from 0 to the number of values".into(),
        ));
    }
    dictionary_writer::write(sink, options, table, directory)?;
    let rows = offsets.len() - 1;
    let blocks = (0..rows).step_by(BLOCK_ROWS).map(|start| {
        let end = (start + BLOCK_ROWS).min(rows);
        &ids[offsets[start] as usize..offsets[end] as usize]
    });
    let bitmaps = bitmaps && index_pays(options, blocks, table.len());
    let postings = || Postings::of_lists(offsets, ids, table.len() + 1);
    write_index(sink, options, bitmaps, postings, directory)?;
    for start in (0..rows).step_by(BLOCK_ROWS) {
        let offsets = &offsets[start..=(start + BLOCK_ROWS).min(rows)];
        let ids = &ids[offsets[0] as usize..offsets[offsets.len() - 1] as usize];
        if ids.len() > MAX_BLOCK_VALUES {
            return Err(SegmentError::Limit(format!(
                "{} values in a block of a multi-value column: at most {MAX_BLOCK_VALUES}",
                ids.len()
            )));
        }
        let counts: Vec<u32> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
        directory.put_varint(ids.len() as u64);
        write_ids(sink, options, &counts, directory)?;
        write_ids(sink, options, ids, directory)?;
    }
    Ok(ids.contains(&NULL_ID) || offsets.windows(2).any(|pair| pair[0] == pair[1]))
}

/// What a directory says of a column's bitmap index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum IndexKind {
    /// The column has none.
    None = 0,
    /// It follows.
    Stored = 1,
    /// It is made of the ids when the segment is rewritten for scans.
    LeftOut = 2,
}

/// Says whether the column has a bitmap index, and writes it where these options keep one.
pub(crate) fn write_index(
    sink: &mut PieceSink,
    options: &WriteOptions,
    is_indexed: bool,
    postings: impl FnOnce() -> Postings,
    directory: &mut Vec<u8>,
) -> Result<()> {
    let kind = match is_indexed {
        false => IndexKind::None,
        true if options.keeps_indexes() => IndexKind::Stored,
        true => IndexKind::LeftOut,
    };
    directory.push(kind as u8);
    match kind {
        IndexKind::Stored => bitmaps::write(sink, options, &postings(), directory),
        IndexKind::None | IndexKind::LeftOut => Ok(()),
    }
}

/// Rows that scanning reads for each row that an average value has, in the blocks that may hold it:
/// with fewer than this, bitmaps find rows no sooner than packed ids do.
const MIN_SCANNED_PER_ROW: u64 = 256;

/// Rows an average value must have: with fewer, the index is about as large as the ids.
const MIN_ROWS_PER_VALUE: usize = 32;

/// Whether a bitmap index is worth its bytes.
fn index_pays<'a>(
    options: &WriteOptions,
    blocks: impl Iterator<Item = &'a [u32]>,
    values: usize,
) -> bool {
    if options.index == IndexPolicy::Always {
        return true;
    }
    let (mut rows, mut scanned) = (0, 0);
    for ids in blocks.filter(|ids| !ids.is_empty()) {
        let profile = Ids::of(ids);
        rows += ids.len();
        scanned += (u64::from(profile.max() - profile.min()) + 1) * ids.len() as u64;
    }
    rows >= MIN_ROWS_PER_VALUE * values && scanned >= MIN_SCANNED_PER_ROW * rows as u64
}

fn check_ids(table: &StringTable, ids: &[u32]) -> Result<()> {
    match ids.iter().copied().max() {
        Some(max) if max as usize > table.len() => Err(SegmentError::Invalid(format!(
            "id {max} of a dictionary of {} values",
            table.len()
        ))),
        _ => Ok(()),
    }
}

/// Writes one block of ids or counts.
pub(crate) fn write_ids(
    sink: &mut PieceSink,
    options: &WriteOptions,
    ids: &[u32],
    directory: &mut Vec<u8>,
) -> Result<()> {
    let profile = Ids::of(ids);
    let chosen = match profile.min() == profile.max() {
        true => None,
        false => choose::choose(options, &profile),
    };
    directory.push(chosen.as_ref().map_or(Encoding::Constant, |(encoding, _)| *encoding) as u8);
    directory.put_varint(u64::from(profile.min()));
    directory.put_varint(u64::from(profile.max()));
    match chosen {
        Some((_, packed)) => sink.put(&packed, directory),
        None => Ok(()),
    }
}
