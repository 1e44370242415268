//! One bucket of a bitmap index: the rows of some consecutive ids.

use roaring::RoaringBitmap;

use crate::bitmap::{BUCKET_IDS, BUCKET_ROWS};
use crate::encoding::residual::{self, Layout};
use crate::error::Result;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::corrupt;

const MIXED: u8 = 0;
const LISTS: u8 = 1;

/// Kinds of an id's rows in a mixed bucket.
const DIFFERENCES: u64 = 0;
const ROARING: u64 = 1;

/// An id with fewer rows than this is not worth a roaring bitmap.
const ROARING_MIN_ROWS: usize = 64;

/// Writes a bucket from the ascending rows of each id.
pub(crate) fn encode(rows: &[&[u32]]) -> Vec<u8> {
    let mixed = encode_mixed(rows);
    let total: usize = rows.iter().map(|rows| rows.len()).sum();
    if rows.len() < 2 || total > BUCKET_ROWS || rows.iter().any(|rows| rows.is_empty()) {
        return mixed;
    }
    let lists = encode_lists(rows);
    if lists.len() < mixed.len() { lists } else { mixed }
}

/// A parsed bucket: where the rows of each id are.
#[derive(Debug)]
pub(crate) enum Bucket<'a> {
    Mixed { heads: Vec<Head>, bodies: &'a [u8] },
    Lists { ends: Vec<u32>, firsts: Vec<u64>, differences: Vec<u64> },
}

/// Kind and extent of the rows of one id in a mixed bucket.
#[derive(Debug)]
pub(crate) struct Head {
    kind: u64,
    start: usize,
    end: usize,
}

impl<'a> Bucket<'a> {
    pub(crate) fn parse(bytes: &'a [u8], ids: usize) -> Result<Self> {
        let mut reader = ByteReader::new(bytes);
        let layout = reader.u8()?;
        if ids > BUCKET_IDS {
            return Err(corrupt("a bitmap bucket of too many ids"));
        }
        match layout {
            MIXED => Self::parse_mixed(reader, ids),
            LISTS => Self::parse_lists(reader, ids),
            _ => Err(corrupt(format!("unknown layout {layout} of a bitmap bucket"))),
        }
    }

    fn parse_mixed(mut reader: ByteReader<'a>, ids: usize) -> Result<Self> {
        let mut heads = Vec::with_capacity(ids);
        let mut end = 0_usize;
        for _ in 0..ids {
            let head = reader.varint()?;
            let start = end;
            end = start.saturating_add((head >> 1) as usize);
            heads.push(Head { kind: head & 1, start, end });
        }
        Ok(Self::Mixed { heads, bodies: reader.rest() })
    }

    fn parse_lists(mut reader: ByteReader<'a>, ids: usize) -> Result<Self> {
        let mut stream = |count: usize| -> Result<Vec<u64>> {
            let length = reader.varint_usize()?;
            let mut values = vec![0; count];
            residual::decode_with(reader.take(length)?, &mut values, |value| value)?;
            Ok(values)
        };
        let counts = stream(ids)?;
        let firsts = stream(ids)?;
        let mut total = 0_u32;
        let mut ends = Vec::with_capacity(ids);
        for count in counts {
            total = u32::try_from(count)
                .ok()
                .and_then(|count| total.checked_add(count))
                .filter(|total| *total as usize <= BUCKET_ROWS)
                .ok_or_else(|| corrupt("a bitmap bucket of too many rows"))?;
            ends.push(total);
        }
        Ok(Self::Lists { ends, firsts, differences: stream(total as usize)? })
    }

    /// The rows of id number `wanted` of the bucket.
    pub(crate) fn rows(&self, wanted: usize) -> Result<RoaringBitmap> {
        let missing = || corrupt("no such id in a bitmap bucket");
        match self {
            Self::Mixed { heads, bodies } => {
                let head = heads.get(wanted).ok_or_else(missing)?;
                decode_body(head.kind, bodies.get(head.start..head.end).ok_or_else(missing)?)
            }
            Self::Lists { ends, firsts, differences } => {
                let end = *ends.get(wanted).ok_or_else(missing)? as usize;
                let start = wanted.checked_sub(1).map_or(0, |before| ends[before] as usize);
                let mut rows = RowList::default();
                rows.push_difference(firsts[wanted])?;
                for difference in &differences[start..end] {
                    rows.push_difference(difference.saturating_add(1))?;
                }
                rows.into_bitmap()
            }
        }
    }
}

