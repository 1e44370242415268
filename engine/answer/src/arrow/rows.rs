//! [`Rows`]: the rows of an answer in their order, cut into record batches.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use henge_exec::finalise::{ScanRows, Table};
use henge_exec::{ExecError, FieldType, Result};
use henge_query::Query;
use henge_types::{ColumnType, TIME_COLUMN};
use henge_vector::Column;

use crate::Grow;
use crate::arrow::array::{Part, array, data_type};
use crate::arrow::text::{has_numbers, value_bytes};
use crate::arrow::{Stream, batch_of};

/// Rows of a record batch, at most.
const MAX_ROWS: usize = 65_536;
/// Bytes after which a record batch is ended. Far below 2 GiB, which its offsets can count.
const MAX_BYTES: usize = 8 << 20;

/// What JSON calls the time of a bucket.
const BUCKET_TIME: &str = "timestamp";

/// A row: its source and its place there.
type Place = (u32, u32);

/// The rows of an answer.
pub(super) struct Rows<'a> {
    fields: Vec<(Arc<str>, FieldType)>,
    /// The columns of each source, one a field; `None` where a source lacks it.
    sources: Vec<Vec<Option<&'a Column>>>,
    order: Box<dyn Fn() -> Box<dyn Iterator<Item = Place> + 'a> + 'a>,
}

impl<'a> Rows<'a> {
    /// All of a table.
    pub(super) fn of_table(query: &Query, table: &'a Table) -> Self {
        let row_count = table.row_count() as u32;
        let fields = table.fields().iter().map(|field| {
            let known = field.field_type();
            let declared = declared(query, &field.name, &known);
            (Arc::clone(&field.name), known.with(declared))
        });
        Self {
            fields: fields.collect(),
            sources: vec![table.fields().iter().map(|field| Some(&field.values)).collect()],
            order: Box::new(move || Box::new((0..row_count).map(|row| (0, row)))),
        }
    }

    /// Of a scan.
    pub(super) fn of_scan(query: &Query, rows: &'a ScanRows) -> Self {
        let layout = rows.whole_layout();
        let sources: Vec<Vec<Option<&Column>>> = (0..rows.batches.len())
            .map(|batch| {
                let columns = &rows.batches[batch].columns;
                let positions = layout.positions(batch as u32).iter();
                positions.map(|position| position.map(|at| &columns[at].values)).collect()
            })
            .collect();
        let fields = layout.columns.iter().enumerate().map(|(at, (name, column_type))| {
            let columns = sources.iter().filter_map(|source| source[at]);
            let found = columns.map(FieldType::of).fold(FieldType::Null, FieldType::with);
            let declared = computed(query, name).or_else(|| column_type.clone());
            (Arc::clone(name), scanned_type(name, found, declared.as_ref()))
        });
        let mut fields: Vec<_> = fields.collect();
        // Without rows no segment told of its columns, but a query may name those it wants.
        if let (Query::Scan(scan), true) = (query, rows.batches.is_empty()) {
            let names = scan.columns.iter();
            fields = names
                .map(|name| {
                    let declared = computed(query, name);
                    (name.as_str().into(), scanned_type(name, FieldType::Null, declared.as_ref()))
                })
                .collect();
        }
        let order = move || -> Box<dyn Iterator<Item = Place> + 'a> {
            Box::new(rows.entries.iter().flat_map(|entry| entry.rows.iter().copied()))
        };
        Self { fields, sources, order: Box::new(order) }
    }

    /// The same rows with the time of their buckets under the name that it has in JSON.
    pub(super) fn named_as_json(mut self, query: &Query) -> Self {
        let is_bucketed = query.grouped().is_some() || matches!(query, Query::Search(_));
        let first = self.fields.first_mut().filter(|_| is_bucketed);
        if let Some((name, FieldType::Time)) = first
            && **name == *TIME_COLUMN
        {
            *name = BUCKET_TIME.into();
        }
        self
    }

    fn schema(&self) -> SchemaRef {
        let fields = self.fields.iter();
        let fields: Vec<Field> =
            fields.map(|(name, of)| Field::new(&**name, data_type(of), true)).collect();
        Arc::new(Schema::new(fields))
    }

    /// The next rows of a batch, and roughly the bytes of it.
    fn next_batch(&self, order: &mut impl Iterator<Item = Place>) -> (Vec<Place>, usize) {
        let sized: Vec<Vec<&Column>> = self.sources.iter().map(|source| varying(source)).collect();
        let (mut places, mut bytes) = (Vec::new(), 0);
        while places.len() < MAX_ROWS && bytes < MAX_BYTES {
            let Some(place) = order.next() else { break };
            let (source, row) = (place.0 as usize, place.1 as usize);
            bytes += sized[source].iter().map(|column| value_bytes(column, row)).sum::<usize>();
            places.push(place);
        }
        let bytes = bytes + places.len() * self.fields.len() * size_of::<u64>();
        (places, bytes)
    }

    /// Each field of some rows.
    fn arrays(&self, places: &[Place]) -> Result<Vec<arrow_array::ArrayRef>> {
        let runs: Vec<(u32, Vec<u32>)> = places
            .chunk_by(|a, b| a.0 == b.0)
            .map(|run| (run[0].0, run.iter().map(|place| place.1).collect()))
            .collect();
        let fields = self.fields.iter().enumerate();
        let arrays = fields.map(|(at, (_, field_type))| {
            let parts = runs
                .iter()
                .map(|(source, rows)| Part { column: self.sources[*source as usize][at], rows });
            array(field_type, &parts.collect::<Vec<_>>())
        });
        arrays.collect()
    }
}

