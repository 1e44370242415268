//! Columns from an IPC stream, whoever wrote it: what does not fit together is an error, and memory
//! is taken for bytes that are there only.

use std::collections::BTreeMap;

use arrow_array::{Float32Array, Float64Array, Int64Array, LargeBinaryArray, LargeStringArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_ipc::{Endianness, Field, KeyValue, MessageHeader, Schema};

use super::body::Body;
use super::frame::{corrupt, next};
use super::{ABOUT_KEY, KIND_KEY, Table};
use crate::column::{Column, wide_array};
use crate::error::Result;
use crate::lists::Lists;
use crate::mixed;
use crate::objects;
use crate::text::Text;
use crate::timed::Timed;

/// The kind of columns of values with times.
const TIMED: &str = "timed";

/// Reads the stream that some bytes begin with and gives what follows it.
///
/// # Errors
/// When the bytes are no such stream, or one of columns that this version does not know.
pub fn decode(bytes: &[u8]) -> Result<(Table, &[u8])> {
    let mut rest = bytes;
    let first = next(&mut rest)?.ok_or_else(|| corrupt("the stream has no schema"))?;
    let schema = first.message.header_as_schema();
    let schema = schema.ok_or_else(|| corrupt("the stream does not begin with a schema"))?;
    let (fields, about) = fields_of(schema)?;
    let mut dictionaries = BTreeMap::new();
    let mut columns = None;
    while let Some(frame) = next(&mut rest)? {
        match frame.message.header_type() {
            MessageHeader::DictionaryBatch if columns.is_none() => {
                let header = frame.message.header_as_dictionary_batch();
                let header = header.filter(|header| !header.isDelta());
                let header = header.ok_or_else(|| corrupt("a dictionary in parts"))?;
                let data = header.data().ok_or_else(|| corrupt("a dictionary without data"))?;
                let values = Body::new(&frame, data)?.strings()?;
                if dictionaries.insert(header.id(), values).is_some() {
                    return Err(corrupt("a dictionary comes twice"));
                }
            }
            MessageHeader::RecordBatch if columns.is_none() => {
                let batch = frame.message.header_as_record_batch();
                let batch = batch.ok_or_else(|| corrupt("a batch without a header"))?;
                let rows = usize::try_from(batch.length()).map_err(|_| corrupt("negative rows"))?;
                let mut body = Body::new(&frame, batch)?;
                let read = fields.iter().map(|field| field.column(&mut body, &dictionaries, rows));
                columns = Some(read.collect::<Result<Vec<_>>>()?);
                if !body.is_used_up() {
                    return Err(corrupt("a batch holds more than its columns"));
                }
            }
            _ => return Err(corrupt("an unexpected message")),
        }
    }
    let columns = columns.ok_or_else(|| corrupt("the stream has no batch"))?;
    let columns = fields.into_iter().map(|field| field.name).zip(columns).collect();
    Ok((Table { columns, about }, rest))
}

/// What a schema says of a column.
struct FieldKind {
    name: String,
    kind: String,
    /// The dictionary of its strings, and whether that is said to be sorted.
    dictionary: Option<(i64, bool)>,
    /// What is said of the values that have times.
    values: Option<Box<FieldKind>>,
}

fn fields_of(schema: Schema<'_>) -> Result<(Vec<FieldKind>, String)> {
    if schema.endianness() != Endianness::Little {
        return Err(corrupt("the stream is big-endian"));
    }
    let fields = schema.fields().into_iter().flatten().map(|field| FieldKind::of(&field));
    let fields = fields.collect::<Result<_>>()?;
    let about = value_of(schema.custom_metadata().into_iter().flatten(), ABOUT_KEY);
    Ok((fields, about.unwrap_or_default().to_owned()))
}

/// The dictionary of a field, or of the elements of its lists.
fn dictionary_of(field: &Field<'_>) -> Option<(i64, bool)> {
    let own = field.dictionary();
    let of_elements = || {
        let children = field.children().filter(|children| children.len() == 1)?;
        children.get(0).dictionary()
    };
    own.or_else(of_elements).map(|encoding| (encoding.id(), encoding.isOrdered()))
}

fn value_of<'b>(mut pairs: impl Iterator<Item = KeyValue<'b>>, key: &str) -> Option<&'b str> {
    pairs.find(|pair| pair.key() == Some(key))?.value()
}

