//! A STRING dimension: every row is one number, the id of a value or of a list of values.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};
use henge_segment::{
    Dictionary, IdBlock, MultiBlock, MultiScratch, NULL_ID, SegmentError, StringColumn,
};
use henge_types::{ValueRef, coerce};
use roaring::RoaringBitmap;

use crate::arena::{Arena, ArenaSnapshot};
use crate::batch::{ColumnRows, TextRows};
use crate::chunked::{Chunked, ChunkedSnapshot};
use crate::dictionary::{DictionarySnapshot, GrowingDictionary, Slot, VALUE_OVERHEAD_BYTES};
use crate::schema::MultiValueHandling;

/// Set in the numbers of lists: the rest is the list's number.
const LIST_FLAG: u32 = 1 << 31;

/// What a row's value is in a dimension's terms, before anything is changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Resolved {
    /// It is known by this number.
    Known(u32),
    /// It is a new value of this hash.
    NewValue(u32),
    /// It is a new list.
    NewList,
    /// It is a list or a number, and was not looked up yet.
    Unhashed,
}

/// Space for one row's work.
#[derive(Debug, Default)]
pub(crate) struct RowScratch {
    text: String,
    order: Vec<u32>,
    ids: Vec<u32>,
}

/// A growing STRING dimension.
#[derive(Debug)]
pub(crate) struct StringDimension {
    dictionary: GrowingDictionary,
    lists: Arena<u32>,
    list_slots: HashTable<Slot>,
    list_hasher: DefaultHashBuilder,
    handling: MultiValueHandling,
    rows: Chunked<u32>,
    has_nulls: bool,
}

impl StringDimension {
    /// A dimension whose first `rows` rows are null.
    pub(crate) fn new(rows: usize, handling: MultiValueHandling) -> Self {
        Self {
            dictionary: GrowingDictionary::new(),
            lists: Arena::new(),
            list_slots: HashTable::new(),
            list_hasher: DefaultHashBuilder::default(),
            handling,
            rows: Chunked::filled(rows, &NULL_ID),
            has_nulls: rows > 0,
        }
    }

    /// Hashes the commonest kind of value; others are hashed when they are looked up.
    #[inline]
    pub(crate) fn hash(&self, value: &ValueRef<'_>) -> Resolved {
        match value {
            ValueRef::String(text) => Resolved::NewValue(self.dictionary.hash(text)),
            ValueRef::Null => Resolved::Known(NULL_ID),
            _ => Resolved::Unhashed,
        }
    }

    /// Finds the number of a hashed value without changing anything.
    #[inline]
    pub(crate) fn resolve(
        &self,
        value: &ValueRef<'_>,
        hashed: Resolved,
        scratch: &mut RowScratch,
    ) -> Resolved {
        match (hashed, value) {
            (Resolved::Known(_), _) => hashed,
            (Resolved::NewValue(hash), ValueRef::String(text)) => {
                self.dictionary.find(text, hash).map_or(hashed, Resolved::Known)
            }
            _ => self.resolve_rare(value, scratch),
        }
    }

    fn resolve_rare(&self, value: &ValueRef<'_>, scratch: &mut RowScratch) -> Resolved {
        if let ValueRef::Multi(list) = value
            && list.len() > 1
        {
            return self.resolve_list(list, scratch);
        }
        let Some(text) = coerce::as_text(value, &mut scratch.text) else {
            return Resolved::Known(NULL_ID);
        };
        let hash = self.dictionary.hash(text);
        self.dictionary.find(text, hash).map_or(Resolved::NewValue(hash), Resolved::Known)
    }

    fn resolve_list(&self, list: &[Option<&str>], scratch: &mut RowScratch) -> Resolved {
        order(list, self.handling, &mut scratch.order);
        scratch.ids.clear();
        for position in &scratch.order {
            match list[*position as usize] {
                None => scratch.ids.push(NULL_ID),
                Some(text) => match self.dictionary.find(text, self.dictionary.hash(text)) {
                    Some(id) => scratch.ids.push(id),
                    None => return Resolved::NewList,
                },
            }
        }
        match *scratch.ids {
            [id] => Resolved::Known(id),
            _ => self.find_list(&scratch.ids).map_or(Resolved::NewList, Resolved::Known),
        }
    }

