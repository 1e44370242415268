//! `[{"timestamp":..,"result":{"minTime":..,"maxTime":..}}]`, of which the ends that there are.

use henge_exec::finalise::Table;
use henge_query::TimeBoundaryQuery;

use crate::json::stamps::TimeForm;
use crate::json::writer::Writer;

pub(super) fn write(json: &mut Writer<'_>, query: &TimeBoundaryQuery, table: &Table) {
    let form = TimeForm::of(&query.base);
    json.list(0..table.row_count(), |json, row| write_times(json, form, table, row));
}

/// The times of a row by their names; the first of them is the row's own.
pub(super) fn write_times(json: &mut Writer<'_>, form: TimeForm, table: &Table, row: usize) {
    let times = table.fields().iter().filter_map(|field| Some((field, field.values.long(row)?)));
    let mut times = times.peekable();
    json.open(b'{');
    json.optional_member("timestamp", times.peek().map(|(_, ms)| *ms), |json, ms| {
        form.write(json.out(), ms);
    });
    json.key("result");
    json.open(b'{');
    for (field, ms) in times {
        json.key(&field.name);
        form.write(json.out(), ms);
    }
    json.close(b'}');
    json.close(b'}');
}
