//! Reading a bitmap index: its own index once, buckets when asked for.

use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;

use crate::bitmap::bucket::Bucket;
use crate::error::Result;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::corrupt;
use crate::format::pages::{self, PageKey};
use crate::format::piece::{Piece, Source, VerifiedBits};
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;

/// The bitmap index of one column.
#[derive(Debug)]
pub(crate) struct BitmapReader {
    source: Arc<Source>,
    column: u32,
    id_count: u32,
    bucket_count: usize,
    base: u64,
    index: Piece,
    buckets: OnceLock<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    container: Vec<u8>,
    entries: Vec<Entry>,
    verified: VerifiedBits,
}

#[derive(Debug)]
struct Entry {
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
        let (source, base) = (Arc::clone(source), reader.base());
        Ok(Self { source, column, id_count, bucket_count, base, index, buckets: OnceLock::new() })
    }

    pub(crate) fn index_piece(&self) -> &Piece {
        &self.index
    }

    /// The pieces of all buckets.
    pub(crate) fn bucket_pieces(&self) -> Result<impl Iterator<Item = &Piece>> {
        Ok(self.buckets()?.entries.iter().map(|bucket| &bucket.piece))
    }

    /// Writes the index again as it is, but for the codec.
    pub(crate) fn copy(
        &self,
        sink: &mut PieceSink,
        options: &WriteOptions,
        directory: &mut Vec<u8>,
    ) -> Result<()> {
        let buckets = self.buckets()?;
        let mut index = Vec::new();
        for bucket in &buckets.entries {
            index.put_varint(u64::from(bucket.ids));
            let packed = options.pack_again(&self.source, &bucket.piece, &buckets.container)?;
            sink.put(&packed, &mut index)?;
        }
        directory.put_varint(buckets.entries.len() as u64);
        sink.put(&options.pack(index), directory)
    }

    /// The rows that hold an id.
    pub(crate) fn get(&self, id: u32) -> Result<RoaringBitmap> {
        if id >= self.id_count {
            return Err(corrupt(format!("id {id} of a bitmap index of {}", self.id_count)));
        }
        let buckets = self.buckets()?;
        let number = buckets.entries.partition_point(|bucket| bucket.first_id <= id) - 1;
        let wanted = id - buckets.entries[number].first_id;
        self.with_bucket(buckets, number, |bucket| self.rows(bucket, wanted as usize))
    }

    /// Visits all ids with their rows, in order; each bucket is parsed once.
    pub(crate) fn for_each(
        &self,
        visit: &mut dyn FnMut(u32, RoaringBitmap) -> Result<()>,
    ) -> Result<()> {
        let buckets = self.buckets()?;
        for (number, entry) in buckets.entries.iter().enumerate() {
            self.with_bucket(buckets, number, |bucket| {
                (0..entry.ids).try_for_each(|wanted| {
                    visit(entry.first_id + wanted, self.rows(bucket, wanted as usize)?)
                })
            })?;
        }
        Ok(())
    }

    fn with_bucket<R>(
        &self,
        buckets: &Buckets,
        number: usize,
        read: impl FnOnce(&Bucket<'_>) -> Result<R>,
    ) -> Result<R> {
        let entry =
            buckets.entries.get(number).ok_or_else(|| corrupt("no such bucket of bitmaps"))?;
        let key = PageKey::bitmaps(self.column, number);
        let (container, verified) = (&buckets.container, buckets.verified.get(number));
        pages::with_raw(&self.source, &entry.piece, container, verified, key, |raw| {
            buckets.verified.set(number);
            read(&Bucket::parse(raw, entry.ids as usize)?)
        })
    }

    fn rows(&self, bucket: &Bucket<'_>, wanted: usize) -> Result<RoaringBitmap> {
        let bitmap = bucket.rows(wanted)?;
        if bitmap.max().is_some_and(|row| row as usize >= self.source.row_count) {
            return Err(corrupt("a bitmap holds rows beyond the segment"));
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
        let mut reader = ByteReader::new(&container).with_base(self.base);
        let mut entries = Vec::with_capacity(self.bucket_count.min(container.len()));
        let mut next_id = 0_u32;
        for _ in 0..self.bucket_count {
            let ids = reader.varint_u32()?;
            entries.push(Entry { first_id: next_id, ids, piece: Piece::read(&mut reader)? });
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