    fn list_hash(&self, ids: &[u32]) -> u32 {
        let mut hasher = self.list_hasher.build_hasher();
        ids.iter().for_each(|id| hasher.write_u32(*id));
        hasher.finish() as u32
    }

    fn find_list(&self, ids: &[u32]) -> Option<u32> {
        let hash = self.list_hash(ids);
        let same = |slot: &Slot| slot.hash == hash && self.lists.get(slot.number as usize) == ids;
        let slot = self.list_slots.find(Slot::spread(hash), same);
        slot.map(|slot| slot.number | LIST_FLAG)
    }

    /// Adds what [`StringDimension::resolve`] found missing; answers its number and the bytes it
    /// cost.
    pub(crate) fn intern(
        &mut self,
        value: &ValueRef<'_>,
        resolved: Resolved,
        scratch: &mut RowScratch,
    ) -> (u32, usize) {
        match resolved {
            Resolved::Known(number) => (number, 0),
            Resolved::NewValue(hash) => match coerce::as_text(value, &mut scratch.text) {
                Some(text) => {
                    (self.dictionary.insert(text, hash), text.len() + VALUE_OVERHEAD_BYTES)
                }
                None => (NULL_ID, 0),
            },
            Resolved::NewList | Resolved::Unhashed => match value {
                ValueRef::Multi(list) => self.intern_list(list, scratch),
                _ => (NULL_ID, 0),
            },
        }
    }

    /// Finds the numbers of values, and adds those that are missing; answers them and the bytes that
    /// cost.
    pub(crate) fn intern_all(
        &mut self,
        values: &ColumnRows<'_>,
        scratch: &mut RowScratch,
    ) -> (Vec<u32>, usize) {
        if let Some(texts) = values.texts() {
            return self.intern_texts(&texts);
        }
        let mut numbers = Vec::with_capacity(values.len());
        let mut all_bytes = 0;
        values.for_each(|value| {
            let resolved = self.resolve(&value, self.hash(&value), scratch);
            let (number, bytes) = match resolved {
                Resolved::Known(number) => (number, 0),
                Resolved::NewValue(_) | Resolved::NewList | Resolved::Unhashed => {
                    self.intern(&value, resolved, scratch)
                }
            };
            all_bytes += bytes;
            numbers.push(number);
        });
        (numbers, all_bytes)
    }

    /// Short texts are found without being read.
    fn intern_texts(&mut self, texts: &TextRows<'_>) -> (Vec<u32>, usize) {
        let mut all_bytes = 0;
        let dictionary = &mut self.dictionary;
        let numbers = texts.heads.iter().map(|head| {
            let (hash, found) = if head.is_whole() {
                let hash = dictionary.hash_short(*head);
                (hash, dictionary.find_short(*head, hash))
            } else {
                let text = texts.text(head);
                let hash = dictionary.hash(text);
                (hash, dictionary.find(text, hash))
            };
            found.unwrap_or_else(|| {
                let text = texts.text(head);
                all_bytes += text.len() + VALUE_OVERHEAD_BYTES;
                dictionary.insert(text, hash)
            })
        });
        (numbers.collect(), all_bytes)
    }

    fn intern_list(&mut self, list: &[Option<&str>], scratch: &mut RowScratch) -> (u32, usize) {
        order(list, self.handling, &mut scratch.order);
        scratch.ids.clear();
        let mut bytes = 0;
        for position in &scratch.order {
            let Some(text) = list[*position as usize] else {
                scratch.ids.push(NULL_ID);
                continue;
            };
            let hash = self.dictionary.hash(text);
            let id = self.dictionary.find(text, hash).unwrap_or_else(|| {
                bytes += text.len() + VALUE_OVERHEAD_BYTES;
                self.dictionary.insert(text, hash)
            });
            scratch.ids.push(id);
        }
        if let [id] = *scratch.ids {
            return (id, bytes);
        }
        self.has_nulls |= scratch.ids.contains(&NULL_ID);
        if let Some(number) = self.find_list(&scratch.ids) {
            return (number, bytes);
        }
        let hash = self.list_hash(&scratch.ids);
        // The index is full long before there are 2^31 lists: 8 GiB hold fewer.
        let number = u32::try_from(self.lists.len()).unwrap_or(u32::MAX) & !LIST_FLAG;
        self.lists.push(&scratch.ids);
        let slot = Slot { hash, number };
        self.list_slots.insert_unique(Slot::spread(hash), slot, |slot| Slot::spread(slot.hash));
        (number | LIST_FLAG, bytes + scratch.ids.len() * size_of::<u32>() + VALUE_OVERHEAD_BYTES)
    }

