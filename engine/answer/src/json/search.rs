//! `[{"timestamp":..,"result":[{"dimension":..,"value":..,"count":..},..]},..]`

use henge_exec::Result;
use henge_exec::finalise::BucketedRows;
use henge_query::SearchQuery;

use crate::Grow;
use crate::json::stamps::{StampWriter, TimeForm};
use crate::json::top_n::write_buckets;
use crate::json::writer::Writer;

pub(super) fn write(
    json: &mut Writer<'_>,
    query: &SearchQuery,
    rows: &BucketedRows,
    grow: &mut Grow<'_>,
) -> Result<()> {
    let mut stamps = StampWriter::new(&query.granularity, TimeForm::of(&query.base));
    write_buckets(json, &mut stamps, rows, grow)
}
