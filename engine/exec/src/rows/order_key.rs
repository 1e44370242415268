//! What the rows of a segment are ordered by: a word a row whose order is that of the values as far as
//! words go, and cells for what they leave open.

use std::cmp::Ordering;

use henge_expr::ExprValue;
use henge_query::{Direction, ScanKey, ScanQuery};
use henge_scan::{
    Columns, ExecError, ExpressionReader, Result, Selection, Source, Window, time_column,
};
use henge_segment::{IdBlock, NULL_ID, NumericBlock, NumericColumn, NumericStats, StringColumn};
use henge_types::narrow::place;
use henge_types::number::{long_order_bits, order_bits};

use crate::value_order::compare_values;

/// A part of what a row is ordered by.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// Its order is that of the rows.
    Word(u64),
    /// A value, in an order that may go down.
    Value(ExprValue, Direction),
}

impl Cell {
    /// Compares two cells of one key.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Word(left), Self::Word(right)) => left.cmp(right),
            (Self::Value(left, direction), Self::Value(right, _)) => {
                directed(compare_values(left, right), *direction)
            }
            // Cells of one key are of one kind.
            (Self::Word(_), Self::Value(..)) => Ordering::Less,
            (Self::Value(..), Self::Word(_)) => Ordering::Greater,
        }
    }

    /// Bytes of memory that it points to.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Word(_) => 0,
            Self::Value(value, _) => place(value.bytes()),
        }
    }
}

/// An order in a direction.
pub(super) fn directed(ordering: Ordering, direction: Direction) -> Ordering {
    match direction {
        Direction::Ascending => ordering,
        Direction::Descending => ordering.reverse(),
    }
}

/// A column that the rows of a segment are ordered by.
pub(super) struct OrderKey<'a> {
    source: KeySource<'a>,
    direction: Direction,
}

