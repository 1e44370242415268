//! Rows in columns: what readers of formats with columns produce.

use henge_ingest::FieldValue;
use henge_segment::StringTable;

/// Some rows of a table.
#[derive(Debug, Default)]
pub struct ColumnBatch {
    /// How many.
    pub row_count: usize,
    /// One a column of the reader, in its order.
    pub columns: Vec<BatchColumn>,
}

/// The rows of one column.
#[derive(Debug)]
pub struct BatchColumn {
    /// The values; anything where null.
    pub values: Values,
    /// Bit `row % 64` of word `row / 64` is set where the row is null; `None` when no row is.
    pub nulls: Option<Vec<u64>>,
}

/// Values by type, one a row.
#[derive(Debug)]
pub enum Values {
    /// No row has a value.
    Null,
    /// True or false.
    Bool(Vec<bool>),
    /// Whole numbers, and times in milliseconds since 1970.
    Long(Vec<i64>),
    /// Decimals.
    Double(Vec<f64>),
    /// Text, by position in a table of texts.
    Text {
        /// The texts that occur.
        texts: StringTable,
        /// One position a row.
        ids: Vec<u32>,
        /// True when texts may repeat, so that it pays to remember what became of each.
        repeats: bool,
    },
    /// Several values a row: those of row `r` are `offsets[r]..offsets[r + 1]`.
    List {
        /// `rows + 1` offsets.
        offsets: Vec<u32>,
        /// The values of all rows.
        items: Box<BatchColumn>,
    },
}

impl BatchColumn {
    /// A column without values.
    #[must_use]
    pub fn null() -> Self {
        Self { values: Values::Null, nulls: None }
    }

    /// True where the row has no value.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_deref().is_some_and(|words| is_set(words, row))
    }

    /// The value of a row; elements of lists go to `items`.
    fn value<'a>(&'a self, row: usize) -> FieldValue<'a> {
        if self.is_null(row) {
            return FieldValue::Null;
        }
        match &self.values {
            Values::Null | Values::List { .. } => FieldValue::Null,
            Values::Bool(values) => FieldValue::Bool(values[row]),
            Values::Long(values) => FieldValue::Long(values[row]),
            Values::Double(values) => FieldValue::Double(values[row]),
            Values::Text { texts, ids, .. } => FieldValue::Text(texts.get(ids[row] as usize)),
        }
    }
}

/// Whether a bit of a mask is set.
#[inline]
pub(crate) fn is_set(words: &[u64], row: usize) -> bool {
    words[row / 64] >> (row % 64) & 1 == 1
}

impl ColumnBatch {
    /// Gives `take` the values of each row, in the order of the columns, until it fails.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn for_each_row<E>(
        &self,
        mut take: impl FnMut(usize, &[FieldValue<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        for row in 0..self.row_count {
            let lists: Vec<Vec<FieldValue<'_>>> =
                self.columns.iter().map(|c| list(c, row)).collect();
            let values: Vec<FieldValue<'_>> = self
                .columns
                .iter()
                .zip(&lists)
                .map(|(column, list)| match column.values {
                    Values::List { .. } if !column.is_null(row) => FieldValue::List(list),
                    _ => column.value(row),
                })
                .collect();
            take(row, &values)?;
        }
        Ok(())
    }
}

/// The elements of a row of lists; nothing in other columns.
fn list(column: &BatchColumn, row: usize) -> Vec<FieldValue<'_>> {
    match &column.values {
        Values::List { offsets, items } => {
            (offsets[row]..offsets[row + 1]).map(|item| items.value(item as usize)).collect()
        }
        _ => Vec::new(),
    }
}
