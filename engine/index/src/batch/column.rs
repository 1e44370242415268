//! A column of a batch: values of one type lie side by side.

use std::ops::Range;

use crate::head::Head;

/// The values of a column: nulls of a sparse column cost nothing.
#[derive(Debug, Default)]
pub(super) struct BatchColumn {
    /// The rows that have the values; empty while they are the first ones, without a gap.
    rows: Vec<u32>,
    values: Values,
}

/// Values in the order of their rows, by what all of them are.
#[derive(Debug, Default)]
pub(super) enum Values {
    #[default]
    None,
    Longs(Vec<i64>),
    Doubles(Vec<f64>),
    /// Short texts are their heads, others are numbered in `RowBatch::long_texts`.
    Texts(Vec<Head>),
    /// Of several types, or lists and sketches.
    Any(Vec<StoredValue>),
}

/// No null.
#[derive(Debug, Clone, Copy)]
pub(super) enum StoredValue {
    Long(i64),
    Double(f64),
    Text(Head),
    /// Of `RowBatch::elements`.
    Multi(Span),
    /// Of `RowBatch::bytes`.
    Complex(Span),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: usize,
    length: u32,
}

impl Span {
    /// A request is far below 4 GiB.
    pub(super) fn of(start: usize, end: usize) -> Self {
        Self { start, length: (end - start) as u32 }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start..self.start + self.length as usize
    }
}

impl BatchColumn {
    /// Stores the value of a row behind the others, of as many rows as are expected; gives the bytes by
    /// which the column grew.
    #[inline]
    pub(super) fn push(&mut self, row: usize, value: StoredValue, expected: usize) -> usize {
        let is_dense = self.rows.is_empty();
        let next = if is_dense { row } else { self.rows.len() };
        if is_dense || next < self.rows.capacity() {
            let is_stored = match (&mut self.values, value) {
                (Values::Longs(values), StoredValue::Long(value)) => put(values, next, value),
                (Values::Doubles(values), StoredValue::Double(value)) => put(values, next, value),
                (Values::Texts(values), StoredValue::Text(value)) => put(values, next, value),
                _ => false,
            };
            if is_stored {
                if !is_dense {
                    self.rows.push(row as u32);
                }
                return 0;
            }
        }
        self.grow(row, value, expected)
    }

    #[inline(never)]
    fn grow(&mut self, row: usize, value: StoredValue, expected: usize) -> usize {
        let before = self.memory_bytes();
        let length = self.values.len();
        if self.rows.is_empty() && length != row {
            self.rows.extend(0..length as u32);
        }
        let is_dense = self.rows.is_empty() && length == row;
        if !is_dense {
            self.rows.push(row as u32);
        }
        // Without a gap so far, it mostly stays so: fewer and larger steps than doubling.
        let step = if is_dense { (4 * length).min(expected) } else { 0 };
        self.values.push(value, step.max(2 * length).max(4));
        self.memory_bytes() - before
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u32>() + self.values.memory_bytes()
    }

    /// Forgets the values, and what type they were of.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.len() == 0
    }

    pub(super) fn values(&self) -> &Values {
        &self.values
    }

    /// Where the values of some rows lie, when all of them have one and they lie side by side.
    pub(super) fn range(&self, rows: &[u32]) -> Option<Range<usize>> {
        let (first, last) = (*rows.first()? as usize, *rows.last()? as usize);
        let is_whole = last - first + 1 == rows.len() && last < self.values.len();
        (self.rows.is_empty() && is_whole).then_some(first..last + 1)
    }

    /// Calls `visit` with where the value of each of the rows is, which ascend.
    #[inline]
    pub(super) fn visit(&self, rows: &[u32], mut visit: impl FnMut(Option<usize>)) {
        if self.rows.is_empty() {
            let length = self.values.len();
            let at = |row: &u32| Some(*row as usize).filter(|at| *at < length);
            rows.iter().for_each(|row| visit(at(row)));
            return;
        }
        let first = rows.first().copied().unwrap_or_default();
        let mut at = self.rows.partition_point(|row| *row < first);
        for row in rows {
            while self.rows.get(at).is_some_and(|known| known < row) {
                at += 1;
            }
            visit((self.rows.get(at) == Some(row)).then_some(at));
        }
    }
}

/// Appends a value as number `next`, if it is that one and there is room.
#[inline]
fn put<T>(values: &mut Vec<T>, next: usize, value: T) -> bool {
    let fits = values.len() == next && next < values.capacity();
    if fits {
        values.push(value);
    }
    fits
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Longs(values) => values.len(),
            Self::Doubles(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Any(values) => values.len(),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Longs(values) => values.capacity() * size_of::<i64>(),
            Self::Doubles(values) => values.capacity() * size_of::<f64>(),
            Self::Texts(values) => values.capacity() * size_of::<Head>(),
            Self::Any(values) => values.capacity() * size_of::<StoredValue>(),
        }
    }

    /// Appends a value; where there is no room, room is made for so many.
    fn push(&mut self, value: StoredValue, room: usize) {
        if let Self::None = self {
            *self = match value {
                StoredValue::Long(_) => Self::Longs(Vec::new()),
                StoredValue::Double(_) => Self::Doubles(Vec::new()),
                StoredValue::Text(_) => Self::Texts(Vec::new()),
                StoredValue::Multi(_) | StoredValue::Complex(_) => Self::Any(Vec::new()),
            };
        }
        match (&mut *self, value) {
            (Self::Longs(values), StoredValue::Long(value)) => push(values, value, room),
            (Self::Doubles(values), StoredValue::Double(value)) => push(values, value, room),
            (Self::Texts(values), StoredValue::Text(value)) => push(values, value, room),
            (Self::Any(values), value) => push(values, value, room),
            (known, value) => {
                let mut values = std::mem::take(known).into_any(room);
                values.push(value);
                *known = Self::Any(values);
            }
        }
    }

    fn into_any(self, room: usize) -> Vec<StoredValue> {
        let mut all = Vec::with_capacity(room);
        match self {
            Self::None => {}
            Self::Longs(values) => all.extend(values.into_iter().map(StoredValue::Long)),
            Self::Doubles(values) => all.extend(values.into_iter().map(StoredValue::Double)),
            Self::Texts(values) => all.extend(values.into_iter().map(StoredValue::Text)),
            Self::Any(values) => all = values,
        }
        all
    }
}

fn push<T>(values: &mut Vec<T>, value: T, room: usize) {
    if values.len() == values.capacity() {
        values.reserve_exact(room.saturating_sub(values.len()));
    }
    values.push(value);
}