/// The rows of an id in a mixed bucket.
fn decode_body(kind: u64, body: &[u8]) -> Result<RoaringBitmap> {
    if kind == ROARING {
        // Reads no further than `body`: hostile counts run out of bytes.
        return RoaringBitmap::deserialize_from(body)
            .map_err(|error| corrupt(format!("bitmap: {error}")));
    }
    let mut body = ByteReader::new(body);
    let mut rows = RowList::default();
    while body.remaining() > 0 {
        rows.push_difference(body.varint()?)?;
    }
    rows.into_bitmap()
}

fn encode_mixed(rows: &[&[u32]]) -> Vec<u8> {
    let mut heads = vec![MIXED];
    let mut bodies = Vec::new();
    for rows in rows {
        let mut differences = Vec::new();
        let mut last = 0;
        for row in *rows {
            differences.put_varint(u64::from(row - last));
            last = *row;
        }
        let (kind, body) = match roaring_bytes(rows) {
            Some(roaring) if roaring.len() <= differences.len() => (ROARING, roaring),
            _ => (DIFFERENCES, differences),
        };
        heads.put_varint((body.len() as u64) << 1 | kind);
        bodies.extend(body);
    }
    heads.extend(bodies);
    heads
}

fn roaring_bytes(rows: &[u32]) -> Option<Vec<u8>> {
    if rows.len() < ROARING_MIN_ROWS {
        return None;
    }
    let mut bitmap = RoaringBitmap::from_sorted_iter(rows.iter().copied()).ok()?;
    bitmap.optimize();
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut bytes).ok()?;
    Some(bytes)
}

fn encode_lists(rows: &[&[u32]]) -> Vec<u8> {
    let counts: Vec<u64> = rows.iter().map(|rows| rows.len() as u64 - 1).collect();
    let firsts: Vec<u64> = rows.iter().map(|rows| u64::from(rows[0])).collect();
    let differences: Vec<u64> = rows
        .iter()
        .flat_map(|rows| rows.windows(2).map(|pair| u64::from(pair[1] - pair[0] - 1)))
        .collect();
    let mut bytes = vec![LISTS];
    for stream in [counts, firsts, differences] {
        let mut encoded = Vec::new();
        residual::encode(&stream, Layout::Packed, &mut encoded);
        bytes.put_varint(encoded.len() as u64);
        bytes.extend(encoded);
    }
    bytes
}

/// Rows that must ascend.
#[derive(Default)]
struct RowList(Vec<u32>);

impl RowList {
    fn push_difference(&mut self, difference: u64) -> Result<()> {
        let last = self.0.last().copied();
        let row = u64::from(last.unwrap_or(0)).saturating_add(difference);
        match u32::try_from(row) {
            Ok(row) if last.is_none_or(|last| last < row) => {
                self.0.push(row);
                Ok(())
            }
            _ => Err(corrupt("the rows of a bitmap do not ascend")),
        }
    }

    fn into_bitmap(self) -> Result<RoaringBitmap> {
        RoaringBitmap::from_sorted_iter(self.0).map_err(|_| corrupt("the rows of a bitmap"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], ids: usize, wanted: usize) -> Result<RoaringBitmap> {
        Bucket::parse(bytes, ids)?.rows(wanted)
    }

    fn check(rows: &[Vec<u32>]) -> u8 {
        let slices: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        let bytes = encode(&slices);
        for (id, expected) in rows.iter().enumerate() {
            let bitmap = decode(&bytes, rows.len(), id).unwrap();
            assert_eq!(bitmap.iter().collect::<Vec<_>>(), *expected);
        }
        assert!(decode(&bytes, rows.len(), rows.len()).is_err());
        for cut in 0..bytes.len().min(300) {
            let _ = decode(&bytes[..cut], rows.len(), rows.len() - 1);
        }
        bytes[0]
    }

    #[test]
    fn both_layouts_round_trip() {
        assert_eq!(check(&[vec![]]), MIXED);
        assert_eq!(check(&[vec![0], vec![], vec![5, 6, 7]]), MIXED);
        assert_eq!(check(&[(0..100_000).collect()]), MIXED);
        let odd = (0..4000_u32).map(|i| i * 16 + i * 7 % 11).collect();
        assert_eq!(check(&[odd, vec![1]]), LISTS);
        let unique: Vec<Vec<u32>> = (0..500_u32).map(|i| vec![i * 7919 % 1_000_003]).collect();
        assert_eq!(check(&unique), LISTS);
        let few: Vec<Vec<u32>> = (0..100_u32).map(|i| vec![i, i + 1000, i + 70_000]).collect();
        assert_eq!(check(&few), LISTS);
    }

    #[test]
    fn h_47_descending_rows_are_refused() {
        assert!(decode(&[MIXED, 4, 5, 0], 1, 0).is_err());
        assert!(decode(&[MIXED, 2 << 1 | 1, 0xff, 0xff], 1, 0).is_err());
        assert!(decode(&[9], 1, 0).is_err());
    }
}
