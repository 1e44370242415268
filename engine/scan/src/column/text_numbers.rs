//! Numbers that follow from a text column alone: text read as a number, its length, an expression
//! over it. Each is found once for a value of the dictionary, when that is met first.

use henge_expr::ExprValue;
use henge_segment::{Dictionary, IdBlock, MultiScratch, NULL_ID, NumericBlock, StringColumn};

use super::numbers::Numbers;
use super::{ExpressionSource, Window};
use crate::error::{ExecError, Result};
use crate::selection::Selection;

/// What becomes of a value of the dictionary.
pub(super) enum TextFunction<'a, T> {
    /// The number that it is; null is none.
    Parse(fn(&str) -> Option<T>),
    /// The number of its characters; null has none.
    Length(fn(i64) -> T),
    /// An expression that reads nothing else, and the number of its result.
    Expression(Box<ExpressionSource<'a>>, fn(&ExprValue) -> Option<T>),
}

impl<T> TextFunction<'_, T> {
    /// When one of so many values was met, the others are read, too: in order that is several times
    /// cheaper, and lengths are cheaper still. `None` when evaluating is what costs, or may fail.
    fn reads_all_of(&self) -> Option<usize> {
        match self {
            Self::Parse(_) => Some(8),
            Self::Length(_) => Some(64),
            Self::Expression(..) => None,
        }
    }

    fn number(&self, text: Option<&str>) -> Result<Option<T>> {
        Ok(match self {
            Self::Parse(parse) => text.and_then(parse),
            Self::Length(number) => text.map(|text| number(text.chars().count() as i64)),
            Self::Expression(source, convert) => convert(&source.of_text(text)?),
        })
    }
}

/// A string column read as numbers. A row of several values has no number.
pub(crate) struct TextNumbers<'a, T> {
    column: &'a dyn StringColumn,
    function: TextFunction<'a, T>,
    found: Found<T>,
    numbers: Numbers<T>,
    missing: Vec<u32>,
    ids: Vec<u32>,
    multi: MultiScratch,
}

impl<'a, T: Copy + Default + From<u16>> TextNumbers<'a, T> {
    pub(super) fn new(column: &'a dyn StringColumn, function: TextFunction<'a, T>) -> Self {
        Self {
            column,
            function,
            found: Found::new(column.dictionary().len() as usize),
            numbers: Numbers::default(),
            missing: Vec::new(),
            ids: Vec::new(),
            multi: MultiScratch::default(),
        }
    }

    /// True when rows hold lists of values.
    pub(super) fn reads_lists(&self) -> bool {
        self.column.is_multi_value()
    }

    pub(super) fn load(
        &mut self,
        window: Window,
        selection: Selection<'_>,
    ) -> Result<NumericBlock<'_, T>> {
        let Self { column, function, found, numbers, missing, ids, multi } = self;
        let dictionary = column.dictionary();
        numbers.reset(window.capacity());
        missing.clear();
        if column.is_multi_value() {
            let lists = window.lists(*column, multi)?;
            selection.for_each(|row| {
                if let [id] = lists.row(row) {
                    found.note_missing(*id, missing);
                }
            });
            found.find(function, dictionary, missing)?;
            selection.for_each(|row| match lists.row(row) {
                [id] => numbers.set(row, found.get(*id)),
                _ => numbers.set(row, None),
            });
            return Ok(numbers.block());
        }
        match window.ids(*column, ids)? {
            IdBlock::Constant(id) => {
                if !selection.is_empty() {
                    found.note_missing(id, missing);
                }
                found.find(function, dictionary, missing)?;
                selection.for_each(|row| numbers.set(row, found.get(id)));
            }
            IdBlock::U8(ids) => {
                found.load(function, dictionary, (ids, selection), missing, numbers)?;
            }
            IdBlock::U16(ids) => {
                found.load(function, dictionary, (ids, selection), missing, numbers)?;
            }
            IdBlock::U32(ids) => {
                found.load(function, dictionary, (ids, selection), missing, numbers)?;
            }
        }
        Ok(numbers.block())
    }
}

/// Numbers by id, as far as they were found.
struct Found<T> {
    values: Vec<T>,
    known: Vec<u64>,
    nulls: Vec<u64>,
    any_null: bool,
    known_count: usize,
    /// All numbers, once they are known to be lengths that fit: a quarter of the memory that rows are looked up in.
    lengths: Vec<u16>,
}

#[inline]
fn has_bit(words: &[u64], id: u32) -> bool {
    words.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
}

impl<T: Copy + Default + From<u16>> Found<T> {
    fn new(id_count: usize) -> Self {
        let words = id_count.div_ceil(64);
        Self {
            values: vec![T::default(); id_count],
            known: vec![0; words],
            nulls: vec![0; words],
            any_null: false,
            known_count: 0,
            lengths: Vec::new(),
        }
    }

