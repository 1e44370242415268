//! `segmentMetadata` as Arrow: a row a segment, with a list of its columns. What Druid shows as objects
//! of any shape (aggregators, projections, a granularity) is JSON text.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, ListArray, StringArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{Field, Fields, Schema};
use henge_exec::Result;
use henge_exec::partial_rows::{ColumnAnalysis, SegmentAnalysis};
use henge_vector::nulls_of;

use crate::Grow;
use crate::arrow::{Stream, internal};
use crate::json::segment_metadata::{aggregators, granularity_form, projections};

/// Segments of a record batch, at most.
const MAX_ROWS: usize = 1_024;

pub(super) fn write(
    analyses: &[SegmentAnalysis],
    out: &mut Vec<u8>,
    grow: &mut Grow<'_>,
) -> Result<()> {
    let fields: Vec<Field> = columns_of(&[])?.into_iter().map(|(field, _)| field).collect();
    let mut stream = Stream::new(out, Arc::new(Schema::new(fields)))?;
    for batch in analyses.chunks(MAX_ROWS) {
        let bytes: usize = batch.iter().map(SegmentAnalysis::memory_bytes).sum();
        grow(stream.len() + 2 * bytes)?;
        let arrays = columns_of(batch)?.into_iter().map(|(_, array)| array).collect();
        stream.batch(arrays, batch.len())?;
        grow(stream.len())?;
    }
    stream.finish()
}

type NamedArray = (Field, ArrayRef);

fn columns_of(analyses: &[SegmentAnalysis]) -> Result<Vec<NamedArray>> {
    let each = analyses.iter();
    let granularity = |of: &SegmentAnalysis| {
        of.query_granularity.as_ref().map(|granularity| granularity_form(granularity).to_string())
    };
    Ok(vec![
        texts("id", each.clone().map(|of| Some(of.id.clone()))),
        intervals(analyses)?,
        column_lists(analyses)?,
        longs("size", each.clone().map(|of| Some(of.size_bytes))),
        longs("numRows", each.clone().map(|of| Some(of.row_count))),
        texts("aggregators", each.clone().map(|of| aggregators(of).map(|json| json.to_string()))),
        texts("projections", each.clone().map(|of| projections(of).map(|json| json.to_string()))),
        texts("queryGranularity", each.clone().map(granularity)),
        named("rollup", Arc::new(each.map(|of| of.rollup).collect::<BooleanArray>())),
    ])
}

fn intervals(analyses: &[SegmentAnalysis]) -> Result<NamedArray> {
    let all = analyses.iter().flat_map(|of| of.intervals.iter().flatten());
    let (field, texts) = texts("item", all.map(|interval| Some(interval.to_string())));
    let lengths = analyses.iter().map(|of| of.intervals.as_ref().map(Vec::len));
    lists("intervals", field, texts, &lengths.collect::<Vec<_>>())
}

/// A struct a column of the segment.
fn column_lists(analyses: &[SegmentAnalysis]) -> Result<NamedArray> {
    let all: Vec<&(String, ColumnAnalysis)> = analyses.iter().flat_map(|of| &of.columns).collect();
    let each = all.iter().map(|(_, column)| column);
    let flag = |of: fn(&ColumnAnalysis) -> bool| -> ArrayRef {
        Arc::new(all.iter().map(|(_, column)| Some(of(column))).collect::<BooleanArray>())
    };
    let members = vec![
        texts("name", all.iter().map(|(name, _)| Some(name.clone()))),
        texts("typeSignature", each.clone().map(|column| Some(column.column_type.to_string()))),
        texts("type", each.clone().map(|column| Some(column.column_type.name().to_owned()))),
        named("hasMultipleValues", flag(|column| column.has_multiple_values)),
        named("hasNulls", flag(|column| column.has_nulls)),
        longs("size", each.clone().map(|column| Some(column.size_bytes))),
        longs("cardinality", each.clone().map(|column| column.cardinality)),
        texts("minValue", each.clone().map(|column| column.min_value.clone())),
        texts("maxValue", each.clone().map(|column| column.max_value.clone())),
        texts("errorMessage", each.map(|column| column.error_message.clone())),
    ];
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = members.into_iter().unzip();
    let structs = StructArray::try_new(Fields::from(fields), arrays, None);
    let structs = structs.map_err(|error| internal(&error))?;
    let item = Field::new_list_field(arrow_array::Array::data_type(&structs).clone(), true);
    let lengths: Vec<_> = analyses.iter().map(|of| Some(of.columns.len())).collect();
    lists("columns", item, Arc::new(structs), &lengths)
}

fn lists(
    name: &str,
    item: Field,
    values: ArrayRef,
    lengths: &[Option<usize>],
) -> Result<NamedArray> {
    let nulls = nulls_of(lengths.len(), |row| lengths[row].is_some());
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let lists = ListArray::try_new(Arc::new(item), offsets, values, nulls);
    lists.map(|lists| named(name, Arc::new(lists))).map_err(|error| internal(&error))
}

fn texts(name: &str, values: impl Iterator<Item = Option<String>>) -> NamedArray {
    named(name, Arc::new(values.collect::<StringArray>()))
}

fn longs(name: &str, values: impl Iterator<Item = Option<u64>>) -> NamedArray {
    let values = values.map(|value| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX)));
    named(name, Arc::new(values.collect::<Int64Array>()))
}

fn named(name: &str, array: ArrayRef) -> NamedArray {
    (Field::new(name, array.data_type().clone(), true), array)
}
