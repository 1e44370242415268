//! Cache keys: two queries with the same key have the same answer over the same data.

use serde_json::json;
use xxhash_rust::xxh3::xxh3_128;

use crate::query::Query;

impl Query {
    /// A key of everything that decides the answer: the normal form of the query and the context
    /// keys that change results. Identity (`queryId`), scheduling (`timeout`, `priority`) and
    /// caching switches are left out. The data's own version is for the cache to add.
    #[must_use]
    pub fn cache_key(&self) -> u128 {
        self.key(true)
    }

    /// As [`Query::cache_key`], but for the intervals: for caches that add the part of them that
    /// meets their data.
    #[must_use]
    pub fn cache_key_without_intervals(&self) -> u128 {
        self.key(false)
    }

    fn key(&self, with_intervals: bool) -> u128 {
        let context = &self.base().context;
        let mut fields = self.body();
        if !with_intervals {
            fields.shift_remove("intervals");
        }
        let deciding = json!({
            "skipEmptyBuckets": context.skip_empty_buckets,
            "grandTotal": context.grand_total,
            "timestampResultField": context.timestamp_result_field,
            "timesAsNumbers": context.times_as_numbers,
            "finalize": context.finalize,
            "resultAsArray": context.result_as_array,
            "sortByDimsFirst": context.sort_by_dims_first,
            "minTopNThreshold": context.min_top_n_threshold,
            // Sums of doubles may differ in the last bits between the ways.
            "useBlockStatistics": context.use_block_statistics,
            "projections": [
                json!(context.use_projection),
                json!(context.no_projections),
                json!(context.force_projections),
            ],
        });
        fields.insert("context".to_owned(), deciding);
        let lookups = self.lookups();
        if !lookups.is_empty() {
            let hash = |lookup: &henge_expr::Lookup| format!("{:032x}", lookup.fingerprint());
            let hashes =
                lookups.into_iter().map(|(name, lookup)| (name.to_owned(), hash(lookup).into()));
            fields.insert("lookups".to_owned(), serde_json::Value::Object(hashes.collect()));
        }
        xxh3_128(serde_json::Value::Object(fields).to_string().as_bytes())
    }
}
