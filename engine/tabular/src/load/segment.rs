//! From the rows of a time chunk to its segments.

use std::io::Write;
use std::ops::Range;

use henge_index::DimensionSchema;
use henge_segment::{ColumnData, SegmentSummary, SegmentWriter, StringTable, WriteOptions};
use henge_types::number::{long_order_bits, order_bits};
use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Granularity, Interval, SegmentId, SegmentSchema,
    TIME_COLUMN,
};

use super::ChunkRows;
use super::column::{Data, NULL, Numbers, Texts};
use super::order::Order;
use crate::error::{Result, TabularError};

/// A chunk whose rows are in the order of segments, ready to be written.
#[derive(Debug)]
pub struct SortedChunk {
    interval: Interval,
    times: Vec<i64>,
    /// The rows in order; `None` when they lie in order.
    order: Option<Vec<u32>>,
    columns: Vec<(DimensionSchema, Option<Sorted>)>,
    before_time: Vec<String>,
    query_granularity: Granularity,
    partitions: usize,
}

/// A column whose texts are sorted: ids count from 1, 0 is null.
#[derive(Debug)]
enum Sorted {
    Long(Numbers<i64>),
    Float(Numbers<f32>),
    Double(Numbers<f64>),
    Text { table: StringTable, ids: Vec<u32>, ends: Option<Vec<u32>> },
}

impl ChunkRows {
    /// Sorts the rows and divides them into as few segments of at most `max_rows` as possible, all
    /// of about the same size.
    ///
    /// # Errors
    /// When the chunk has more rows than can be numbered.
    pub fn sort(self, max_rows: usize) -> Result<SortedChunk> {
        let Self { interval, mut times, dimensions, columns, before_time, query_granularity } =
            self;
        if u32::try_from(times.len()).is_err() {
            return Err(TabularError::Limit(format!("{} rows in {interval}", times.len())));
        }
        truncate(&mut times, &query_granularity, interval);
        let columns: Vec<Sorted> = columns.into_iter().map(Sorted::new).collect();
        let order = order(&times, &dimensions, &columns, &before_time);
        let partitions = times.len().div_ceil(max_rows.max(1));
        let order = order.into_rows();
        let columns = dimensions.into_iter().zip(columns.into_iter().map(Some)).collect();
        Ok(SortedChunk {
            interval,
            times,
            order,
            columns,
            before_time,
            query_granularity,
            partitions,
        })
    }
}

/// The order of rows: by the dimensions that come before the time, the time, and the others.
fn order(
    times: &[i64],
    dimensions: &[DimensionSchema],
    columns: &[Sorted],
    before_time: &[String],
) -> Order {
    let position = |name: &String| dimensions.iter().position(|schema| schema.name == *name);
    let leading: Vec<usize> = before_time.iter().filter_map(position).collect();
    let mut order = match leading.as_slice() {
        [] => Order::by_time(times),
        leading => {
            let mut order = Order::of_equals(times.len());
            leading.iter().for_each(|position| columns[*position].refine(&mut order));
            order.refine_by_key(|row| long_order_bits(times[row]));
            order
        }
    };
    let others = (0..columns.len()).filter(|position| !leading.contains(position));
    for position in others {
        if order.is_total() {
            break;
        }
        columns[position].refine(&mut order);
    }
    order
}

impl SortedChunk {
    /// The time chunk.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// How many segments it becomes.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// Writes one of the segments. They are to be written in order: the last one lets go of the
    /// rows.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write<W: Write>(
        &mut self,
        partition: usize,
        id: SegmentId,
        out: W,
        write: WriteOptions,
    ) -> Result<SegmentSummary> {
        let count = self.times.len();
        let share =
            |partition: usize| (count as u64 * partition as u64 / self.partitions as u64) as usize;
        let range = share(partition)..share(partition + 1);
        let is_last = partition + 1 == self.partitions;
        let rows = Rows { order: self.order.as_deref(), range, is_all: self.partitions == 1 };
        let mut writer = SegmentWriter::new(out, id, self.schema(), rows.range.len(), write)?;
        let times = rows.pick(&self.times);
        writer
            .write_column(TIME_COLUMN, ColumnData::Long { values: times.as_ref(), nulls: None })?;
        for (schema, column) in &mut self.columns {
            if let Some(column) = column {
                column.write(&mut writer, schema, &rows)?;
            }
            if is_last {
                *column = None;
            }
        }
        Ok(writer.finish()?)
    }

    fn schema(&self) -> SegmentSchema {
        let column = |name: &str, column_type: ColumnType, role, multi_value| ColumnSchema {
            name: name.to_owned(),
            column_type,
            role,
            multi_value,
            has_nulls: false,
        };
        let mut columns = vec![column(TIME_COLUMN, ColumnType::Long, ColumnRole::Time, false)];
        for (schema, data) in &self.columns {
            let multi_value = matches!(data, Some(Sorted::Text { ends: Some(_), .. }));
            let column_type = schema.column_type.clone();
            columns.push(column(&schema.name, column_type, ColumnRole::Dimension, multi_value));
        }
        let query_granularity = self.query_granularity.clone();
        let mut schema =
            SegmentSchema { columns, metrics: Vec::new(), rollup: false, query_granularity };
        schema.sort_before_time(&self.before_time);
        schema
    }
}

/// The rows of one segment.
struct Rows<'a> {
    order: Option<&'a [u32]>,
    range: Range<usize>,
    is_all: bool,
}

