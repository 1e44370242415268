//! A dictionary's values converted to another type, or through an expression: found once per id.

use henge_expr::ExprValue;
use henge_expr::number::parse_double;
use henge_segment::{Dictionary, IdBlock, NULL_ID};
use henge_types::ValueType;

use super::values::LocalValues;
use crate::column::{ExpressionSource, IdMemo, parse_text_long};
use crate::error::{ExecError, Result};
use crate::selection::Selection;

/// When one of so many values was met, the others are read, too: in the dictionary's order a value takes
/// about this part of the time.
const READS_ALL_OF: usize = 8;

/// From a dictionary's ids to those of other values.
pub(super) struct Mapped<'a> {
    function: Function<'a>,
    memo: IdMemo,
    values: LocalValues,
    /// All values are to be read when the first is met.
    reads_all: bool,
}

/// What becomes of a dictionary's value.
struct Function<'a> {
    dictionary: &'a dyn Dictionary,
    expression: Option<ExpressionSource<'a>>,
    output: ValueType,
}

impl Function<'_> {
    fn value(&self, text: Option<&str>) -> Result<ExprValue> {
        Ok(match (&self.expression, self.output) {
            (Some(expression), _) => expression.of_text(text)?,
            (None, ValueType::Long) => text.and_then(parse_text_long).into(),
            (None, _) => text.and_then(parse_double).into(),
        })
    }

    /// The value of a row that is read.
    fn met(&self, text: Option<&str>) -> Result<ExprValue> {
        let value = self.value(text)?;
        if let Some(expression) = &self.expression {
            expression.keep(&value)?;
        }
        Ok(value)
    }
}

impl<'a> Mapped<'a> {
    pub(super) fn new(
        dictionary: &'a dyn Dictionary,
        expression: Option<ExpressionSource<'a>>,
        output: ValueType,
    ) -> Self {
        let memo = IdMemo::new(dictionary.len() as usize);
        let function = Function { dictionary, expression, output };
        Self { function, memo, values: LocalValues::new(output), reads_all: false }
    }

    /// So many rows will come: where they are as many as the values, a good part of these is met, and
    /// in another order than the dictionary's.
    pub(super) fn expect_rows(&mut self, count: usize) {
        self.reads_all = self.function.expression.is_some() && count >= self.memo.key_count();
    }

    /// The values so far.
    pub(super) fn values(&self) -> &LocalValues {
        &self.values
    }

    pub(super) fn into_values(self) -> LocalValues {
        self.values
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memo.memory_bytes() + self.values.memory_bytes()
    }

    /// Begins a window of rows.
    pub(super) fn start_window(&self) {
        if let Some(expression) = &self.function.expression {
            expression.start_window();
        }
    }

    #[inline]
    pub(super) fn id(&mut self, id: u32) -> Result<u32> {
        let Self { function, memo, values, .. } = self;
        memo.get(id, || {
            let text = function.dictionary.get(id)?;
            Ok(values.id_of(&function.met(text.as_deref())?, function.output))
        })
    }

    /// Writes the ids of selected rows; the id of all rows when they have the same.
    pub(super) fn map_block(
        &mut self,
        block: IdBlock<'_>,
        selection: Selection<'_>,
        ids: &mut [u32],
    ) -> Result<Option<u32>> {
        self.start_window();
        let Self { function, memo, values, reads_all } = self;
        if std::mem::take(reads_all) {
            find_others(function, memo, values)?;
        }
        let find = |memo: &mut IdMemo, new: &[u32]| find(function, memo, values, new);
        match block {
            IdBlock::Constant(id) => return self.id(id).map(Some),
            IdBlock::U8(keys) => memo.map_together(keys, selection, ids, find)?,
            IdBlock::U16(keys) => memo.map_together(keys, selection, ids, find)?,
            IdBlock::U32(keys) => memo.map_together(keys, selection, ids, find)?,
        }
        Ok(None)
    }
}

/// Finds the values of ids that are new and ascend.
fn find(
    function: &Function<'_>,
    memo: &mut IdMemo,
    values: &mut LocalValues,
    new: &[u32],
) -> Result<()> {
    if new.first() == Some(&NULL_ID) {
        memo.set(NULL_ID, values.id_of(&function.met(None)?, function.output));
    }
    let mut failed: Option<ExecError> = None;
    function.dictionary.for_ids(new, &mut |id, text| {
        if failed.is_none() {
            match function.met(Some(text)) {
                Ok(value) => memo.set(id, values.id_of(&value, function.output)),
                Err(error) => failed = Some(error),
            }
        }
    })?;
    failed.map_or(Ok(()), Err)?;
    if memo.known_count() < memo.key_count() && memo.known_count() * READS_ALL_OF > memo.key_count()
    {
        find_others(function, memo, values)?;
    }
    Ok(())
}

/// Finds the values of all ids that have none yet. Where that fails no row may be read that has the
/// value: then it is tried again when one is.
#[cold]
fn find_others(function: &Function<'_>, memo: &mut IdMemo, values: &mut LocalValues) -> Result<()> {
    let ids = NULL_ID + 1..function.dictionary.len();
    Ok(function.dictionary.for_each(ids, &mut |id, text| {
        if !memo.knows(id)
            && let Ok(value) = function.value(text)
        {
            memo.set(id, values.id_of(&value, function.output));
        }
    })?)
}
