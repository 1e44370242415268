//! Intervals of a query in which its datasource has no segment at all: Druid's `uncoveredIntervals`. What
//! is there and cannot be read is missing, which is something else.

use henge_query::Query;
use henge_types::{Interval, condense};
use serde_json::{Map, Value, json};

use crate::route;
use crate::view::{ClusterView, TableView};

/// More are not named: they go into a header.
const MOST_NAMED: usize = 100;

/// Intervals without segments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Uncovered {
    /// The first of them, as many as were asked for.
    intervals: Vec<Interval>,
    /// There are more.
    has_overflowed: bool,
}

impl Uncovered {
    /// As many as the query asks for with `uncoveredIntervalsLimit`. As in Druid, a datasource without
    /// any segment has none.
    #[must_use]
    pub(crate) fn of(query: &Query, view: &ClusterView) -> Self {
        let limit = query.base().context.uncovered_intervals_limit as usize;
        let mut uncovered = Self::default();
        if limit == 0 {
            return uncovered;
        }
        let names = query.base().data_source.table_names();
        for table in names.into_iter().filter_map(|name| view.tables.get(name)) {
            for interval in route::intervals_of(query, table) {
                uncovered.add(gaps_of(table, interval), limit.min(MOST_NAMED));
            }
        }
        uncovered
    }

    fn add(&mut self, gaps: Vec<Interval>, limit: usize) {
        let room = limit.saturating_sub(self.intervals.len());
        self.has_overflowed |= gaps.len() > room;
        self.intervals.extend(gaps.into_iter().take(room));
    }

    /// The entries of a response context; none when there is nothing to tell.
    #[must_use]
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        if !self.intervals.is_empty() {
            let intervals: Vec<String> = self.intervals.iter().map(Interval::to_string).collect();
            shown.insert("uncoveredIntervals".into(), json!(intervals));
            shown.insert("uncoveredIntervalsOverflowed".into(), json!(self.has_overflowed));
        }
        shown
    }
}

/// The parts of an interval that no segment covers, in order.
fn gaps_of(table: &TableView, interval: Interval) -> Vec<Interval> {
    let published = table.timeline.lookup(interval).into_iter().map(|holder| holder.interval);
    let buffered = table.buffered_within(interval).map(|segment| segment.visible);
    let (mut gaps, mut start_ms) = (Vec::new(), interval.start_ms);
    for covered in condense(published.chain(buffered).collect()) {
        if start_ms < covered.start_ms {
            gaps.push(Interval { start_ms, end_ms: covered.start_ms });
        }
        start_ms = start_ms.max(covered.end_ms);
    }
    if start_ms < interval.end_ms {
        gaps.push(Interval { start_ms, end_ms: interval.end_ms });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use henge_platform::metadata::{BufferedSegment, PublishedSegment};
    use henge_types::{SegmentId, ShardSpec, Version};
    use tokio::time::Instant;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn id(hour: i64) -> SegmentId {
        let interval = Interval { start_ms: hour * HOUR_MS, end_ms: (hour + 1) * HOUR_MS };
        SegmentId::new("t", interval, Version(1), 0)
    }

    /// Hours 2 and 3 are published, by the way without rows, hour 6 is buffered; nobody serves any.
    fn view() -> ClusterView {
        let used = [2, 3].map(|hour| PublishedSegment {
            id: id(hour),
            shard_spec: ShardSpec::appended(0),
            object_key: "k".into(),
            size_bytes: 1,
            checksum: 1,
            row_count: 0,
            min_time_ms: 0,
            max_time_ms: 0,
            schema_json: "{}".into(),
        });
        let mut view = ClusterView::default();
        view.replace_used(&used, Instant::now());
        let buffered = [BufferedSegment { id: id(6), owner: "r".into() }];
        view.replace_buffered(&buffered, Instant::now());
        view
    }

    fn uncovered(limit: usize, intervals: &str) -> Value {
        let text = format!(
            r#"{{"queryType":"timeBoundary","dataSource":"t","intervals":{intervals},
            "context":{{"uncoveredIntervalsLimit":{limit}}}}}"#
        );
        let query = Query::parse(text.as_bytes()).unwrap();
        Value::Object(Uncovered::of(&query, &view()).to_json())
    }

    #[test]
    fn intervals_without_segments_are_uncovered_and_missing_segments_are_not() {
        let day = r#"["1970-01-01T00/1970-01-01T09"]"#;
        let hours = |start: u32, end: u32| {
            format!("1970-01-01T0{start}:00:00.000Z/1970-01-01T0{end}:00:00.000Z")
        };
        assert_eq!(uncovered(0, day), json!({}));
        let all = json!([hours(0, 2), hours(4, 6), hours(7, 9)]);
        let whole = json!({"uncoveredIntervals": all, "uncoveredIntervalsOverflowed": false});
        assert_eq!(uncovered(3, day), whole);
        let two = json!([hours(0, 2), hours(4, 6)]);
        let cut = json!({"uncoveredIntervals": two, "uncoveredIntervalsOverflowed": true});
        assert_eq!(uncovered(2, day), cut);
        assert_eq!(uncovered(9, r#"["1970-01-01T02/1970-01-01T04"]"#), json!({}));
    }
}