    /// True when no id can be missing.
    fn is_complete(&self) -> bool {
        self.known_count == self.values.len() || !self.lengths.is_empty()
    }

    #[inline]
    fn note_missing(&self, id: u32, missing: &mut Vec<u32>) {
        if self.lengths.is_empty() && !has_bit(&self.known, id) {
            missing.push(id);
        }
    }

    #[inline]
    fn get(&self, id: u32) -> Option<T> {
        if let Some(length) = self.lengths.get(id as usize) {
            return (id != NULL_ID).then(|| T::from(*length));
        }
        if self.any_null && has_bit(&self.nulls, id) {
            return None;
        }
        self.values.get(id as usize).copied()
    }

    fn keep(&mut self, id: u32, number: Option<T>) {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        self.known[word] |= bit;
        self.known_count += 1;
        match number {
            Some(number) => self.values[id as usize] = number,
            None => {
                self.nulls[word] |= bit;
                self.any_null = true;
            }
        }
    }

    /// Finds the numbers of some ids, which come back in order and each once: the dictionary is read
    /// from its start to its end.
    fn find(
        &mut self,
        function: &TextFunction<'_, T>,
        dictionary: &dyn Dictionary,
        ids: &mut Vec<u32>,
    ) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        ids.sort_unstable();
        ids.dedup();
        if ids.first() == Some(&NULL_ID) {
            self.keep(NULL_ID, function.number(None)?);
        }
        let mut error: Option<ExecError> = None;
        dictionary.for_ids(ids, &mut |id, text| {
            if error.is_none() {
                match function.number(Some(text)) {
                    Ok(number) => self.keep(id, number),
                    Err(failed) => error = Some(failed),
                }
            }
        })?;
        error.map_or(Ok(()), Err)?;
        let all_of = function.reads_all_of();
        if all_of.is_some_and(|of| self.known_count * of > self.values.len()) {
            self.find_others(function, dictionary)?;
        }
        Ok(())
    }

    /// Finds the numbers of all ids that have none yet.
    #[cold]
    fn find_others(
        &mut self,
        function: &TextFunction<'_, T>,
        dictionary: &dyn Dictionary,
    ) -> Result<()> {
        let ids = NULL_ID..self.values.len() as u32;
        if matches!(function, TextFunction::Length(_)) && self.find_lengths(dictionary)? {
            return Ok(());
        }
        if !has_bit(&self.known, NULL_ID) {
            self.keep(NULL_ID, function.number(None)?);
        }
        let mut error: Option<ExecError> = None;
        let mut keep_new = |id, number: &mut dyn FnMut() -> Result<Option<T>>| {
            if error.is_none() && !has_bit(&self.known, id) {
                match number() {
                    Ok(number) => self.keep(id, number),
                    Err(failed) => error = Some(failed),
                }
            }
        };
        match function {
            TextFunction::Length(of_length) => {
                dictionary.for_each_length(ids, &mut |id, length| {
                    keep_new(id, &mut || Ok(Some(of_length(length as i64))));
                })?;
            }
            TextFunction::Parse(_) | TextFunction::Expression(..) => {
                dictionary.for_each(ids, &mut |id, text| {
                    keep_new(id, &mut || function.number(text));
                })?;
            }
        }
        error.map_or(Ok(()), Err)
    }

    /// Finds the lengths of all values; false when one is too long to be kept with the others.
    fn find_lengths(&mut self, dictionary: &dyn Dictionary) -> Result<bool> {
        let (mut lengths, mut all_fit) = (vec![0; self.values.len()], true);
        dictionary.for_each_length(NULL_ID..lengths.len() as u32, &mut |id, length| {
            match u16::try_from(length) {
                Ok(length) => lengths[id as usize] = length,
                Err(_) => all_fit = false,
            }
        })?;
        if all_fit {
            (self.lengths, self.values) = (lengths, Vec::new());
        }
        Ok(all_fit)
    }

    /// Writes the numbers of the selected rows of a window.
    fn load<K: Copy + Into<u32>>(
        &mut self,
        function: &TextFunction<'_, T>,
        dictionary: &dyn Dictionary,
        (ids, selection): (&[K], Selection<'_>),
        missing: &mut Vec<u32>,
        numbers: &mut Numbers<T>,
    ) -> Result<()> {
        if !self.is_complete() {
            selection.for_each(|row| self.note_missing(ids[row].into(), missing));
            self.find(function, dictionary, missing)?;
        }
        if self.lengths.is_empty() {
            selection.for_each(|row| numbers.set(row, self.get(ids[row].into())));
            return Ok(());
        }
        let lengths = self.lengths.as_slice();
        selection.for_each(|row| match ids[row].into() {
            NULL_ID => numbers.set(row, None),
            id => numbers.set(row, Some(T::from(lengths[id as usize]))),
        });
        Ok(())
    }
}
