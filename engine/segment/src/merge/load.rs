//! Loading one numeric column of all views, one after the other.

use henge_types::number::{long_order_bits, order_bits};
use henge_types::{Granularity, Interval, TIME_COLUMN};

use crate::block::NumericValues;
use crate::error::{Result, SegmentError};
use crate::number::Number;
use crate::view::{ColumnView, NumericColumn, SegmentView, StringColumn};

/// A numeric column of all views. Bit `row % 64` of word `row / 64` of `nulls` is set where null.
#[derive(Debug, Default)]
pub(super) struct NumericRows<T> {
    pub(super) values: Vec<T>,
    pub(super) nulls: Option<Vec<u64>>,
}

impl<T: Copy> NumericRows<T> {
    pub(super) fn get(&self, row: usize) -> Option<T> {
        match &self.nulls {
            Some(words) if words[row / 64] >> (row % 64) & 1 == 1 => None,
            _ => Some(self.values[row]),
        }
    }
}

/// Conversions to the column's type.
pub(super) trait FromView: Number {
    fn from_long(value: i64) -> Self;
    fn from_double(value: f64) -> Self;
    fn from_text(text: &str) -> Option<Self>;
    /// Bits that sort as the values do and are equal where they are.
    fn sort_key(self) -> u64;
}

#[expect(clippy::cast_possible_truncation, reason = "beyond LONG is the nearest LONG")]
impl FromView for i64 {
    fn from_long(value: i64) -> Self {
        value
    }
    fn from_double(value: f64) -> Self {
        value as i64
    }
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| text.parse::<f64>().ok().map(|value| value as i64))
    }
    fn sort_key(self) -> u64 {
        long_order_bits(self)
    }
}

impl FromView for f64 {
    fn from_long(value: i64) -> Self {
        value as f64
    }
    fn from_double(value: f64) -> Self {
        value
    }
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn sort_key(self) -> u64 {
        order_bits(self)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a FLOAT is the nearest to the double")]
impl FromView for f32 {
    fn from_long(value: i64) -> Self {
        value as f32
    }
    fn from_double(value: f64) -> Self {
        value as f32
    }
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn sort_key(self) -> u64 {
        order_bits(f64::from(self))
    }
}

impl<T: FromView> NumericRows<T> {
    /// Loads a column; a view without it gives nulls.
    pub(super) fn load(views: &[&dyn SegmentView], name: &str, row_count: usize) -> Result<Self> {
        let mut rows = Self { values: Vec::with_capacity(row_count), nulls: None };
        for view in views {
            match view.column(name)? {
                None => {
                    for _ in 0..view.row_count() {
                        rows.push(None, row_count);
                    }
                }
                Some(ColumnView::Long(column)) => {
                    rows.append(*view, column, row_count, T::from_long)?;
                }
                Some(ColumnView::Float(column)) => {
                    rows.append(*view, column, row_count, |v| T::from_double(f64::from(v)))?;
                }
                Some(ColumnView::Double(column)) => {
                    rows.append(*view, column, row_count, T::from_double)?;
                }
                Some(ColumnView::String(column)) => rows.parse(*view, column, name, row_count)?,
                Some(ColumnView::Complex(_)) => {
                    return Err(SegmentError::Invalid(format!(
                        "column '{name}' is a sketch in one segment and a number in another"
                    )));
                }
            }
        }
        Ok(rows)
    }

    pub(super) fn push(&mut self, value: Option<T>, row_count: usize) {
        let row = self.values.len();
        if value.is_none() {
            let words = self.nulls.get_or_insert_with(|| vec![0; row_count.div_ceil(64)]);
            words[row / 64] |= 1 << (row % 64);
        }
        self.values.push(value.unwrap_or(T::ZERO));
    }

    fn append<V: Copy>(
        &mut self,
        view: &dyn SegmentView,
        column: &dyn NumericColumn<V>,
        row_count: usize,
        convert: impl Fn(V) -> T,
    ) -> Result<()> {
        let mut scratch = Vec::new();
        for block in 0..view.block_count() {
            let rows = view.block_rows(block);
            let decoded = column.block(block, &mut scratch)?;
            match decoded.nulls {
                Some(mask) => {
                    for row in 0..rows {
                        let value = decoded.values.get(row);
                        let value = (!mask.is_null(row)).then(|| convert(value));
                        self.push(value, row_count);
                    }
                }
                None => match decoded.values {
                    NumericValues::Constant(value) => {
                        self.values.resize(self.values.len() + rows, convert(value));
                    }
                    NumericValues::Slice(values) => {
                        self.values.extend(values.iter().map(|value| convert(*value)));
                    }
                },
            }
        }
        Ok(())
    }

    fn parse(
        &mut self,
        view: &dyn SegmentView,
        column: &dyn StringColumn,
        name: &str,
        row_count: usize,
    ) -> Result<()> {
        if column.is_multi_value() {
            return Err(SegmentError::Invalid(format!(
                "column '{name}' has several values in one segment and is a number in another"
            )));
        }
        let dictionary = column.dictionary();
        let mut numbers = Vec::new();
        dictionary.for_each(0..dictionary.len(), &mut |_, text| {
            numbers.push(text.and_then(T::from_text));
        })?;
        let mut scratch = Vec::new();
        for block in 0..view.block_count() {
            let ids = column.id_block(block, &mut scratch)?;
            for row in 0..view.block_rows(block) {
                self.push(numbers.get(ids.get(row) as usize).copied().flatten(), row_count);
            }
        }
        Ok(())
    }
}

/// The times of all views.
pub(super) fn times(views: &[&dyn SegmentView]) -> Result<Vec<i64>> {
    let row_count = views.iter().map(|view| view.row_count()).sum();
    let rows = NumericRows::<i64>::load(views, TIME_COLUMN, row_count)?;
    match rows.nulls {
        None => Ok(rows.values),
        Some(_) => Err(SegmentError::Invalid("a view has rows without __time".into())),
    }
}

/// Truncates times, but not to before the segment's interval: the first bucket may begin earlier.
pub(super) fn truncate(times: &mut [i64], granularity: &Granularity, interval: Interval) {
    if *granularity == Granularity::None {
        return;
    }
    // Neighbours mostly share a bucket, and finding one can mean time zone arithmetic.
    let mut bucket: Option<Interval> = None;
    for time in times {
        let known = bucket.filter(|bucket| bucket.contains(*time));
        let current = known.unwrap_or_else(|| granularity.bucket(*time));
        bucket = Some(current);
        if interval.contains(*time) {
            *time = current.start_ms.max(interval.start_ms);
        }
    }
}
