//! Reading Parquet files: what they hold first, then their rows, a batch at a time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use henge_index::DimensionSchema;
use henge_ingest::{
    BatchCounts, DiscoveredType, FieldValue, RowOrigin, RowParser, TableFields, TimesSeen,
    units_of_a_ms,
};
use henge_platform::metadata::InputPlace;
use henge_query::ingest::{DataSchema, FlattenSpec, IngestDimension, TimestampFormat, WideNumbers};
use henge_tabular::{
    BatchPlan, ColumnBatch, ParquetField, ParquetReader, ParquetTable, TabularError, TimeUnit,
    Values, WantedField,
};
use henge_types::{ChangeReport, IgnoredField, format_timestamp};
use serde_json::{Map, Value};

use super::file::LocalFile;
use super::flattened::{Named, columns_of, named, read_of, whole_field};
use super::store::{Rows, Store};
use crate::error::{RealtimeError, Result};

/// What the files of a task hold together.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Names and what their columns have to hold, in order of first appearance.
    fields: Vec<(String, DiscoveredType)>,
    pub(super) row_count: u64,
    /// The field of the timestamps is a point in time in every file that has it.
    has_native_time: bool,
    /// The fields in order, each with the first file that has it and the rows of all that do.
    files: Vec<(String, PathBuf, u64)>,
    /// First and last timestamp of each file, where its statistics tell.
    times: Vec<Option<(i64, i64)>>,
    /// What was decided about fields that are no plain numbers or texts.
    pub(super) notes: Vec<String>,
    /// A `flattenSpec` makes fields of others.
    is_flattened: bool,
    /// Those that it makes of what is in at least one file.
    made: BTreeSet<String>,
    /// The fields that these are made of, whose rows tell what of them is not stored; `None` when it may be any.
    roots: Option<BTreeSet<String>>,
}

/// Looks at the metadata of all files and, where they do not say enough, at values.
pub(super) fn survey(
    paths: &[PathBuf],
    schema: &DataSchema,
    wide: WideNumbers,
    flatten: &FlattenSpec,
) -> Result<Survey> {
    let mut survey = Survey { has_native_time: true, ..Survey::default() };
    let time_column = &schema.timestamp_spec.column;
    for path in paths {
        let table = open(path)?;
        let own = if flatten.use_field_discovery { table.fields() } else { &[] };
        for field in own {
            // Values are not looked at for types that the spec has settled.
            if has_open_types(schema) {
                let needs = table.needs(field, wide).map_err(at(path))?;
                survey.see(&field.name, needs, field.note(needs));
            } else {
                survey.see_declared(field);
            }
            survey.see_file(&field.name, path, table.row_count());
        }
        survey.see_made(&table, schema, wide, flatten).map_err(at(path))?;
        survey.row_count += table.row_count();
        let time = named(&table, time_column, flatten);
        survey.has_native_time &= match time {
            Named::Field(field) => field.is_time(),
            Named::Within => false,
            Named::Nothing => true,
        };
        survey.times.push(match time {
            Named::Field(field) => {
                let time = WantedField { name: field.name.clone(), as_text: false };
                table.clone().read(&[time], false).upcoming_times(0)
            }
            Named::Within | Named::Nothing => None,
        });
    }
    Ok(survey)
}

/// Whether the spec leaves types of columns open: otherwise they are declared, or STRING.
fn has_open_types(schema: &DataSchema) -> bool {
    let spec = &schema.dimensions_spec;
    let is_open = |dimension: &IngestDimension| dimension.column_type.is_none();
    spec.use_schema_discovery || spec.dimensions.iter().any(is_open)
}

impl Survey {
    fn see(&mut self, field: &str, needs: DiscoveredType, note: Option<String>) {
        let known = self.fields.iter_mut().find(|(name, _)| *name == *field);
        let Some((_, known)) = known else {
            self.notes.extend(note);
            self.fields.push((field.to_owned(), needs));
            return;
        };
        let joined = known.join(needs);
        if joined.column_type() != known.column_type() {
            self.notes.push(format!(
                "column '{field}' is {} in one file and {} in another: it is {} here",
                known.column_type(),
                needs.column_type(),
                joined.column_type()
            ));
        }
        *known = joined;
    }

    /// Notes the fields that a `flattenSpec` makes of a file.
    fn see_made(
        &mut self,
        table: &ParquetTable,
        schema: &DataSchema,
        wide: WideNumbers,
        flatten: &FlattenSpec,
    ) -> Result<(), TabularError> {
        if flatten.is_plain() {
            return Ok(());
        }
        self.is_flattened = true;
        self.roots = flatten.roots().map(|roots| roots.into_iter().map(str::to_owned).collect());
        for field in &flatten.fields {
            let Some(mut needs) = table.needs_within(&field.steps) else { continue };
            if let Some(whole) = whole_field(table, field)
                && has_open_types(schema)
            {
                needs = table.needs(whole, wide)?;
            }
            self.see(&field.name, needs, None);
            self.made.insert(field.name.clone());
        }
        Ok(())
    }

