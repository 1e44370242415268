//! Reading a dictionary: the index once, pages when asked for.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::dictionary::page::{self, PageView};
use crate::dictionary::texts::Texts;
use crate::dictionary::writer::page_options;
use crate::error::Result;
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::corrupt;
use crate::format::pages::{self, PageKey};
use crate::format::piece::{Piece, Source, VerifiedBits};
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;
use crate::text_search::TextSearch;
use crate::view::{Dictionary, DictionaryInstance};
use henge_types::narrow::narrow;

/// A dictionary in a segment.
#[derive(Debug)]
pub(crate) struct DictionaryReader {
    source: Arc<Source>,
    column: u32,
    length: u32,
    page_count: usize,
    base: u64,
    index: Piece,
    pages: OnceLock<Pages>,
}

/// The loaded index.
#[derive(Debug)]
struct Pages {
    container: Vec<u8>,
    entries: Vec<Page>,
    verified: VerifiedBits,
}

#[derive(Debug)]
struct Page {
    first_id: u32,
    values: u32,
    separator: Range<usize>,
    piece: Piece,
}

impl Pages {
    /// The page that holds an id, which is not 0.
    fn number_of(&self, id: u32) -> usize {
        self.entries.partition_point(|page| page.first_id <= id).saturating_sub(1)
    }
}

impl DictionaryReader {
    pub(crate) fn read(
        source: &Arc<Source>,
        column: u32,
        reader: &mut ByteReader<'_>,
    ) -> Result<Self> {
        let length = reader.varint_u32()?;
        let page_count = reader.varint_usize()?;
        let index = Piece::read(reader)?;
        if length == 0 || (length == 1) != (page_count == 0) || page_count > index.raw_length() {
            return Err(corrupt("a dictionary's length contradicts its pages"));
        }
        let (source, base) = (Arc::clone(source), reader.base());
        Ok(Self { source, column, length, page_count, base, index, pages: OnceLock::new() })
    }

    pub(crate) fn index_piece(&self) -> &Piece {
        &self.index
    }

    /// The pieces of all pages.
    pub(crate) fn page_pieces(&self) -> Result<impl Iterator<Item = &Piece>> {
        Ok(self.pages()?.entries.iter().map(|page| &page.piece))
    }

    /// The first and the last id of each page.
    pub(crate) fn page_bounds(&self) -> Result<impl Iterator<Item = (u32, u32)>> {
        let entries = &self.pages()?.entries;
        Ok(entries.iter().map(|page| (page.first_id, page.first_id + page.values - 1)))
    }

    /// Writes the dictionary again as it is, but for the codec.
    pub(crate) fn copy(
        &self,
        sink: &mut PieceSink,
        options: &WriteOptions,
        directory: &mut Vec<u8>,
    ) -> Result<()> {
        let (pages, of_pages) = (self.pages()?, page_options(options));
        let mut index = Vec::new();
        for page in &pages.entries {
            index.put_varint(u64::from(page.values));
            index.put_varint(page.separator.len() as u64);
            index.extend_from_slice(&pages.container[page.separator.clone()]);
            let raw = self.source.raw_to_vec(&page.piece, &pages.container)?;
            let cuts = page::cuts(&raw, page.values as usize);
            let packed = of_pages.pack_parts(raw, &cuts);
            sink.put(&packed, &mut index)?;
        }
        directory.put_varint(u64::from(self.length));
        directory.put_varint(pages.entries.len() as u64);
        sink.put(&options.pack(index), directory)
    }

    fn pages(&self) -> Result<&Pages> {
        if let Some(pages) = self.pages.get() {
            return Ok(pages);
        }
        let loaded = self.load()?;
        Ok(self.pages.get_or_init(|| loaded))
    }

    fn load(&self) -> Result<Pages> {
        let container = self.source.raw_to_vec(&self.index, &self.source.footer)?;
        let mut reader = ByteReader::new(&container).with_base(self.base);
        let mut entries = Vec::with_capacity(self.page_count.min(container.len()));
        let mut next_id = 1_u32;
        for _ in 0..self.page_count {
            let values = reader.varint_u32()?;
            let text = reader.text()?;
            let separator = reader.position() - text.len()..reader.position();
            let piece = Piece::read(&mut reader)?;
            entries.push(Page { first_id: next_id, values, separator, piece });
            next_id = next_id
                .checked_add(values)
                .filter(|next| *next <= self.length && values > 0)
                .ok_or_else(|| corrupt("dictionary pages hold more values than the dictionary"))?;
        }
        reader.finish("a dictionary index")?;
        if next_id != self.length {
            return Err(corrupt("dictionary pages hold fewer values than the dictionary"));
        }
        let verified = VerifiedBits::new(entries.len());
        Ok(Pages { container, entries, verified })
    }

