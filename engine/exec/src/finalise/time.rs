//! `timeBoundary` and `dataSourceMetadata`: answers that are a time or two.

use henge_query::Bound;

use crate::finalise::buckets::TimeForm;
use crate::finalise::json;

/// The finished `timeBoundary`: empty when there is no data.
#[derive(Debug, Clone)]
pub(crate) struct TimeBoundaryResult {
    min_ms: Option<i64>,
    max_ms: Option<i64>,
}

impl TimeBoundaryResult {
    /// Keeps the ends that were asked for.
    pub(crate) fn new(bound: Option<Bound>, min_ms: Option<i64>, max_ms: Option<i64>) -> Self {
        Self {
            min_ms: min_ms.filter(|_| bound != Some(Bound::MaxTime)),
            max_ms: max_ms.filter(|_| bound != Some(Bound::MinTime)),
        }
    }

    /// 1 when there is data.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.min_ms.or(self.max_ms).is_some())
    }

    /// `[{"timestamp":..,"result":{"minTime":..,"maxTime":..}}]`
    pub(crate) fn write_json(&self, out: &mut Vec<u8>, form: TimeForm) {
        json::write_list(out, self.min_ms.or(self.max_ms), |out, timestamp| {
            out.extend_from_slice(b"{\"timestamp\":");
            form.write(out, timestamp);
            out.extend_from_slice(b",\"result\":{");
            if let Some(min_ms) = self.min_ms {
                json::write_key(out, "minTime");
                form.write(out, min_ms);
            }
            if let Some(max_ms) = self.max_ms {
                if self.min_ms.is_some() {
                    out.push(b',');
                }
                json::write_key(out, "maxTime");
                form.write(out, max_ms);
            }
            out.extend_from_slice(b"}}");
        });
    }
}

/// `[{"timestamp":..,"result":{"maxIngestedEventTime":..}}]`, empty when nothing was ingested.
pub(crate) fn write_data_source_metadata(out: &mut Vec<u8>, max_ms: Option<i64>, form: TimeForm) {
    json::write_list(out, max_ms, |out, max_ms| {
        out.extend_from_slice(b"{\"timestamp\":");
        form.write(out, max_ms);
        out.extend_from_slice(b",\"result\":{\"maxIngestedEventTime\":");
        form.write(out, max_ms);
        out.extend_from_slice(b"}}");
    });
}
