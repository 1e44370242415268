//! [`Division`]: how a large scan is fetched in parts, and from whom.

use std::sync::Arc;

use henge_sql::{Result, SqlRequest};
use henge_types::Interval;

use super::Sql;
use super::boundaries::{Span, parts};
use super::cluster::Process;
use super::source::failed;
use crate::view::TableView;

/// Parts for each broker: one that is done sooner than the others takes another.
const PARTS_PER_BROKER: usize = 2;
/// Parts of a statement at most: each is a statement of its own, with a place and memory.
const MOST_PARTS: usize = 16;

/// A statement in parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Division {
    /// The times of the parts, ascending: together all times, none of them twice. Empty when the statement stays
    /// whole.
    pub(crate) parts: Vec<Interval>,
    /// Hosts and ports of gRPC of the other brokers that run parts.
    pub(crate) elsewhere: Vec<String>,
}

impl Sql {
    /// Divides a statement that is one large scan. Rows are counted as the metadata tell them, before filters; what is
    /// buffered is not counted, as nobody tells how much it is, and is in the parts all the same.
    ///
    /// # Errors
    /// When the statement cannot be planned, or the broker is not ready.
    pub(crate) async fn divide(self: &Arc<Self>, request: SqlRequest) -> Result<Division> {
        let plan = self.planned(request).await?;
        let Some(scan) = plan.divisible_scan() else { return Ok(Division::default()) };
        let view = self.broker.views.current().await.map_err(|error| failed(&error, None))?;
        let Some(table) = view.tables.get(scan.table.as_str()) else {
            return Ok(Division::default());
        };
        let elsewhere = brokers_elsewhere(&self.cluster.processes());
        let most = most_parts(1 + elsewhere.len());
        Ok(Division { parts: parts(&spans(table, &scan.intervals), most), elsewhere })
    }
}

fn most_parts(brokers: usize) -> usize {
    brokers.saturating_mul(PARTS_PER_BROKER).min(MOST_PARTS)
}

/// Brokers of other processes with the version of this one: another one may not know of parts.
fn brokers_elsewhere(processes: &[Process]) -> Vec<String> {
    let Some(own) = processes.iter().find(|process| process.is_self) else { return Vec::new() };
    let alike = processes.iter().filter(|process| {
        let is_broker = process.roles.iter().any(|role| role == "broker");
        is_broker && !process.is_self && process.version == own.version && !process.grpc.is_empty()
    });
    alike.map(|process| process.grpc.clone()).collect()
}

/// The rows of the published segments that answer for these times.
fn spans(table: &TableView, intervals: &[Interval]) -> Vec<Span> {
    let holders = intervals.iter().flat_map(|interval| table.timeline.lookup(*interval));
    let slices = holders.flat_map(|holder| {
        let within = holder.interval;
        holder.chunks.into_iter().map(move |chunk| (chunk.id, within))
    });
    let spans = slices.filter_map(|(id, within)| {
        let used = table.used.get(&id)?;
        let (min_ms, max_ms) = used.times_ms?;
        let whole = Interval { start_ms: min_ms, end_ms: max_ms.saturating_add(1) };
        let within = whole.intersect(&within)?;
        let share = within.duration_ms() as f64 / whole.duration_ms() as f64;
        Some(Span { within, rows: used.row_count as f64 * share })
    });
    spans.collect()
}

#[cfg(test)]
mod tests {
    use henge_platform::metadata::{PublishedSegment, SegmentChange};
    use henge_types::{SegmentId, ShardSpec, Version};
    use tokio::time::Instant;

    use super::*;
    use crate::view::ClusterView;

    const DAY_MS: i64 = 86_400_000;

    fn day(number: i64) -> Interval {
        Interval { start_ms: number * DAY_MS, end_ms: (number + 1) * DAY_MS }
    }

    fn published(within: Interval, version: u64, row_count: u64) -> SegmentChange {
        let id = SegmentId::new("t", within, Version(version), 0);
        SegmentChange::Used(Box::new(PublishedSegment {
            object_key: "k".into(),
            id,
            shard_spec: ShardSpec::SINGLE,
            size_bytes: 1,
            checksum: 7,
            row_count,
            min_time_ms: within.start_ms,
            max_time_ms: within.end_ms - 1,
            schema_json: "{}".into(),
        }))
    }

    #[test]
    fn rows_are_those_of_segments_that_answer_in_their_share_of_the_times() {
        let mut view = ClusterView::default();
        let hidden = published(day(1), 1, 7_000);
        let used = [published(day(0), 1, 100), hidden, published(day(1), 2, 500)];
        let empty = published(day(2), 1, 0);
        view.apply_used(&used, Instant::now());
        view.apply_used(&[empty], Instant::now());
        let half_of_first = Interval { start_ms: DAY_MS / 2, ..day(0) };
        let spans = spans(&view.tables["t"], &[half_of_first, day(1), day(2)]);
        let expected = [(half_of_first, 50.0), (day(1), 500.0)];
        assert_eq!(spans, expected.map(|(within, rows)| Span { within, rows }));
    }

    #[test]
    fn other_brokers_of_the_same_version_take_parts() {
        let process = |grpc: &str, role: &str, version: &str| Process {
            roles: vec!["historical".to_owned(), role.to_owned()],
            grpc: grpc.to_owned(),
            version: version.to_owned(),
            ..Process::default()
        };
        let own = Process { is_self: true, ..process("a:1", "broker", "2") };
        let others = [
            process("b:1", "broker", "2"),
            process("c:1", "coordinator", "2"),
            process("d:1", "broker", "1"),
            process("", "broker", "2"),
        ];
        let all: Vec<Process> = others.iter().cloned().chain([own]).collect();
        assert_eq!(brokers_elsewhere(&all), ["b:1"]);
        assert!(brokers_elsewhere(&others).is_empty());
        assert_eq!([1, 2, 8, 9, usize::MAX].map(most_parts), [2, 4, 16, 16, 16]);
    }
}
