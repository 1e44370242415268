//! Fields that hold fields (structs, maps, lists of lists or of structs), as JSON text, a row at a
//! time. A row without a value is null; times are ISO 8601, bytes Base64, decimals keep their digits
//! and numbers that JSON lacks (`NaN`) are text.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use henge_ingest::{write_json_number, write_json_text};
use henge_segment::StringTable;
use henge_types::format_timestamp;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::PageReader;
use parquet::data_type::AsBytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::RowGroupReader;
use parquet::record::reader::{ReaderIter, RowIter, TreeBuilder};
use parquet::record::{Field, Row};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::PagePlan;
use super::convert::decimal_text;
use super::guard::ListBudget;
use crate::batch::{BatchColumn, Values};
use crate::error::{Result, TabularError};

const MS_PER_DAY: i64 = 86_400_000;

/// A field with fields of the row group that is being read.
pub(super) struct OpenNested {
    rows: ReaderIter,
    root: Arc<Type>,
    budgets: Vec<ListBudget>,
}

impl OpenNested {
    /// `root` is the position of the field among those of the file.
    pub(super) fn new(pages: PagePlan, root: usize) -> Result<Self> {
        let schema = pages.metadata.file_metadata().schema_descr();
        let lost = || TabularError::Corrupt("the Parquet file lacks a field of its own".into());
        let root = schema.root_schema().get_fields().get(root).cloned().ok_or_else(lost)?;
        let message = Type::group_type_builder(schema.name());
        let message = message.with_fields(vec![Arc::clone(&root)]).build()?;
        let wanted = Arc::new(SchemaDescriptor::new(Arc::new(message)));
        let leaves = schema.num_columns();
        let budgets: Vec<ListBudget> = (0..leaves).map(|_| ListBudget::default()).collect();
        budgets.iter().for_each(ListBudget::reset);
        let group = GuardedGroup { pages, budgets: budgets.clone() };
        let rows = TreeBuilder::new().as_iter(wanted, &group)?;
        Ok(Self { rows, root, budgets })
    }

    /// The next `rows` rows.
    pub(super) fn read(&mut self, rows: usize) -> Result<BatchColumn> {
        self.budgets.iter().for_each(ListBudget::reset);
        let mut texts = StringTable::new();
        let mut ids = Vec::with_capacity(rows);
        let mut nulls: Option<Vec<u64>> = None;
        let mut text = String::new();
        for at in 0..rows {
            let Some(row) = self.rows.next().transpose()? else {
                return Err(TabularError::Corrupt(format!(
                    "column '{}' of the Parquet file ends after {at} of {rows} rows",
                    self.root.name()
                )));
            };
            let value = row.get_column_iter().next().map(|(_, value)| value);
            match value {
                None | Some(Field::Null) => {
                    nulls.get_or_insert_with(|| vec![0; rows.div_ceil(64)])[at / 64] |=
                        1 << (at % 64);
                    ids.push(0);
                }
                Some(value) => {
                    text.clear();
                    write_json(&mut text, value, Some(&self.root));
                    ids.push(texts.len() as u32);
                    texts.push(&text);
                }
            }
        }
        if texts.is_empty() {
            return Ok(BatchColumn::null());
        }
        Ok(BatchColumn { values: Values::Text { texts, ids, repeats: false }, nulls })
    }
}

/// The columns of a row group with checks on their pages.
struct GuardedGroup {
    pages: PagePlan,
    /// One a leaf.
    budgets: Vec<ListBudget>,
}

impl RowGroupReader for GuardedGroup {
    fn metadata(&self) -> &RowGroupMetaData {
        self.pages.metadata.row_group(self.pages.group)
    }

    fn num_columns(&self) -> usize {
        self.metadata().num_columns()
    }

    fn get_column_page_reader(&self, leaf: usize) -> Result<Box<dyn PageReader>, ParquetError> {
        let budget = self.budgets.get(leaf).cloned().unwrap_or_default();
        let pages = self.pages.open(leaf, &budget);
        let pages = pages.map_err(|error| ParquetError::General(error.to_string()))?;
        Ok(Box::new(pages))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, _: Option<Type>) -> Result<RowIter<'_>, ParquetError> {
        Err(ParquetError::NYI("rows are read field by field".into()))
    }
}