/// Writes them all, batch by batch.
pub(super) fn write(rows: &Rows<'_>, out: &mut Vec<u8>, grow: &mut Grow<'_>) -> Result<()> {
    check_names(rows)?;
    let mut stream = Stream::new(out, rows.schema())?;
    let mut order = (rows.order)();
    loop {
        let (places, bytes) = rows.next_batch(&mut order);
        if places.is_empty() {
            break;
        }
        // The arrays, and their copy in the stream.
        grow(stream.len() + 2 * bytes)?;
        stream.batch(rows.arrays(&places)?, places.len())?;
        grow(stream.len())?;
    }
    stream.finish()
}

/// All of them as they are, without bytes in between; `grow` is told roughly what they take together.
pub(super) fn batches(rows: &Rows<'_>, grow: &mut Grow<'_>) -> Result<Vec<RecordBatch>> {
    check_names(rows)?;
    let schema = rows.schema();
    let (mut batches, mut total) = (Vec::new(), 0);
    let mut order = (rows.order)();
    loop {
        let (places, bytes) = rows.next_batch(&mut order);
        if places.is_empty() {
            return Ok(batches);
        }
        total += bytes;
        grow(total)?;
        batches.push(batch_of(&schema, rows.arrays(&places)?, places.len())?);
    }
}

/// Readers of Arrow find columns by name, and lose one of two: JSON keeps the time apart.
fn check_names(rows: &Rows<'_>) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    match rows.fields.iter().find(|(name, _)| !seen.insert(name)) {
        None => Ok(()),
        Some((name, _)) => Err(ExecError::Invalid(format!(
            "two columns of the answer are named '{name}': give the dimension, aggregator or \
             post-aggregator another name, or ask for JSON"
        ))),
    }
}

/// The columns whose values are of different lengths.
fn varying<'a>(columns: &[Option<&'a Column>]) -> Vec<&'a Column> {
    let columns = columns.iter().flatten().copied();
    columns.filter(|column| !has_numbers(column)).collect()
}

/// The type that a query gives a field of which nothing but nulls was found.
fn declared(query: &Query, name: &str, found: &FieldType) -> FieldType {
    let Some(grouped) = query.grouped().filter(|_| *found == FieldType::Null) else {
        return FieldType::Null;
    };
    if let Some(dimension) = grouped.dimensions.iter().find(|of| of.output_name == name) {
        return dimension.output_type.into();
    }
    // States that are not finished have types of their own.
    let is_finished = grouped.base.context.finalize;
    let aggregator = grouped.aggregations.iter().find(|of| of.name == name && is_finished);
    aggregator.map_or(FieldType::Null, |aggregator| aggregator.kind.output_type().into())
}

/// The type that a scan gives a column of which nothing but nulls was found.
fn computed(query: &Query, name: &str) -> Option<ColumnType> {
    let columns = &query.base().virtual_columns;
    columns.iter().find(|column| column.name == name)?.output_type.map(ColumnType::from)
}

fn scanned_type(name: &str, found: FieldType, column_type: Option<&ColumnType>) -> FieldType {
    match (found, column_type) {
        (FieldType::Null | FieldType::Long, _) if name == TIME_COLUMN => FieldType::Time,
        (FieldType::Null, Some(column_type)) => {
            column_type.value_type().map_or(FieldType::Complex, FieldType::from)
        }
        (found, _) => found,
    }
}
