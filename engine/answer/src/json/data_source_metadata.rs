//! `[{"timestamp":..,"result":{"maxIngestedEventTime":..}}]`, empty when nothing was ingested.

use henge_exec::finalise::Table;
use henge_query::DataSourceMetadataQuery;

use crate::json::stamps::TimeForm;
use crate::json::time_boundary::write_times;
use crate::json::writer::Writer;

pub(super) fn write(json: &mut Writer<'_>, query: &DataSourceMetadataQuery, table: &Table) {
    let form = TimeForm::of(&query.base);
    json.list(0..table.row_count(), |json, row| write_times(json, form, table, row));
}
