//! Merging any views into one segment: rows sorted as the target's columns are, dictionaries united,
//! metrics combined when the target rolls up. Persisting an index is merging its one snapshot.
//!
//! Memory holds the row order and one column at a time (string dimensions are kept from sorting to
//! writing while they are small), whatever the number of columns.

mod combine;
mod load;
mod order;
mod schema;
mod sketches;
mod strings;

use std::io::Write;

use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Interval, MetricSpec, SegmentId, SegmentSchema,
    TIME_COLUMN,
};

pub use schema::combine_schemas;

use crate::error::{Result, SegmentError};
use crate::format::projection::ProjectionFile;
use crate::merge::load::NumericRows;
use crate::merge::order::RowOrder;
use crate::merge::strings::StringRows;
use crate::metric::overflows;
use crate::number::Number;
use crate::options::WriteOptions;
use crate::view::SegmentView;
use crate::writer::{ColumnData, SegmentSummary, SegmentWriter};

/// What a merge produces.
#[derive(Debug, Clone)]
pub struct MergeOptions {
    /// Columns, sort order (that of `__time` and the dimensions), roll-up and query granularity of
    /// the target.
    pub schema: SegmentSchema,
    /// Codec and encodings.
    pub write: WriteOptions,
    /// STRING columns to write without a bitmap index.
    pub unindexed: Vec<String>,
    /// Takes only rows inside this interval, for cutting time chunks anew.
    pub interval: Option<Interval>,
}

impl MergeOptions {
    /// Options with nothing left out.
    #[must_use]
    pub fn new(schema: SegmentSchema) -> Self {
        Self { schema, write: WriteOptions::default(), unindexed: Vec::new(), interval: None }
    }
}

/// Merges views into one segment.
///
/// Rows come out sorted by `__time` (truncated to the target's query granularity, but never to before
/// the segment's interval) and the dimensions, in the order of the target's columns, whatever the
/// order of the views' rows; nulls first. A column that a view lacks reads as null; one of another
/// type is converted where that is possible. Projections are left behind: they are built anew from
/// the rows of the result, because roll-up changes what they count.
///
/// # Errors
/// `Invalid` when types cannot be reconciled or a time leaves the segment's interval, `Limit`,
/// `Corrupt` from reading, `Io` from writing.
pub fn merge<W: Write>(
    views: &[&dyn SegmentView],
    id: SegmentId,
    options: &MergeOptions,
    out: W,
) -> Result<SegmentSummary> {
    let merger = Merger::new(views, id, options)?;
    let sorted = merger.sort()?;
    merger.write(sorted, &[], out)
}

/// String columns are kept between sorting and writing while they take no more than this.
const KEPT_BYTES: usize = 256 << 20;

/// The inputs of one merge.
struct Merger<'a> {
    views: &'a [&'a dyn SegmentView],
    options: &'a MergeOptions,
    id: SegmentId,
    row_count: usize,
}

/// Sorted rows: their order, their truncated times, and the string columns worth keeping.
struct Sorted {
    order: RowOrder,
    times: Vec<i64>,
    kept: Vec<Option<StringRows>>,
}

