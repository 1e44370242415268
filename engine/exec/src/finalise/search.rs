//! `search`: hits by bucket, in the query's order.

use henge_query::SearchQuery;
use henge_types::Granularity;

use crate::finalise::buckets::{StampWriter, TimeForm};
use crate::finalise::json;
use crate::partial_rows::{SearchHit, SearchPartial};
use crate::rows::search::order_and_limit;

/// The finished answer.
#[derive(Debug, Clone)]
pub(crate) struct SearchResult {
    granularity: Granularity,
    hits: Vec<SearchHit>,
    /// For granularity `all`: its timestamp, when there is data.
    all_ms: Option<i64>,
}

/// Finishes a search.
pub(crate) fn finalise(query: &SearchQuery, partial: SearchPartial) -> SearchResult {
    let mut hits = partial.hits;
    order_and_limit(query, &mut hits);
    let all_ms = partial.data_start_ms.filter(|_| query.granularity == Granularity::All);
    SearchResult { granularity: query.granularity.clone(), hits, all_ms }
}

impl SearchResult {
    /// Number of hits.
    pub(crate) fn len(&self) -> usize {
        self.hits.len()
    }

    /// `[{"timestamp":..,"result":[{"dimension":..,"value":..,"count":..},..]},..]`
    pub(crate) fn write_json(&self, out: &mut Vec<u8>, form: TimeForm) {
        let mut stamps = StampWriter::new(&self.granularity, form);
        if let Some(time) = self.all_ms {
            json::write_list(out, [&self.hits], |out, hits| {
                write_bucket(out, &mut stamps, time, hits);
            });
            return;
        }
        let buckets = self.hits.chunk_by(|a, b| a.bucket_start_ms == b.bucket_start_ms);
        json::write_list(out, buckets, |out, hits| {
            write_bucket(out, &mut stamps, hits[0].bucket_start_ms, hits);
        });
    }
}

fn write_bucket(out: &mut Vec<u8>, stamps: &mut StampWriter<'_>, time: i64, hits: &[SearchHit]) {
    out.extend_from_slice(b"{\"timestamp\":");
    stamps.write(out, time);
    out.extend_from_slice(b",\"result\":");
    json::write_list(out, hits, |out, hit| {
        out.extend_from_slice(b"{\"dimension\":");
        json::write_string(out, &hit.dimension);
        out.extend_from_slice(b",\"value\":");
        json::write_optional_string(out, hit.value.as_deref());
        out.extend_from_slice(b",\"count\":");
        json::write_long(out, hit.count.try_into().unwrap_or(i64::MAX));
        out.push(b'}');
    });
    out.push(b'}');
}
