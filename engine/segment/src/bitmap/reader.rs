//! Reading a bitmap index: its own index once, buckets when asked for.

use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;

use crate::bitmap::bucket;
use crate::error::Result;
use crate::format::bytes::ByteReader;
use crate::format::corrupt;
use crate::format::piece::{Piece, Source, VerifiedBits};
use crate::reader::cache::{self, PageKey};

/// The bitmap index of one column.
#[derive(Debug)]
pub(crate) struct BitmapReader {
    source: Arc<Source>,
    column: u32,
    id_count: u32,
    bucket_count: usize,
    index: Piece,
    buckets: OnceLock<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    container: Vec<u8>,
    entries: Vec<Bucket>,
    verified: VerifiedBits,
}

#[derive(Debug)]
struct Bucket {
    first_id: u32,
    ids: u32,
    piece: Piece,
}

impl BitmapReader {
    pub(crate) fn read(
        source: &Arc<Source>,
        column: u32,
        id_count: u32,
        reader: &mut ByteReader<'_>,
    ) -> Result<Self> {
        let bucket_count = reader.varint_usize()?;
        let index = Piece::read(reader)?;
        if bucket_count > index.raw_length() {
            return Err(corrupt("a bitmap index is too short for its buckets"));
        }
        let source = Arc::clone(source);
        Ok(Self { source, column, id_count, bucket_count, index, buckets: OnceLock::new() })
    }

    pub(crate) fn index_piece(&self) -> &Piece {
        &self.index
    }

    /// The pieces of all buckets.
    pub(crate) fn bucket_pieces(&self) -> Result<impl Iterator<Item = &Piece>> {
        Ok(self.buckets()?.entries.iter().map(|bucket| &bucket.piece))
    }

    /// The rows that hold an id.
    pub(crate) fn get(&self, id: u32) -> Result<RoaringBitmap> {
        if id >= self.id_count {
            return Err(corrupt(format!("id {id} of a bitmap index of {}", self.id_count)));
        }
        let buckets = self.buckets()?;
        let number = buckets.entries.partition_point(|bucket| bucket.first_id <= id) - 1;
        let entry = &buckets.entries[number];
        let wanted = (id - entry.first_id) as usize;
        let key = PageKey::bitmaps(self.column, number);
        let verified = buckets.verified.get(number);
        let container = &buckets.container;
        let read = |raw: &[u8]| {
            buckets.verified.set(number);
            bucket::decode(raw, entry.ids as usize, wanted)
        };
        let bitmap = cache::with_raw(&self.source, &entry.piece, container, verified, key, read)?;
        if bitmap.max().is_some_and(|row| row as usize >= self.source.row_count) {
            return Err(corrupt(format!("the bitmap of id {id} holds rows beyond the segment")));
        }
        Ok(bitmap)
    }

    fn buckets(&self) -> Result<&Buckets> {
        if let Some(buckets) = self.buckets.get() {
            return Ok(buckets);
        }
        let loaded = self.load()?;
        Ok(self.buckets.get_or_init(|| loaded))
    }

    fn load(&self) -> Result<Buckets> {
        let container = self.source.raw_to_vec(&self.index, &self.source.footer)?;
        let mut reader = ByteReader::new(&container);
        let mut entries = Vec::with_capacity(self.bucket_count.min(container.len()));
        let mut next_id = 0_u32;
        for _ in 0..self.bucket_count {
            let ids = reader.varint_u32()?;
            entries.push(Bucket { first_id: next_id, ids, piece: Piece::read(&mut reader)? });
            next_id = next_id
                .checked_add(ids)
                .filter(|next| *next <= self.id_count && ids > 0)
                .ok_or_else(|| corrupt("bitmap buckets hold more ids than the dictionary"))?;
        }
        reader.finish("a bitmap index")?;
        if next_id != self.id_count {
            return Err(corrupt("bitmap buckets hold fewer ids than the dictionary"));
        }
        let verified = VerifiedBits::new(entries.len());
        Ok(Buckets { container, entries, verified })
    }
}
