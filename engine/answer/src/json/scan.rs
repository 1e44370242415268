//! `[{"segmentId":..,"columns":[..],"events":[..],"rowSignature":[..]},..]`

use henge_exec::Result;
use henge_exec::finalise::{Entry, Layout, ScanRows};
use henge_query::{ResultFormat, ScanQuery};
use henge_types::json::{write_null, write_string};

use crate::Grow;
use crate::json::row::{RowForm, object_form};
use crate::json::value::write_value;
use crate::json::writer::Writer;

pub(super) fn write(
    json: &mut Writer<'_>,
    query: &ScanQuery,
    rows: &ScanRows,
    grow: &mut Grow<'_>,
) -> Result<()> {
    json.open(b'[');
    for entry in &rows.entries {
        json.item();
        let layout = rows.layout(entry);
        let first = entry.rows.first().filter(|_| entry.is_of_one_segment);
        let segment = first.map(|&(batch, _)| &rows.batches[batch as usize].segment);
        json.open(b'{');
        json.optional_member("segmentId", segment, |json, segment| {
            write_string(json.out(), &segment.to_string());
        });
        json.key("columns");
        json.list(&layout.columns, |json, (name, _)| write_string(json.out(), name));
        json.key("events");
        write_events(json, query.result_format, rows, entry, grow)?;
        json.key("rowSignature");
        write_signature(json, layout);
        json.close(b'}');
    }
    json.close(b']');
    Ok(())
}

fn write_events(
    json: &mut Writer<'_>,
    format: ResultFormat,
    rows: &ScanRows,
    entry: &Entry,
    grow: &mut Grow<'_>,
) -> Result<()> {
    let layout = rows.layout(entry);
    json.open(b'[');
    let names = layout.columns.iter().map(|(name, _)| name);
    let form = RowForm::of(json, |json, places| match format {
        ResultFormat::List => object_form(json, places, names),
        ResultFormat::CompactedList => json.list(names, |json, _| places.value(json)),
    });
    for run in entry.rows.chunk_by(|a, b| a.0 == b.0) {
        let batch = run[0].0;
        let columns = &rows.batches[batch as usize].columns;
        let positions = layout.positions(batch);
        for &(_, row) in run {
            json.item();
            form.write(json, |json, at| match positions[at] {
                Some(position) => write_value(json, &columns[position].values, row as usize),
                None => write_null(json.out()),
            });
            grow(json.len())?;
        }
    }
    json.close(b']');
    Ok(())
}

fn write_signature(json: &mut Writer<'_>, layout: &Layout) {
    json.list(&layout.columns, |json, (name, column_type)| {
        json.open(b'{');
        json.text_member("name", name);
        if let Some(column_type) = column_type {
            json.text_member("type", &column_type.to_string());
        }
        json.close(b'}');
    });
}