enum KeySource<'a> {
    /// Null in every row.
    Missing,
    Long(&'a dyn NumericColumn<i64>, Vec<i64>),
    Float(&'a dyn NumericColumn<f32>, Vec<f32>),
    Double(&'a dyn NumericColumn<f64>, Vec<f64>),
    /// Text whose ids are in order.
    Ids(&'a dyn StringColumn, Vec<u32>),
    /// Text whose ids are in any order: words are its first bytes.
    Text(&'a dyn StringColumn, Vec<u32>),
    /// An expression, without words.
    Computed(ExpressionReader<'a>),
}

impl<'a> OrderKey<'a> {
    /// The keys of a query, the first one first.
    pub(super) fn all(query: &ScanQuery, columns: &Columns<'a>) -> Result<Vec<Self>> {
        if let Some(direction) = query.time_order() {
            let source = match time_column(columns.view())? {
                Some(column) => KeySource::Long(column, Vec::new()),
                None => KeySource::Missing,
            };
            return Ok(vec![Self { source, direction }]);
        }
        query.order_by.iter().map(|key| Self::new(key, columns)).collect()
    }

    fn new(key: &ScanKey, columns: &Columns<'a>) -> Result<Self> {
        let refused = |reason: &str| {
            let column = &key.column;
            Err(ExecError::Invalid(format!("orderBy: column '{column}' {reason}")))
        };
        let source = match columns.resolve(&key.column)? {
            Source::Missing => KeySource::Missing,
            Source::Long(column) => KeySource::Long(column, Vec::new()),
            Source::Float(column) => KeySource::Float(column, Vec::new()),
            Source::Double(column) => KeySource::Double(column, Vec::new()),
            Source::String(column) if column.is_multi_value() => {
                return refused("holds lists: order by columns with one value a row");
            }
            Source::String(column) if column.dictionary().is_sorted() => {
                KeySource::Ids(column, Vec::new())
            }
            Source::String(column) => KeySource::Text(column, Vec::new()),
            Source::Pairs(pairs) => {
                KeySource::Computed(ExpressionReader::new(columns.values_of(pairs)?))
            }
            Source::Complex(_) => return refused("holds sketches, which have no order"),
            Source::Expression(source) => KeySource::Computed(ExpressionReader::new(source)),
        };
        Ok(Self { source, direction: key.direction })
    }

    /// True when rows with the same word are alike.
    pub(super) fn is_exact(&self) -> bool {
        match &self.source {
            KeySource::Missing | KeySource::Ids(..) => true,
            KeySource::Long(column, _) => !column.has_nulls(),
            // Null has a word of its own.
            KeySource::Float(..) | KeySource::Double(..) => true,
            KeySource::Text(..) | KeySource::Computed(_) => false,
        }
    }

    /// No row of a block has a smaller word; 0 when that is all that is known.
    pub(super) fn least_word(&self, block: usize, rows: usize) -> Result<u64> {
        let ends = match &self.source {
            KeySource::Missing => Some((0, 0)),
            KeySource::Long(column, _) => word_ends(column.stats(block)?, rows, long_order_bits),
            KeySource::Float(column, _) => {
                word_ends(column.stats(block)?, rows, |value| order_bits(f64::from(value)))
                    .map(with_nan)
            }
            KeySource::Double(column, _) => {
                word_ends(column.stats(block)?, rows, order_bits).map(with_nan)
            }
            KeySource::Ids(column, _) => {
                column.id_range(block)?.map(|(min, max)| (u64::from(min), u64::from(max)))
            }
            KeySource::Text(..) | KeySource::Computed(_) => None,
        };
        Ok(match (ends, self.direction) {
            (None, _) => 0,
            (Some((min, _)), Direction::Ascending) => min,
            (Some((_, max)), Direction::Descending) => !max,
        })
    }

    /// Writes the words of the selected rows of a block, one behind the other.
    pub(super) fn write_words(
        &mut self,
        block: usize,
        rows: Selection<'_>,
        words: &mut Vec<u64>,
    ) -> Result<()> {
        words.clear();
        match &mut self.source {
            KeySource::Missing | KeySource::Computed(_) => words.resize(rows.len(), 0),
            KeySource::Long(column, scratch) => {
                number_words(&column.block(block, scratch)?, rows, words, long_order_bits);
            }
            KeySource::Float(column, scratch) => {
                let order = |value| order_bits(f64::from(value));
                number_words(&column.block(block, scratch)?, rows, words, order);
            }
            KeySource::Double(column, scratch) => {
                number_words(&column.block(block, scratch)?, rows, words, order_bits);
            }
            KeySource::Ids(column, scratch) => match column.id_block(block, scratch)? {
                IdBlock::Constant(id) => words.resize(rows.len(), u64::from(id)),
                IdBlock::U8(ids) => id_words(ids, rows, words),
                IdBlock::U16(ids) => id_words(ids, rows, words),
                IdBlock::U32(ids) => id_words(ids, rows, words),
            },
            KeySource::Text(column, scratch) => {
                let (ids, dictionary) = (column.id_block(block, scratch)?, column.dictionary());
                rows.try_for_each(|row| {
                    let text = dictionary.get(ids.get(row))?;
                    words.push(text.as_deref().map_or(0, first_bytes));
                    Ok::<_, ExecError>(())
                })?;
            }
        }
        if self.direction == Direction::Descending {
            words.iter_mut().for_each(|word| *word = !*word);
        }
        Ok(())
    }

    /// Adds to each of the selected rows what their words leave open.
    pub(super) fn add_cells(
        &mut self,
        block: usize,
        rows: Selection<'_>,
        cells: &mut [Vec<Cell>],
    ) -> Result<()> {
        let direction = self.direction;
        let mut cells = cells.iter_mut();
        let mut add = |cell| {
            if let Some(cells) = cells.next() {
                cells.push(cell);
            }
        };
        match &mut self.source {
            KeySource::Long(column, scratch) if column.has_nulls() => {
                // The smallest number has the word of null.
                let nulls = column.block(block, scratch)?.nulls;
                let is_null = |row| nulls.is_some_and(|nulls| nulls.is_null(row));
                rows.for_each(|row| {
                    let word = u64::from(!is_null(row));
                    add(Cell::Word(if direction == Direction::Ascending { word } else { !word }));
                });
            }
            KeySource::Missing
            | KeySource::Long(..)
            | KeySource::Float(..)
            | KeySource::Double(..)
            | KeySource::Ids(..) => {}
            KeySource::Text(column, scratch) => {
                let (ids, dictionary) = (column.id_block(block, scratch)?, column.dictionary());
                rows.try_for_each(|row| {
                    let value = match ids.get(row) {
                        NULL_ID => ExprValue::Null,
                        id => dictionary.get(id)?.as_deref().into(),
                    };
                    add(Cell::Value(value, direction));
                    Ok::<_, ExecError>(())
                })?;
            }
            KeySource::Computed(reader) => {
                reader.for_each(Window::whole(block), rows, &mut |_, value| {
                    add(Cell::Value(value.clone(), direction));
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// As [`OrderKey::add_cells`], with the words before: for keys behind the first.
    pub(super) fn add_all_cells(
        &mut self,
        block: usize,
        rows: Selection<'_>,
        words: &mut Vec<u64>,
        cells: &mut [Vec<Cell>],
    ) -> Result<()> {
        self.write_words(block, rows, words)?;
        for (cells, word) in cells.iter_mut().zip(&*words) {
            cells.push(Cell::Word(*word));
        }
        self.add_cells(block, rows, cells)
    }
}

/// The smallest and the largest word of a block's rows, null's included, which is 0.
fn word_ends<T: Copy>(
    stats: Option<NumericStats<T>>,
    rows: usize,
    word: impl Fn(T) -> u64,
) -> Option<(u64, u64)> {
    let stats = stats?;
    Some(match stats.null_count as usize {
        0 => (word(stats.min), word(stats.max)),
        nulls if nulls >= rows => (0, 0),
        _ => (0, word(stats.max)),
    })
}

/// Statistics pass over NaN, which comes last.
fn with_nan((min, _): (u64, u64)) -> (u64, u64) {
    (min, u64::MAX)
}

fn number_words<T: Copy>(
    block: &NumericBlock<'_, T>,
    rows: Selection<'_>,
    words: &mut Vec<u64>,
    word: impl Fn(T) -> u64,
) {
    let values = block.values;
    match block.nulls {
        None => rows.for_each(|row| words.push(word(values.get(row)))),
        Some(nulls) => rows.for_each(|row| {
            words.push(if nulls.is_null(row) { 0 } else { word(values.get(row)) });
        }),
    }
}

fn id_words<K: Copy + Into<u32>>(ids: &[K], rows: Selection<'_>, words: &mut Vec<u64>) {
    rows.for_each(|row| words.push(u64::from(ids[row].into())));
}

/// The first bytes of a text as a number that sorts as they do.
fn first_bytes(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let length = text.len().min(8);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    u64::from_be_bytes(bytes)
}