impl Rows<'_> {
    fn pick<'v, T: Copy>(&self, values: &'v [T]) -> std::borrow::Cow<'v, [T]>
    where
        [T]: ToOwned<Owned = Vec<T>>,
    {
        match self.order {
            None => values[self.range.clone()].into(),
            Some(_) => self.iter().map(|row| values[row]).collect::<Vec<T>>().into(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        let order = self.order;
        self.range.clone().map(move |place| order.map_or(place, |order| order[place] as usize))
    }

    fn nulls<T: Copy + Default>(&self, numbers: &Numbers<T>) -> Option<Vec<u64>> {
        if !numbers.has_nulls() {
            return None;
        }
        let mut words = vec![0; self.range.len().div_ceil(64)];
        for (place, row) in self.iter().enumerate() {
            words[place / 64] |= u64::from(numbers.is_null(row)) << (place % 64);
        }
        Some(words)
    }
}

impl Sorted {
    fn new(data: Data) -> Self {
        match data {
            Data::Long(numbers) => Self::Long(numbers),
            Data::Float(numbers) => Self::Float(numbers),
            Data::Double(numbers) => Self::Double(numbers),
            Data::Text(Texts { interner, mut ids, ends, .. }) => {
                let (table, places) = interner.into_sorted();
                for id in &mut ids {
                    if *id != NULL {
                        *id = places[*id as usize - 1] + 1;
                    }
                }
                Self::Text { table, ids, ends }
            }
        }
    }

    fn refine(&self, order: &mut Order) {
        /// Nulls come first: before the smallest number, which is told apart in a second step.
        fn numbers<T: Copy + Default>(
            order: &mut Order,
            numbers: &Numbers<T>,
            key: impl Fn(T) -> u64,
        ) {
            if numbers.has_nulls() {
                order.refine_by_key(|row| u64::from(!numbers.is_null(row)));
            }
            order.refine_by_key(|row| key(numbers.values[row]));
        }
        match self {
            Self::Long(column) => numbers(order, column, long_order_bits),
            Self::Float(column) => numbers(order, column, |value| order_bits(f64::from(value))),
            Self::Double(column) => numbers(order, column, order_bits),
            Self::Text { ids, ends: None, .. } => order.refine_by_key(|row| u64::from(ids[row])),
            Self::Text { ids, ends: Some(ends), .. } => {
                order.refine_by(|a, b| list(ids, ends, a).cmp(list(ids, ends, b)));
            }
        }
    }

    fn write<W: Write>(
        &self,
        writer: &mut SegmentWriter<W>,
        schema: &DimensionSchema,
        rows: &Rows<'_>,
    ) -> Result<()> {
        let name = &schema.name;
        match self {
            Self::Long(column) => {
                let (values, nulls) = (rows.pick(&column.values), rows.nulls(column));
                let data = ColumnData::Long { values: &values, nulls: nulls.as_deref() };
                writer.write_column(name, data)?;
            }
            Self::Float(column) => {
                let (values, nulls) = (rows.pick(&column.values), rows.nulls(column));
                let data = ColumnData::Float { values: &values, nulls: nulls.as_deref() };
                writer.write_column(name, data)?;
            }
            Self::Double(column) => {
                let (values, nulls) = (rows.pick(&column.values), rows.nulls(column));
                let data = ColumnData::Double { values: &values, nulls: nulls.as_deref() };
                writer.write_column(name, data)?;
            }
            Self::Text { table, ids, ends: None } => {
                let mut ids = rows.pick(ids);
                let part = (!rows.is_all).then(|| narrow(table, ids.to_mut()));
                let dictionary = part.as_ref().unwrap_or(table);
                let data =
                    ColumnData::String { dictionary, ids: ids.as_ref(), bitmaps: schema.bitmap };
                writer.write_column(name, data)?;
            }
            Self::Text { table, ids: all, ends: Some(ends) } => {
                let mut offsets = vec![0];
                let mut ids = Vec::new();
                for row in rows.iter() {
                    ids.extend_from_slice(list(all, ends, row));
                    offsets.push(ids.len() as u32);
                }
                let part = (!rows.is_all).then(|| narrow(table, &mut ids));
                let dictionary = part.as_ref().unwrap_or(table);
                let (offsets, ids, bitmaps) = (&offsets[..], &ids[..], schema.bitmap);
                let data = ColumnData::MultiString { dictionary, offsets, ids, bitmaps };
                writer.write_column(name, data)?;
            }
        }
        Ok(())
    }
}

fn list<'a>(ids: &'a [u32], ends: &[u32], row: usize) -> &'a [u32] {
    let start = row.checked_sub(1).map_or(0, |before| ends[before]);
    &ids[start as usize..ends[row] as usize]
}

/// The dictionary of some of a chunk's rows; their ids are renumbered to it.
fn narrow(table: &StringTable, ids: &mut [u32]) -> StringTable {
    let mut new_ids = vec![NULL; table.len() + 1];
    ids.iter().for_each(|id| new_ids[*id as usize] = 1);
    new_ids[NULL as usize] = NULL;
    let mut narrowed = StringTable::new();
    for (id, new_id) in new_ids.iter_mut().enumerate().filter(|(_, used)| **used == 1) {
        narrowed.push(table.get(id - 1));
        *new_id = narrowed.len() as u32;
    }
    ids.iter_mut().for_each(|id| *id = new_ids[*id as usize]);
    narrowed
}

/// Truncates times, but not to before the chunk: the first bucket may begin earlier.
fn truncate(times: &mut [i64], granularity: &Granularity, chunk: Interval) {
    if *granularity == Granularity::None {
        return;
    }
    // Neighbours mostly share a bucket, and finding one can mean time zone arithmetic.
    let mut bucket: Option<Interval> = None;
    for time in times {
        let known = bucket.filter(|bucket| bucket.contains(*time));
        let current = known.unwrap_or_else(|| granularity.bucket(*time));
        bucket = Some(current);
        *time = current.start_ms.max(chunk.start_ms);
    }
}
