//! Columns of text as segments keep them.

use super::{Contents, PieceRole, StoredColumn};
use crate::bitmap::writer::Postings;
use crate::block::{BLOCK_ROWS, IdBlock, MultiScratch};
use crate::dictionary::reader::DictionaryReader;
use crate::encoding::{Encoding, ids};
use crate::error::Result;
use crate::format::bytes::ByteWriter;
use crate::format::codec::BlockCodec;
use crate::format::corrupt;
use crate::format::piece::{Piece, Source};
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;
use crate::reader::string::{IdMeta, StringReader};
use crate::reader::{block_rows, pieces};
use crate::view::{ColumnView, Dictionary, StringColumn};
use crate::writer::{IndexKind, write_ids, write_index};

impl StoredColumn for StringReader {
    fn view(&self) -> ColumnView<'_> {
        ColumnView::String(self)
    }

    fn for_each_piece(&self, visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>) -> Result<()> {
        visit(PieceRole::Dictionary, self.dictionary.index_piece())?;
        self.dictionary.page_pieces()?.try_for_each(|page| visit(PieceRole::Dictionary, page))?;
        if let Some(bitmaps) = &self.bitmaps {
            visit(PieceRole::Bitmaps, bitmaps.index_piece())?;
            bitmaps.bucket_pieces()?.try_for_each(|bucket| visit(PieceRole::Bitmaps, bucket))?;
        }
        self.for_each_block_piece(visit)
    }

    fn for_each_block_piece(
        &self,
        visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>,
    ) -> Result<()> {
        for (number, ids) in self.blocks.iter().enumerate() {
            let parts = ids.counts.iter().chain(std::iter::once(&ids.ids));
            parts
                .filter_map(|ids| ids.data.as_ref())
                .try_for_each(|p| visit(PieceRole::Data, p))
                .map_err(pieces::in_block(number))?;
        }
        Ok(())
    }

    fn contents(&self) -> Contents {
        Contents {
            cardinality: Some(self.dictionary.len() - 1),
            encodings: self.blocks.iter().map(|block| block.ids.encoding).collect(),
            ..Contents::default()
        }
    }

    fn copy(
        &self,
        sink: &mut PieceSink,
        options: &WriteOptions,
        directory: &mut Vec<u8>,
    ) -> Result<()> {
        self.dictionary.copy(sink, options, directory)?;
        self.copy_index(sink, options, directory)?;
        for block in &self.blocks {
            if let Some(counts) = &block.counts {
                directory.put_varint(block.ids.count as u64);
                id_block(counts, &self.source, sink, options, directory)?;
            }
            id_block(&block.ids, &self.source, sink, options, directory)?;
        }
        Ok(())
    }

    fn verify(&self) -> Result<()> {
        verify_dictionary(&self.dictionary)?;
        let postings = postings(self)?;
        if !self.has_nulls() && !postings.rows_of(0).is_empty() {
            return Err(corrupt("a column without nulls holds null"));
        }
        let Some(bitmaps) = &self.bitmaps else { return Ok(()) };
        bitmaps.for_each(&mut |id, bitmap| {
            let rows = postings.rows_of(id as usize);
            match bitmap.len() == rows.len() as u64 && bitmap.iter().eq(rows.iter().copied()) {
                true => Ok(()),
                false => Err(corrupt(format!("the bitmap of id {id} does not match the rows"))),
            }
        })
    }
}

impl StringReader {
    /// Copies the bitmap index, makes it where it was left out, or leaves it out.
    fn copy_index(
        &self,
        sink: &mut PieceSink,
        options: &WriteOptions,
        directory: &mut Vec<u8>,
    ) -> Result<()> {
        match &self.bitmaps {
            Some(bitmaps) if options.keeps_indexes() => {
                directory.push(IndexKind::Stored as u8);
                bitmaps.copy(sink, options, directory)
            }
            None if self.index_is_left_out && options.keeps_indexes() => {
                let postings = postings(self)?;
                write_index(sink, options, true, || postings, directory)
            }
            bitmaps => {
                let is_indexed = bitmaps.is_some() || self.index_is_left_out;
                write_index(sink, options, is_indexed, Postings::default, directory)
            }
        }
    }
}