    /// Of declared types only what becomes of structs is news.
    fn see_declared(&mut self, field: &ParquetField) {
        if !self.fields.iter().any(|(name, _)| *name == field.name) {
            self.notes.extend(field.note(DiscoveredType::Long));
            self.fields.push((field.name.clone(), DiscoveredType::String));
        }
    }

    fn see_file(&mut self, name: &str, path: &Path, rows: u64) {
        match self.files.iter_mut().find(|(known, ..)| known == name) {
            Some((_, _, known)) => *known += rows,
            None => self.files.push((name.to_owned(), path.to_owned(), rows)),
        }
    }

    /// The fields that a parser does not read, so that nothing of them is stored.
    pub(super) fn ignored(&self, parser: &RowParser) -> Vec<(IgnoredField, InputPlace)> {
        let read = parser.fields_read();
        let is_told_by_rows = |name: &String| {
            self.is_flattened && self.roots.as_ref().is_none_or(|roots| roots.contains(name))
        };
        let unread = self.files.iter().filter(|(name, ..)| {
            !read.contains(name) && !parser.is_excluded(name) && !is_told_by_rows(name)
        });
        let entry = |(name, path, rows): &(String, PathBuf, u64)| {
            let field =
                IgnoredField { field: name.clone(), count: *rows, ..IgnoredField::default() };
            let input = path.display().to_string();
            (field, InputPlace { input, line: 1, is_row: true })
        };
        unread.map(entry).collect()
    }

    /// The fields that a parser reads and no file has.
    pub(super) fn missing(&self, parser: &RowParser) -> Vec<String> {
        let is_there = |name: &String| {
            self.made.contains(name) || self.files.iter().any(|(known, ..)| known == name)
        };
        parser.fields_read().into_iter().filter(|name| !is_there(name)).collect()
    }

    /// Points in time are milliseconds, whatever the spec says of the column.
    pub(super) fn adapt(&self, schema: &mut DataSchema) {
        if self.has_native_time {
            schema.timestamp_spec.format = TimestampFormat::Millis;
        }
    }

    /// Makes the fields of the files dimensions where the schema discovers them.
    pub(super) fn discover(&self, parser: &mut RowParser) {
        for (name, needs) in &self.fields {
            parser.discover_field(name, *needs);
        }
    }

    /// The times of all files by their statistics; `None` when those of some do not tell.
    pub(super) fn times(&self) -> Option<TimesSeen> {
        let mut seen = TimesSeen::default();
        let last = self.times.len().saturating_sub(1);
        for (at, times) in self.times.iter().enumerate() {
            let (first_ms, last_ms) = (*times)?;
            // How the rows lie within is not known: their number counts once.
            seen.see_range(first_ms, last_ms, if at == last { self.row_count } else { 1 });
        }
        Some(seen)
    }

    /// First and last timestamp of the files behind one.
    pub(super) fn times_after(&self, file: usize) -> Option<(i64, i64)> {
        let none = (i64::MAX, i64::MIN);
        self.times.iter().skip(file + 1).try_fold(none, |(low, high), times| {
            times.map(|(first, last)| (low.min(first), high.max(last)))
        })
    }
}

/// A Parquet file that is being read.
#[derive(Debug)]
pub(super) struct TableInput {
    path: PathBuf,
    reader: ParquetReader,
    fields: TableFields,
    names: Vec<String>,
    /// How batches become columns, when no row needs a closer look.
    plan: Option<BatchPlan>,
    times_after: Option<(i64, i64)>,
    rows_read: usize,
    /// Timestamps of the latest batch that were numbers finer than milliseconds.
    cut_times: ChangeReport,
}

impl TableInput {
    pub(super) fn open(
        path: &Path,
        schema: &DataSchema,
        parser: &RowParser,
        (binary_as_string, flatten): (bool, &FlattenSpec),
        times_after: Option<(i64, i64)>,
    ) -> Result<Self> {
        let table = open(path)?;
        let names = read_of(&table, parser.fields_read(), flatten);
        let dimensions = parser.dimensions();
        let wanted: Vec<WantedField> = names
            .iter()
            .map(|name| WantedField { name: name.clone(), as_text: parser.keeps_text(name) })
            .collect();
        let fields = columns_of(&table, names.clone());
        let reader = table.read(&wanted, binary_as_string);
        let plan = if parser.is_plain() { plan(schema, dimensions, &names) } else { None };
        let path = path.to_owned();
        Ok(Self {
            path,
            reader,
            fields,
            names,
            plan,
            times_after,
            rows_read: 0,
            cut_times: ChangeReport::default(),
        })
    }

    /// Reads a batch; `None` at the end.
    pub(super) fn read_piece(
        &mut self,
        parser: &mut RowParser,
        store: &mut Store,
    ) -> Result<Option<BatchCounts>> {
        let Some(batch) = self.reader.next_batch().map_err(at(&self.path))? else {
            return Ok(None);
        };
        let rows_before = self.rows_read;
        self.rows_read += batch.row_count;
        if let (Some(plan), Rows::Columns(loader)) = (&self.plan, &mut store.rows)
            && loader.add_batch(&batch, plan)
        {
            let rows = batch.row_count as u64;
            count_cut_times(&batch, plan, &self.names[plan.time], &mut self.cut_times);
            return Ok(Some(BatchCounts {
                received: rows,
                accepted: rows,
                ..BatchCounts::default()
            }));
        }
        self.read_rows(&batch, rows_before, parser, store).map(Some)
    }