/// Writes a value as JSON. Its type, where it is known, says what the value's kind does not.
fn write_json(text: &mut String, value: &Field, value_type: Option<&Type>) {
    match value {
        Field::Null => text.push_str("null"),
        Field::Bool(value) => push(text, value),
        Field::Byte(value) => push(text, value),
        Field::Short(value) => push(text, value),
        Field::Int(value) => push(text, value),
        Field::Long(value) => match nanoseconds(value_type) {
            true => write_time(text, value.div_euclid(1_000_000), value.rem_euclid(1_000_000), 6),
            false => push(text, value),
        },
        Field::UByte(value) => push(text, value),
        Field::UShort(value) => push(text, value),
        Field::UInt(value) => push(text, value),
        Field::ULong(value) => push(text, value),
        Field::Float16(value) => write_json_number(text, f64::from(*value)),
        Field::Float(value) => {
            // The shortest decimal that reads back as the same FLOAT.
            write_json_number(text, value.to_string().parse().unwrap_or(f64::from(*value)));
        }
        Field::Double(value) => write_json_number(text, *value),
        Field::Decimal(value) => decimal_text(value.data(), value.scale(), text),
        Field::Str(value) => write_json_text(text, value),
        Field::Bytes(value) => write_json_text(text, &STANDARD.encode(value.as_bytes())),
        Field::Date(days) => {
            let day = format_timestamp(i64::from(*days) * MS_PER_DAY);
            write_json_text(text, day.split('T').next().unwrap_or(&day));
        }
        Field::TimeMillis(value) => push(text, value),
        Field::TimeMicros(value) => push(text, value),
        Field::TimestampMillis(value) => write_time(text, *value, 0, 0),
        Field::TimestampMicros(value) => {
            write_time(text, value.div_euclid(1_000), value.rem_euclid(1_000), 3);
        }
        Field::Group(row) => write_struct(text, row, value_type),
        Field::ListInternal(list) => {
            let item = value_type.and_then(|list| inner(list, 0));
            write_separated(text, '[', ']', list.elements(), |text, value| {
                write_json(text, value, item);
            });
        }
        Field::MapInternal(map) => {
            let types = |at| value_type.and_then(|map| inner(map, at));
            let (key_type, value_type) = (types(0), types(1));
            write_separated(text, '{', '}', map.entries(), |text, (key, value)| {
                write_key(text, key, key_type);
                write_json(text, value, value_type);
            });
        }
    }
}

fn write_struct(text: &mut String, row: &Row, row_type: Option<&Type>) {
    let types = row_type.filter(|row| row.is_group()).map_or(&[][..], Type::get_fields);
    let fields: Vec<(&String, &Field)> = row.get_column_iter().collect();
    write_separated(text, '{', '}', &fields, |text, (name, value)| {
        write_json_text(text, name);
        text.push(':');
        let field_type = types.iter().find(|field| field.name() == name.as_str());
        write_json(text, value, field_type.map(AsRef::as_ref));
    });
}

fn write_separated<T>(
    text: &mut String,
    open: char,
    close: char,
    items: &[T],
    mut write: impl FnMut(&mut String, &T),
) {
    text.push(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(text, item);
    }
    text.push(close);
}

/// Keys of objects are text.
fn write_key(text: &mut String, key: &Field, key_type: Option<&Type>) {
    let mut written = String::new();
    write_json(&mut written, key, key_type);
    match written.starts_with('"') {
        true => text.push_str(&written),
        false => write_json_text(text, &written),
    }
    text.push(':');
}

/// The type of a list's elements, or of a map's keys (0) and values (1).
fn inner(outer: &Type, at: usize) -> Option<&Type> {
    let outer = Some(outer).filter(|outer| outer.is_group())?;
    let repeated = outer.get_fields().first()?;
    match repeated.is_group() {
        true => repeated.get_fields().get(at).map(AsRef::as_ref),
        false => Some(repeated),
    }
}

fn nanoseconds(value_type: Option<&Type>) -> bool {
    let logical = value_type.and_then(|field| field.get_basic_info().logical_type_ref());
    matches!(logical, Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::NANOS)
}

/// `rest` is what comes behind the milliseconds, in so many digits.
fn write_time(text: &mut String, ms: i64, rest: i64, digits: usize) {
    let mut time = format_timestamp(ms);
    if rest > 0 && time.ends_with('Z') {
        time.pop();
        // Writing to a String cannot fail.
        let _ = write!(time, "{rest:0digits$}Z");
    }
    write_json_text(text, &time);
}

fn push(text: &mut String, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(text, "{value}");
}