/// The rows of each id.
fn postings(column: &StringReader) -> Result<Postings> {
    let id_count = column.dictionary.len() as usize;
    if column.is_multi_value() {
        let (offsets, ids) = all_lists(column)?;
        return Ok(Postings::of_lists(&offsets, &ids, id_count));
    }
    Ok(Postings::of_ids(&all_ids(column)?, id_count))
}

fn id_block(
    meta: &IdMeta,
    source: &Source,
    sink: &mut PieceSink,
    options: &WriteOptions,
    directory: &mut Vec<u8>,
) -> Result<()> {
    let raw = match &meta.data {
        Some(piece) => source.raw_to_vec(piece, &source.footer)?,
        None => Vec::new(),
    };
    let packed = matches!(meta.encoding, Encoding::IdsPacked | Encoding::IdsFrame);
    if meta.data.is_some() && !(packed && options.codec == BlockCodec::None) {
        let mut values = vec![0; meta.count];
        ids::decode(meta.encoding, &raw, &mut values)?;
        return write_ids(sink, options, &values, directory);
    }
    directory.push(meta.encoding as u8);
    directory.put_varint(u64::from(meta.min));
    directory.put_varint(u64::from(meta.max));
    match meta.data {
        Some(_) => sink.put(&options.pack(raw), directory),
        None => Ok(()),
    }
}

/// The blocks of a column with their rows.
fn blocks(column: &StringReader) -> impl Iterator<Item = (usize, usize)> {
    let row_count = column.source.row_count;
    (0..row_count.div_ceil(BLOCK_ROWS)).map(move |block| (block, block_rows(row_count, block)))
}

fn all_ids(column: &StringReader) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    let mut scratch = Vec::new();
    for (block, rows) in blocks(column) {
        let ids = column.id_block(block, &mut scratch)?;
        match ids {
            IdBlock::Constant(id) => all.resize(all.len() + rows, id),
            IdBlock::U8(ids) => all.extend(ids.iter().map(|id| u32::from(*id))),
            IdBlock::U16(ids) => all.extend(ids.iter().map(|id| u32::from(*id))),
            IdBlock::U32(ids) => all.extend_from_slice(ids),
        }
    }
    Ok(all)
}

fn all_lists(column: &StringReader) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut offsets = vec![0_u32];
    let mut all = Vec::new();
    let mut scratch = MultiScratch::default();
    for (block, rows) in blocks(column) {
        let lists = column.multi_block(block, &mut scratch)?;
        for row in 0..rows {
            all.extend_from_slice(lists.row(row));
            let end = u32::try_from(all.len());
            offsets.push(end.map_err(|_| corrupt("2^32 values in a column"))?);
        }
    }
    Ok((offsets, all))
}

fn verify_dictionary(dictionary: &DictionaryReader) -> Result<()> {
    let mut before: Option<String> = None;
    let mut sorted = true;
    dictionary.for_each(1..dictionary.len().max(1), &mut |_, value| {
        let value = value.unwrap_or_default();
        sorted &= before.as_deref().is_none_or(|before| before < value);
        let kept = before.get_or_insert_default();
        kept.clear();
        kept.push_str(value);
    })?;
    if !sorted {
        return Err(corrupt("dictionary values do not ascend"));
    }
    // Lookups choose the page by separators, which a sequential read does not see.
    for id in dictionary.page_bounds()?.flat_map(|(first, last)| [first, last]) {
        let value = dictionary.get(id)?;
        if value.map(|value| dictionary.lookup(&value)).transpose()?.flatten() != Some(id) {
            return Err(corrupt(format!("the dictionary does not find value {id}")));
        }
    }
    Ok(())
}