    fn read_rows(
        &mut self,
        batch: &ColumnBatch,
        rows_before: usize,
        parser: &mut RowParser,
        store: &mut Store,
    ) -> Result<BatchCounts> {
        parser.begin_rows();
        let (fields, names) = (&mut self.fields, &self.names);
        batch.for_each_row(|row, values| {
            let raw = || row_text(names, values);
            let origin = RowOrigin { offset: rows_before + row, raw: &raw };
            parser.parse_row(fields, values, origin, store)
        })?;
        Ok(parser.counts())
    }

    /// What reading the latest batch took from its values.
    pub(super) fn take_changes(&mut self) -> ChangeReport {
        let mut changes = self.reader.take_changes();
        changes.absorb(std::mem::take(&mut self.cut_times));
        changes
    }

    /// Rows read.
    pub(super) fn rows_read(&self) -> u64 {
        self.rows_read as u64
    }

    /// The file.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn stored_bytes_read(&self) -> u64 {
        self.reader.stored_bytes_read()
    }

    /// First and last timestamp of the rows that are still to come, in this file and behind it.
    pub(super) fn upcoming(&self) -> Option<(i64, i64)> {
        let plan = self.plan.as_ref().filter(|plan| plan.unit == TimeUnit::Millis)?;
        let (first, last) = self.reader.upcoming_times(plan.time)?;
        let (first_after, last_after) = self.times_after?;
        Some((first.min(first_after), last.max(last_after)))
    }
}

/// Counts timestamps that are numbers of a finer unit than milliseconds and lose something.
fn count_cut_times(batch: &ColumnBatch, plan: &BatchPlan, name: &str, changes: &mut ChangeReport) {
    let unit = |value: i64| match plan.unit {
        TimeUnit::Auto => units_of_a_ms(value),
        TimeUnit::Micros => 1_000,
        TimeUnit::Nanos => 1_000_000,
        TimeUnit::Seconds | TimeUnit::Millis => 1,
    };
    let times = batch.columns.get(plan.time).map(|column| &column.values);
    let Some(Values::Long(times)) = times.filter(|_| plan.unit != TimeUnit::Millis) else { return };
    let is_cut = |time: &i64| time % unit(*time) != 0;
    if let Some(first) = times.iter().position(is_cut) {
        let count = times.iter().filter(|time| is_cut(time)).count() as u64;
        let time = times[first];
        let stored = format_timestamp(time.div_euclid(unit(time)));
        changes.count_cut(name, count, || (time.to_string(), stored, first as u64));
    }
}

/// The columns of a batch as those of the store; `None` when timestamps are no plain numbers.
fn plan(
    schema: &DataSchema,
    dimensions: &[DimensionSchema],
    names: &[String],
) -> Option<BatchPlan> {
    let unit = match schema.timestamp_spec.format {
        TimestampFormat::Auto => TimeUnit::Auto,
        TimestampFormat::AutoV1 | TimestampFormat::Millis => TimeUnit::Millis,
        TimestampFormat::Posix => TimeUnit::Seconds,
        TimestampFormat::Micro => TimeUnit::Micros,
        TimestampFormat::Nano => TimeUnit::Nanos,
        TimestampFormat::Iso | TimestampFormat::Ruby | TimestampFormat::Joda(_) => return None,
    };
    let position = |wanted: &str| names.iter().position(|name| name == wanted);
    let time = position(&schema.timestamp_spec.column)?;
    let dimensions = dimensions.iter().map(|dimension| position(&dimension.name));
    Some(BatchPlan { time, unit, dimensions: dimensions.collect::<Option<Vec<_>>>()? })
}

pub(super) fn open(path: &Path) -> Result<ParquetTable> {
    let file = LocalFile::open(path).map_err(RealtimeError::io(path))?;
    ParquetTable::open(Arc::new(file)).map_err(at(path))
}

/// Names the file in an error.
pub(super) fn at<E: Into<RealtimeError>>(path: &Path) -> impl FnOnce(E) -> RealtimeError {
    let name = path.display().to_string();
    move |error| RealtimeError::Input { name, error: Box::new(error.into()) }
}

/// A row as JSON, for the dead letter.
fn row_text(names: &[String], values: &[FieldValue<'_>]) -> String {
    fn json(value: &FieldValue<'_>) -> Value {
        match value {
            FieldValue::Null => Value::Null,
            FieldValue::Bool(value) => (*value).into(),
            FieldValue::Long(value) => (*value).into(),
            FieldValue::Double(value) => (*value).into(),
            FieldValue::Text(text) => (*text).into(),
            FieldValue::List(values) => values.iter().map(json).collect(),
        }
    }
    let fields = names.iter().zip(values).map(|(name, value)| (name.clone(), json(value)));
    Value::Object(fields.collect::<Map<String, Value>>()).to_string()
}
