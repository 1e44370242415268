//! Writing a dictionary: pages, then the index.

use crate::dictionary::page::{self, shared_bytes};
use crate::dictionary::table::StringTable;
use crate::error::Result;
use crate::format::bytes::ByteWriter;
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;

/// Text is where a higher level pays: pages of nearly unique text are a quarter of such segments.
/// Level 3 leaves a twentieth more.
const MIN_ZSTD_LEVEL: i32 = 6;

/// Writes pages and index, and what locates them into `directory`.
pub(crate) fn write(
    sink: &mut PieceSink,
    options: &WriteOptions,
    table: &StringTable,
    directory: &mut Vec<u8>,
) -> Result<()> {
    table.check_sorted()?;
    let of_pages = page_options(options);
    let mut index = Vec::new();
    let mut pages = 0;
    let mut start = 0;
    while start < table.len() {
        let (raw, end) = page::encode(table, start);
        index.put_varint((end - start) as u64);
        index.put_text(separator(table, start));
        let cuts = page::cuts(&raw, end - start);
        sink.put(&of_pages.pack_parts(raw, &cuts), &mut index)?;
        pages += 1;
        start = end;
    }
    directory.put_varint(table.len() as u64 + 1);
    directory.put_varint(pages);
    sink.put(&options.pack(index), directory)
}

/// How pages are packed, when they are written first and when they are copied.
pub(super) fn page_options(options: &WriteOptions) -> WriteOptions {
    WriteOptions { zstd_level: options.zstd_level.max(MIN_ZSTD_LEVEL), ..*options }
}

/// The shortest prefix of the page's first value that is greater than the value before the page.
fn separator(table: &StringTable, start: usize) -> &str {
    let first = table.get(start);
    let Some(before) = start.checked_sub(1) else { return "" };
    let mut length = shared_bytes(table.get(before), first) + 1;
    while !first.is_char_boundary(length) {
        length += 1;
    }
    &first[..length.min(first.len())]
}