impl FieldKind {
    fn of(field: &Field<'_>) -> Result<Self> {
        let kind = value_of(field.custom_metadata().into_iter().flatten(), KIND_KEY);
        let kind = kind.ok_or_else(|| corrupt("a column of no kind"))?;
        let values = (kind == TIMED).then(|| {
            let children = field.children().filter(|children| children.len() == 2);
            let children = children.ok_or_else(|| corrupt("times without values"))?;
            let values = Self::of(&children.get(1))?;
            // No deeper: what is nested without end would be read without end.
            if values.kind == TIMED { Err(corrupt("times of times")) } else { Ok(Box::new(values)) }
        });
        Ok(Self {
            name: field.name().unwrap_or_default().to_owned(),
            kind: kind.to_owned(),
            dictionary: dictionary_of(field),
            values: values.transpose()?,
        })
    }

    /// The values and their times.
    fn timed(
        &self,
        body: &mut Body<'_>,
        dictionaries: &BTreeMap<i64, LargeStringArray>,
        rows: usize,
    ) -> Result<Timed> {
        if body.rows()? != rows {
            return Err(corrupt("times of other rows than their values"));
        }
        let nulls = body.nulls(rows)?;
        let times = Int64Array::new(body.numbers(rows, i64::from_le_bytes)?.into(), nulls);
        let values = self.values.as_ref().ok_or_else(|| corrupt("times without values"))?;
        let values = values.column(body, dictionaries, rows)?;
        Ok(Timed::new(times, values))
    }

    fn column(
        &self,
        body: &mut Body<'_>,
        dictionaries: &BTreeMap<i64, LargeStringArray>,
        rows: usize,
    ) -> Result<Column> {
        let own_rows = body.rows()?;
        if own_rows != rows {
            return Err(corrupt("columns have different numbers of rows"));
        }
        let nulls = body.nulls(rows)?;
        Ok(match self.kind.as_str() {
            "null" => Column::Null(body.bits(rows)?.len()),
            "long" => {
                let values = body.numbers(rows, i64::from_le_bytes)?;
                Column::Long(Int64Array::new(values.into(), nulls))
            }
            "wide" => Column::Wide(wide_array(body.numbers(rows, i128::from_le_bytes)?, nulls)),
            "float" => {
                let values = body.numbers(rows, f32::from_le_bytes)?;
                Column::Float(Float32Array::new(values.into(), nulls))
            }
            "double" => Column::Double(doubles(body, rows, nulls)?),
            "wide_float" => Column::WideFloat(doubles(body, rows, nulls)?),
            "text" => Column::Text(self.text(body, dictionaries, rows)?),
            "lists" => {
                let offsets = body.offsets(rows)?;
                let elements = body.rows()?;
                body.nulls(elements)?;
                let elements = self.text(body, dictionaries, elements)?;
                let lists = Lists::of_parts(offsets, elements);
                Column::Lists(lists.ok_or_else(|| corrupt("lists go beyond their elements"))?)
            }
            TIMED => Column::Timed(self.timed(body, dictionaries, rows)?),
            "mixed" => {
                let values = binary(body, rows, None)?;
                let values = (0..rows).map(|row| mixed::read(values.value(row)));
                Column::Mixed(values.collect::<Result<_>>()?)
            }
            other => {
                let read = objects::reader(other);
                let read = read.ok_or_else(|| corrupt(&format!("columns of kind '{other}'")))?;
                Column::Objects(read(&binary(body, rows, nulls)?)?)
            }
        })
    }

    fn text(
        &self,
        body: &mut Body<'_>,
        dictionaries: &BTreeMap<i64, LargeStringArray>,
        rows: usize,
    ) -> Result<Text> {
        let ids: ScalarBuffer<u32> = body.numbers(rows, u32::from_le_bytes)?.into();
        let (id, sorted) = self.dictionary.ok_or_else(|| corrupt("text without a dictionary"))?;
        let values = dictionaries.get(&id).ok_or_else(|| corrupt("a dictionary is missing"))?;
        Text::of_parts(ids, values.clone(), sorted).ok_or_else(|| corrupt("an id without a value"))
    }
}

fn doubles(body: &mut Body<'_>, rows: usize, nulls: Option<NullBuffer>) -> Result<Float64Array> {
    Ok(Float64Array::new(body.numbers(rows, f64::from_le_bytes)?.into(), nulls))
}

fn binary(body: &mut Body<'_>, rows: usize, nulls: Option<NullBuffer>) -> Result<LargeBinaryArray> {
    let (offsets, bytes) = body.byte_strings(rows)?;
    LargeBinaryArray::try_new(offsets, bytes, nulls).map_err(|_| corrupt("byte strings"))
}