    /// Appends a row by its number.
    #[inline]
    pub(crate) fn push(&mut self, number: u32) {
        if !self.has_nulls && number == NULL_ID {
            self.has_nulls = true;
        }
        self.rows.push(number);
    }

    /// Appends rows by their numbers.
    pub(crate) fn extend(&mut self, numbers: &[u32]) {
        self.has_nulls |= numbers.contains(&NULL_ID);
        self.rows.extend(numbers);
    }

    pub(crate) fn is_multi_value(&self) -> bool {
        self.lists.len() > 0
    }

    pub(crate) fn has_nulls(&self) -> bool {
        self.has_nulls
    }

    pub(crate) fn snapshot(&mut self) -> StringSnapshot {
        StringSnapshot {
            dictionary: self.dictionary.snapshot(),
            rows: self.rows.snapshot(),
            lists: self.is_multi_value().then(|| self.lists.snapshot()),
            has_nulls: self.has_nulls,
        }
    }
}

/// The positions of a list's elements in the order they are kept; null sorts first.
fn order(list: &[Option<&str>], handling: MultiValueHandling, out: &mut Vec<u32>) {
    out.clear();
    out.extend((0..).take(list.len()));
    let value = |position: &u32| list[*position as usize];
    match handling {
        MultiValueHandling::Array => {}
        MultiValueHandling::SortedArray => out.sort_by_key(value),
        MultiValueHandling::SortedSet => {
            out.sort_by_key(value);
            out.dedup_by_key(|position| value(position));
        }
    }
}

/// A STRING dimension as it was.
#[derive(Debug)]
pub(crate) struct StringSnapshot {
    dictionary: DictionarySnapshot,
    rows: ChunkedSnapshot<u32>,
    lists: Option<ArenaSnapshot<u32>>,
    has_nulls: bool,
}

impl StringColumn for StringSnapshot {
    fn dictionary(&self) -> &dyn Dictionary {
        &self.dictionary
    }

    fn is_multi_value(&self) -> bool {
        self.lists.is_some()
    }

    fn id_block<'s>(
        &'s self,
        block: usize,
        _scratch: &'s mut Vec<u32>,
    ) -> Result<IdBlock<'s>, SegmentError> {
        if self.lists.is_some() {
            return Err(SegmentError::Invalid("the column is multi-value: read its lists".into()));
        }
        Ok(IdBlock::U32(self.rows.block(block)))
    }

    fn multi_block<'s>(
        &'s self,
        block: usize,
        scratch: &'s mut MultiScratch,
    ) -> Result<MultiBlock<'s>, SegmentError> {
        let MultiScratch { offsets, ids } = scratch;
        offsets.clear();
        ids.clear();
        offsets.push(0);
        for number in self.rows.block(block) {
            match &self.lists {
                Some(lists) if number & LIST_FLAG != 0 => {
                    ids.extend_from_slice(lists.get((number & !LIST_FLAG) as usize));
                }
                _ => ids.push(*number),
            }
            let end = u32::try_from(ids.len())
                .map_err(|_| SegmentError::Limit("a block holds more than 2^32 values".into()))?;
            offsets.push(end);
        }
        Ok(MultiBlock { offsets, ids })
    }

    fn bitmap(&self, _id: u32) -> Result<Option<Cow<'_, RoaringBitmap>>, SegmentError> {
        Ok(None)
    }

    fn id_range(&self, _block: usize) -> Result<Option<(u32, u32)>, SegmentError> {
        Ok(None)
    }

    fn has_nulls(&self) -> bool {
        self.has_nulls
    }
}