impl<'a> Merger<'a> {
    fn new(
        views: &'a [&'a dyn SegmentView],
        id: SegmentId,
        options: &'a MergeOptions,
    ) -> Result<Self> {
        let row_count: usize = views.iter().map(|view| view.row_count()).sum();
        if u32::try_from(row_count).is_err() {
            return Err(SegmentError::Limit(format!("{row_count} rows in one merge")));
        }
        Ok(Self { views, options, id, row_count })
    }

    fn sort(&self) -> Result<Sorted> {
        let schema = &self.options.schema;
        let mut times = load::times(self.views)?;
        let mut order = RowOrder::new(&times, self.options.interval);
        // Rows of an interval stay in it: what lies before may belong to another chunk.
        let within = self.options.interval.and_then(|only| only.intersect(&self.id.interval));
        let within = within.unwrap_or(self.id.interval);
        load::truncate(&mut times, &schema.query_granularity, within);
        let mut kept: Vec<Option<StringRows>> = schema.columns.iter().map(|_| None).collect();
        let mut kept_bytes = 0;
        for (position, column) in schema.columns.iter().enumerate() {
            if order.is_total() {
                break;
            }
            match column.role {
                ColumnRole::Time => {
                    order.refine_times(&times);
                    continue;
                }
                ColumnRole::Metric => continue,
                ColumnRole::Dimension => {}
            }
            match column.column_type {
                ColumnType::String => {
                    let rows = StringRows::load(self.views, column)?;
                    order.refine_strings(&rows);
                    kept_bytes += rows.memory_bytes();
                    if kept_bytes < KEPT_BYTES {
                        kept[position] = Some(rows);
                    }
                }
                ColumnType::Long => order.refine_numbers(&self.numbers::<i64>(column)?),
                ColumnType::Float => order.refine_numbers(&self.numbers::<f32>(column)?),
                ColumnType::Double => order.refine_numbers(&self.numbers::<f64>(column)?),
                ColumnType::Complex(_) => {}
            }
        }
        if !schema.rollup {
            order.keep_all_rows();
        }
        self.keep_sums_apart(&mut order)?;
        Ok(Sorted { order, times, kept })
    }

    /// Keeps equal rows apart where the sum of a metric would be beyond LONG: no row is refused for
    /// what others hold, and queries add them up wide.
    fn keep_sums_apart(&self, order: &mut RowOrder) -> Result<()> {
        if !order.combines() {
            return Ok(());
        }
        let mut sums = Vec::new();
        for metric in &self.options.schema.metrics {
            if overflows(&metric.kind)? && combine::may_overflow(self.views, &metric.name)? {
                sums.push(NumericRows::load(self.views, &metric.name, self.row_count)?);
            }
        }
        // What is kept apart for one sum may be too much for another without the rows before it.
        let mut rows = 0;
        while rows < order.output_rows() {
            rows = order.output_rows();
            sums.iter().for_each(|sum| combine::keep_sums_apart(sum, order));
        }
        Ok(())
    }

    fn write<W: Write>(
        &self,
        sorted: Sorted,
        projections: &[ProjectionFile],
        out: W,
    ) -> Result<SegmentSummary> {
        let Sorted { order, times, mut kept } = sorted;
        let (schema, write) = (&self.options.schema, self.options.write);
        let row_count = order.output_rows();
        let mut writer =
            SegmentWriter::new(out, self.id.clone(), schema.clone(), row_count, write)?;
        let heads: Vec<i64> = order.heads().map(|row| times[row]).collect();
        drop(times);
        writer.write_column(TIME_COLUMN, ColumnData::Long { values: &heads, nulls: None })?;
        drop(heads);
        for (column, kept) in schema.columns.iter().zip(&mut kept) {
            if column.name != TIME_COLUMN {
                self.write_column(&mut writer, column, &order, kept.take())?;
            }
        }
        projections.iter().try_for_each(|file| writer.write_projection(file))?;
        writer.finish()
    }

    fn numbers<T: Number + load::FromView>(&self, column: &ColumnSchema) -> Result<NumericRows<T>> {
        NumericRows::load(self.views, &column.name, self.row_count)
    }

    fn write_column<W: Write>(
        &self,
        writer: &mut SegmentWriter<W>,
        column: &ColumnSchema,
        order: &RowOrder,
        kept: Option<StringRows>,
    ) -> Result<()> {
        let name = &column.name;
        let metric = self.metric(column, order)?;
        match &column.column_type {
            ColumnType::Long => {
                let rows = combine::numbers(&self.numbers::<i64>(column)?, metric, order)?;
                let (values, nulls) = (&rows.values, rows.nulls.as_deref());
                writer.write_column(name, ColumnData::Long { values, nulls })
            }
            ColumnType::Float => {
                let rows = combine::numbers(&self.numbers::<f32>(column)?, metric, order)?;
                let (values, nulls) = (&rows.values, rows.nulls.as_deref());
                writer.write_column(name, ColumnData::Float { values, nulls })
            }
            ColumnType::Double => {
                let rows = combine::numbers(&self.numbers::<f64>(column)?, metric, order)?;
                let (values, nulls) = (&rows.values, rows.nulls.as_deref());
                writer.write_column(name, ColumnData::Double { values, nulls })
            }
            ColumnType::String => {
                let rows = match kept {
                    Some(rows) => rows,
                    None => StringRows::load(self.views, column)?,
                };
                let bitmaps = !self.options.unindexed.contains(name);
                rows.arrange(order)?.write(writer, name, bitmaps)
            }
            ColumnType::Complex(type_name) => {
                let mut rows =
                    sketches::SketchRows::new(self.views, name, type_name, metric, order)?;
                writer.write_column(name, ColumnData::Complex { rows: &mut rows })
            }
        }
    }

    /// How a column's values are combined; `None` for dimensions and where no two rows meet.
    fn metric(&self, column: &ColumnSchema, order: &RowOrder) -> Result<Option<&'a MetricSpec>> {
        if column.role != ColumnRole::Metric || !order.combines() {
            return Ok(None);
        }
        let specs = &self.options.schema.metrics;
        match specs.iter().find(|spec| spec.name == column.name) {
            Some(spec) => Ok(Some(spec)),
            None => Err(SegmentError::Invalid(format!(
                "roll-up of column '{}' without a metric that says how to combine it",
                column.name
            ))),
        }
    }
}
