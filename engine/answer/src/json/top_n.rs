//! `[{"timestamp":..,"result":[{..},..]},..]`

use henge_exec::Result;
use henge_exec::finalise::BucketedRows;
use henge_query::TopNQuery;

use crate::Grow;
use crate::json::row::{RowForm, columns_of, object_form, times_and_values, write_row};
use crate::json::stamps::{StampWriter, TimeForm};
use crate::json::writer::Writer;

pub(super) fn write(
    json: &mut Writer<'_>,
    query: &TopNQuery,
    rows: &BucketedRows,
    grow: &mut Grow<'_>,
) -> Result<()> {
    let mut stamps = StampWriter::new(&query.granularity, TimeForm::of(&query.base));
    write_buckets(json, &mut stamps, rows, grow)
}

/// The buckets, each with its rows as objects.
pub(super) fn write_buckets(
    json: &mut Writer<'_>,
    stamps: &mut StampWriter<'_>,
    rows: &BucketedRows,
    grow: &mut Grow<'_>,
) -> Result<()> {
    let (_, fields) = times_and_values(&rows.table)?;
    let columns = columns_of(fields);
    let (mut start, mut form) = (0, None);
    json.open(b'[');
    for bucket in &rows.buckets {
        json.item();
        json.open(b'{');
        json.key("timestamp");
        stamps.write(json.out(), bucket.start_ms);
        json.key("result");
        json.open(b'[');
        let form = form.get_or_insert_with(|| {
            RowForm::of(json, |json, places| {
                object_form(json, places, fields.iter().map(|field| &field.name));
            })
        });
        for row in start..bucket.end_row {
            json.item();
            write_row(json, form, &columns, row);
            grow(json.len())?;
        }
        json.close(b']');
        json.close(b'}');
        start = bucket.end_row;
    }
    json.close(b']');
    Ok(())
}
