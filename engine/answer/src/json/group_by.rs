//! `[{"version":"v1","timestamp":..,"event":{..}},..]`, or arrays.

use henge_exec::Result;
use henge_exec::finalise::{Field, Table};
use henge_query::GroupByQuery;
use henge_types::Granularity;
use henge_vector::Column;

use crate::Grow;
use crate::json::row::{Places, RowForm, columns_of, object_form, times_and_values, write_row};
use crate::json::stamps::{StampWriter, TimeForm};
use crate::json::value::write_value;
use crate::json::writer::Writer;

pub(super) fn write(
    json: &mut Writer<'_>,
    query: &GroupByQuery,
    table: &Table,
    grow: &mut Grow<'_>,
) -> Result<()> {
    json.open(b'[');
    if query.base.context.result_as_array {
        write_arrays(json, table, grow)?;
    } else {
        write_events(json, query, table, grow)?;
    }
    json.close(b']');
    Ok(())
}

fn write_events(
    json: &mut Writer<'_>,
    query: &GroupByQuery,
    table: &Table,
    grow: &mut Grow<'_>,
) -> Result<()> {
    // In the one bucket of granularity `all` rows have no time of their own.
    let (times, fields) = match query.granularity {
        Granularity::All => (None, table.fields()),
        _ => times_and_values(table).map(|(times, fields)| (Some(times), fields))?,
    };
    let start_of_all_ms = query.base.start_ms();
    let mut stamps = StampWriter::new(&query.granularity, TimeForm::of(&query.base));
    let form = RowForm::of(json, |json, places| event_form(json, places, fields));
    let columns = columns_of(fields);
    let time = |row| times.and_then(|times: &Column| times.long(row)).unwrap_or(start_of_all_ms);
    for row in 0..table.row_count() {
        json.item();
        form.write(json, |json, position| match position.checked_sub(1) {
            Some(at) => write_value(json, columns[at], row),
            None => stamps.write(json.out(), time(row)),
        });
        grow(json.len())?;
    }
    Ok(())
}

fn event_form(json: &mut Writer<'_>, places: &mut Places, fields: &[Field]) {
    json.open(b'{');
    json.text_member("version", "v1");
    json.key("timestamp");
    places.value(json);
    json.key("event");
    object_form(json, places, fields.iter().map(|field| &field.name));
    json.close(b'}');
}

/// The time first, in milliseconds, where there are buckets.
fn write_arrays(json: &mut Writer<'_>, table: &Table, grow: &mut Grow<'_>) -> Result<()> {
    let columns = columns_of(table.fields());
    let form = RowForm::of(json, |json, places| {
        json.list(&columns, |json, _| places.value(json));
    });
    for row in 0..table.row_count() {
        json.item();
        write_row(json, &form, &columns, row);
        grow(json.len())?;
    }
    Ok(())
}
