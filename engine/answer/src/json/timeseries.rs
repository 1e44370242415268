//! `[{"timestamp":..,"result":{..}},..]`

use henge_exec::Result;
use henge_exec::finalise::Table;
use henge_query::TimeseriesQuery;
use henge_types::json::write_null;

use crate::Grow;
use crate::json::row::{RowForm, columns_of, object_form, times_and_values};
use crate::json::stamps::{StampWriter, TimeForm};
use crate::json::value::write_value;
use crate::json::writer::Writer;

pub(super) fn write(
    json: &mut Writer<'_>,
    query: &TimeseriesQuery,
    table: &Table,
    grow: &mut Grow<'_>,
) -> Result<()> {
    let (times, fields) = times_and_values(table)?;
    let mut stamps = StampWriter::new(&query.granularity, TimeForm::of(&query.base));
    json.open(b'[');
    let form = RowForm::of(json, |json, places| {
        json.open(b'{');
        json.key("timestamp");
        places.value(json);
        json.key("result");
        object_form(json, places, fields.iter().map(|field| &field.name));
        json.close(b'}');
    });
    let columns = columns_of(fields);
    for row in 0..table.row_count() {
        json.item();
        form.write(json, |json, position| match position.checked_sub(1) {
            Some(at) => write_value(json, columns[at], row),
            None => match times.long(row) {
                Some(time) => stamps.write(json.out(), time),
                None => write_null(json.out()),
            },
        });
        grow(json.len())?;
    }
    json.close(b']');
    Ok(())
}
