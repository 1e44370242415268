//! Writing a dictionary: pages, then the index.

use std::io::Write;

use crate::dictionary::table::StringTable;
use crate::dictionary::{BUCKET_VALUES, PAGE_BYTES};
use crate::error::Result;
use crate::format::bytes::ByteWriter;
use crate::format::sink::{FileSink, Packed};
use crate::writer::WriteOptions;

/// Writes pages and index, and what locates them into `directory`.
pub(crate) fn write<W: Write>(
    sink: &mut FileSink<W>,
    options: &WriteOptions,
    table: &StringTable,
    directory: &mut Vec<u8>,
) -> Result<()> {
    table.check_sorted()?;
    let mut index = Vec::new();
    let mut pages = 0;
    let mut start = 0;
    while start < table.len() {
        let (raw, end) = page(table, start);
        index.put_varint((end - start) as u64);
        index.put_text(separator(table, start));
        sink.put(&Packed::new(raw, options.codec, options.zstd_level), &mut index)?;
        pages += 1;
        start = end;
    }
    directory.put_varint(table.len() as u64 + 1);
    directory.put_varint(pages);
    sink.put(&Packed::new(index, options.codec, options.zstd_level), directory)
}

/// The bytes of the page that starts at a value, and the value it ends before.
fn page(table: &StringTable, start: usize) -> (Vec<u8>, usize) {
    let mut buckets = Vec::new();
    let mut offsets: Vec<u32> = Vec::new();
    let mut position = start;
    while position < table.len() && buckets.len() < PAGE_BYTES {
        offsets.push(buckets.len() as u32);
        let end = (position + BUCKET_VALUES).min(table.len());
        let head = table.get(position);
        buckets.put_text(head);
        for next in position + 1..end {
            let (before, value) = (table.get(next - 1), table.get(next));
            let shared = shared_bytes(before, value);
            buckets.put_varint(shared as u64);
            buckets.put_varint((value.len() - shared) as u64);
            buckets.extend_from_slice(&value.as_bytes()[shared..]);
        }
        position = end;
    }
    let head_bytes = 4 * offsets.len() as u32;
    let mut raw = Vec::with_capacity(buckets.len() + head_bytes as usize);
    offsets.iter().for_each(|o| raw.extend_from_slice(&(o + head_bytes).to_le_bytes()));
    raw.extend(buckets);
    (raw, position)
}

fn shared_bytes(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
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
