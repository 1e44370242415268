//! Columns to Arrow arrays, and those to an IPC stream.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, LargeListArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions, StructArray, UInt32Array,
};
use arrow_buffer::BooleanBuffer;
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};

use super::{ABOUT_KEY, KIND_KEY};
use crate::bytes::Bytes;
use crate::column::Column;
use crate::error::{Result, VectorError};
use crate::mixed;
use crate::numbers::nulls_of;
use crate::text::Text;
use crate::timed::Timed;

/// Buffers begin at multiples of this.
const ALIGNMENT: usize = 8;

/// Columns of the same number of rows as an Arrow IPC stream, with a text that belongs to them.
///
/// # Errors
/// When a column holds ids of a segment's or the node's dictionary.
pub fn encode<'c>(
    columns: impl IntoIterator<Item = (&'c str, &'c Column)>,
    about: &str,
) -> Result<Vec<u8>> {
    let (mut fields, mut arrays, mut rows) = (Vec::new(), Vec::new(), 0);
    for (name, column) in columns {
        let (array, is_sorted) = array_of(name, column)?;
        let kind = HashMap::from([(KIND_KEY.to_owned(), column.kind().to_owned())]);
        let field = Field::new(name, array.data_type().clone(), true).with_metadata(kind);
        fields.push(field.with_dict_is_ordered(is_sorted));
        arrays.push(array);
        rows = column.len();
    }
    let about = HashMap::from([(ABOUT_KEY.to_owned(), about.to_owned())]);
    write(Schema::new_with_metadata(fields, about), arrays, rows).map_err(|error| internal(&error))
}

fn write(schema: Schema, arrays: Vec<ArrayRef>, rows: usize) -> Result<Vec<u8>, ArrowError> {
    let schema = Arc::new(schema);
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)?;
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options)?;
    writer.write(&batch)?;
    writer.into_inner()
}

fn internal(error: &ArrowError) -> VectorError {
    VectorError::Internal(format!("writing columns: {error}"))
}

fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::LargeUtf8))
}

/// The column's array, and whether it is of a dictionary whose values ascend.
fn array_of(name: &str, column: &Column) -> Result<(ArrayRef, bool)> {
    let array: ArrayRef = match column {
        // A bit a row: how many rows there are is then never a matter of trust.
        Column::Null(rows) => {
            let values = BooleanBuffer::new_unset(*rows);
            Arc::new(BooleanArray::new(values, nulls_of(*rows, |_| false)))
        }
        Column::Long(values) => Arc::new(values.clone()),
        Column::Wide(values) => Arc::new(values.clone()),
        Column::Float(values) => Arc::new(values.clone()),
        Column::Double(values) | Column::WideFloat(values) => Arc::new(values.clone()),
        Column::Text(text) => return Ok((Arc::new(dictionary_array(text)?), text.is_sorted())),
        Column::Lists(lists) => {
            let elements = dictionary_array(lists.elements())?;
            let field = Arc::new(Field::new("item", dictionary_type(), true));
            let list =
                LargeListArray::try_new(field, lists.offsets().clone(), Arc::new(elements), None);
            Arc::new(list.map_err(|error| internal(&error))?)
        }
        Column::Objects(objects) => Arc::new(objects.images()),
        Column::Timed(timed) => return timed_array(name, timed),
        Column::Mixed(values) => {
            let bytes = values.iter().map(|value| {
                let mut bytes = Vec::new();
                mixed::write(&mut bytes, value);
                Some(bytes)
            });
            Arc::new(Bytes::of(bytes).into_array())
        }
        Column::SegmentIds(_) => return Err(local(name, "segment")),
        Column::NodeIds(_) => return Err(local(name, "node")),
    };
    Ok((array, false))
}

/// A struct of the times and the values; these say their kind themselves.
fn timed_array(name: &str, timed: &Timed) -> Result<(ArrayRef, bool)> {
    let (values, is_sorted) = array_of(name, timed.values())?;
    let times: ArrayRef = Arc::new(timed.times().clone());
    let field = |name, array: &ArrayRef| Field::new(name, array.data_type().clone(), true);
    let kind = HashMap::from([(KIND_KEY.to_owned(), timed.values().kind().to_owned())]);
    let of_values = field("value", &values).with_metadata(kind).with_dict_is_ordered(is_sorted);
    let fields = Fields::from(vec![field("time", &times), of_values]);
    let array = StructArray::try_new_with_length(fields, vec![times, values], None, timed.len());
    Ok((Arc::new(array.map_err(|error| internal(&error))?), false))
}

fn local(name: &str, dictionary: &'static str) -> VectorError {
    VectorError::LocalIds { column: name.to_owned(), dictionary }
}

/// Keys without nulls; the null of the ids is the dictionary's first value.
fn dictionary_array(text: &Text) -> Result<DictionaryArray<UInt32Type>> {
    let keys: UInt32Array = PrimitiveArray::new(text.ids().to_vec().into(), None);
    let values = Arc::new(text.values().clone());
    DictionaryArray::try_new(keys, values).map_err(|error| internal(&error))
}
