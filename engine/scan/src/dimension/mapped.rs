//! A dictionary's values converted to another type, or through an expression: found once per id.

use henge_expr::ExprValue;
use henge_expr::number::parse_double;
use henge_segment::{Dictionary, IdBlock};
use henge_types::ValueType;

use super::values::LocalValues;
use crate::column::{ExpressionSource, IdMemo, parse_text_long};
use crate::error::Result;
use crate::selection::Selection;

/// From a dictionary's ids to those of other values.
pub(super) struct Mapped<'a> {
    function: Function<'a>,
    memo: IdMemo,
    values: LocalValues,
}

/// What becomes of a dictionary's value.
struct Function<'a> {
    dictionary: &'a dyn Dictionary,
    expression: Option<ExpressionSource<'a>>,
    output: ValueType,
}

impl Function<'_> {
    fn value(&self, id: u32) -> Result<ExprValue> {
        let text = self.dictionary.get(id)?;
        Ok(match (&self.expression, self.output) {
            (Some(expression), _) => {
                let value = expression.of_text(text.as_deref())?;
                expression.keep(&value)?;
                value
            }
            (None, ValueType::Long) => text.as_deref().and_then(parse_text_long).into(),
            (None, _) => text.as_deref().and_then(parse_double).into(),
        })
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
        Self { function, memo, values: LocalValues::new(output) }
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
        let Self { function, memo, values } = self;
        memo.get(id, || Ok(values.id_of(&function.value(id)?, function.output)))
    }

    /// Writes the ids of selected rows; the id of all rows when they have the same.
    pub(super) fn map_block(
        &mut self,
        block: IdBlock<'_>,
        selection: Selection<'_>,
        ids: &mut [u32],
    ) -> Result<Option<u32>> {
        self.start_window();
        let Self { function, memo, values } = self;
        let find = |_, id: u32| Ok(values.id_of(&function.value(id)?, function.output));
        match block {
            IdBlock::Constant(id) => return self.id(id).map(Some),
            IdBlock::U8(keys) => memo.map(keys, selection, ids, find)?,
            IdBlock::U16(keys) => memo.map(keys, selection, ids, find)?,
            IdBlock::U32(keys) => memo.map(keys, selection, ids, find)?,
        }
        Ok(None)
    }
}