    /// Calls `read` with the page's values, decompressed at most once while it stays cached.
    fn with_page<R>(
        &self,
        pages: &Pages,
        number: usize,
        read: impl FnOnce(PageView<'_>) -> Result<R>,
    ) -> Result<R> {
        let page = pages.entries.get(number).ok_or_else(|| corrupt("no such dictionary page"))?;
        let key = PageKey::dictionary(self.column, number);
        let verified = pages.verified.get(number);
        pages::with_raw(&self.source, &page.piece, &pages.container, verified, key, |raw| {
            pages.verified.set(number);
            read(PageView::new(raw, page.values as usize)?)
        })
    }

    /// Fetches pages that are about to be read, where the file has holes.
    fn bring(&self, pages: &Pages, numbers: impl Iterator<Item = usize>) -> Result<()> {
        let mut last = None;
        let unread = numbers.filter(|number| {
            last.replace(*number) != Some(*number) && !pages.verified.get(*number)
        });
        self.source.bring(unread.filter_map(|number| pages.entries.get(number)).map(|p| &p.piece))
    }

    /// Calls `read` with each page that has some of the ids: the id of its first value, the positions
    /// of the ids, and the page.
    fn for_each_page(
        &self,
        ids: Range<u32>,
        mut read: impl FnMut(u32, Range<usize>, PageView<'_>) -> Result<()>,
    ) -> Result<()> {
        if ids.end > self.length {
            return Err(corrupt(format!("ids {ids:?} of a dictionary of {}", self.length)));
        }
        let mut id = ids.start.max(1);
        if id >= ids.end {
            return Ok(());
        }
        let pages = self.pages()?;
        let first = pages.entries.partition_point(|page| page.first_id <= id) - 1;
        let last = pages.entries.partition_point(|page| page.first_id < ids.end);
        self.bring(pages, first..last)?;
        for (number, page) in pages.entries.iter().enumerate().skip(first) {
            if page.first_id >= ids.end {
                break;
            }
            let end = ids.end.min(page.first_id + page.values);
            let positions = (id - page.first_id) as usize..(end - page.first_id) as usize;
            self.with_page(pages, number, |view| read(page.first_id, positions, view))?;
            id = end;
        }
        Ok(())
    }

    /// The first id whose value is not less than `value`, and whether it is equal.
    fn search(&self, value: &str) -> Result<(u32, bool)> {
        if self.length <= 1 {
            return Ok((1, false));
        }
        let pages = self.pages()?;
        let number = pages
            .entries
            .partition_point(|page| {
                pages.container.get(page.separator.clone()).is_some_and(|s| s <= value.as_bytes())
            })
            .saturating_sub(1);
        let (position, equal) = self.with_page(pages, number, |page| page.lower_bound(value))?;
        let first_id = pages.entries.get(number).map_or(1, |page| page.first_id);
        Ok((first_id + narrow(position), equal))
    }
}

impl Dictionary for DictionaryReader {
    fn len(&self) -> u32 {
        self.length
    }

    fn is_sorted(&self) -> bool {
        true
    }

    fn instance(&self) -> Option<DictionaryInstance> {
        Some(DictionaryInstance { segment: self.source.instance, column: self.column })
    }

    fn get(&self, id: u32) -> Result<Option<Cow<'_, str>>> {
        if id == 0 {
            return Ok(None);
        }
        if id >= self.length {
            return Err(corrupt(format!("id {id} of a dictionary of {}", self.length)));
        }
        let pages = self.pages()?;
        let number = pages.entries.partition_point(|page| page.first_id <= id) - 1;
        let position = (id - pages.entries[number].first_id) as usize;
        self.with_page(pages, number, |page| page.get(position))
            .map(|value| Some(Cow::Owned(value)))
    }

    fn lookup(&self, value: &str) -> Result<Option<u32>> {
        let (id, equal) = self.search(value)?;
        Ok(equal.then_some(id))
    }

    fn lower_bound(&self, value: &str) -> Result<u32> {
        Ok(self.search(value)?.0)
    }

    fn for_each(&self, ids: Range<u32>, visit: &mut dyn FnMut(u32, Option<&str>)) -> Result<()> {
        if ids.start == 0 && ids.end > 0 {
            visit(0, None);
        }
        let mut texts = Texts::default();
        self.for_each_page(ids, |first_id, positions, page| {
            page.for_each_run(positions.start, positions.end, first_id, &mut texts, &mut |run| {
                run.iter().for_each(|(id, text)| visit(id, Some(text)));
            })
        })
    }

    fn for_each_holding(
        &self,
        ids: Range<u32>,
        search: &TextSearch<'_>,
        visit: &mut dyn FnMut(u32),
    ) -> Result<()> {
        self.for_each_page(ids, |first_id, positions, page| {
            page.for_each_holding(positions, first_id, search, visit)
        })
    }

    fn for_each_length(&self, ids: Range<u32>, visit: &mut dyn FnMut(u32, usize)) -> Result<()> {
        self.for_each_page(ids, |first_id, positions, page| {
            let id_at = |position: usize| first_id + narrow(position);
            let plain = page.ascii_lengths(positions.clone(), &mut |position, length| {
                visit(id_at(position), length);
            })?;
            if plain {
                return Ok(());
            }
            let count = |text: Option<&str>| text.map_or(0, |text| text.chars().count());
            let ids = id_at(positions.start)..id_at(positions.end);
            self.for_each(ids, &mut |id, text| visit(id, count(text)))
        })
    }

    fn for_ids(&self, ids: &[u32], visit: &mut dyn FnMut(u32, &str)) -> Result<()> {
        let mut rest = &ids[ids.partition_point(|id| *id == 0)..];
        if rest.last().is_some_and(|last| *last >= self.length) {
            return Err(corrupt(format!("an id of a dictionary of {}", self.length)));
        }
        let pages = self.pages()?;
        if self.source.supply.holes.is_some() {
            self.bring(pages, rest.iter().map(|id| pages.number_of(*id)))?;
        }
        let mut number = 0;
        while let Some(&id) = rest.first() {
            let later = pages.entries[number..].partition_point(|page| page.first_id <= id);
            number += later.saturating_sub(1);
            let page = &pages.entries[number];
            let end = page.first_id + page.values;
            let (here, beyond) = rest.split_at(rest.partition_point(|id| *id < end).max(1));
            self.with_page(pages, number, |view| view.for_ids(page.first_id, here, visit))?;
            rest = beyond;
        }
        Ok(())
    }
}
