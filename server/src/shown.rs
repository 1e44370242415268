//! What the process shows of itself among the numbers for operators.

mod ingestion;
mod process;

use std::sync::Arc;

use henge_coordinator::{Coordinator, Progress};
use henge_platform::membership::NodeCondition;
use henge_platform::runtime::CpuPool;
use henge_platform::telemetry::Metrics;
use henge_realtime_node::{HandoffFailure, RealtimeNode};

use crate::cluster::Company;

pub(crate) use ingestion::{ingestion, tasks};
pub(crate) use process::process;

/// How large logs are. What a start cut off them may have been acknowledged: it is shown as long as it is kept.
pub(crate) fn logs(metrics: &Metrics, realtime: &Arc<RealtimeNode>) {
    let help = "Bytes of the write-ahead log, by datasource.";
    let node = Arc::clone(realtime);
    metrics.gauge_by("henge_wal_bytes", help, ["datasource"], move || {
        node.log_bytes().into_iter().map(|(name, bytes)| ([name], bytes)).collect()
    });
    let help = "Bytes of damaged or unfinished last writes that the start cut off the logs.";
    let node = Arc::clone(realtime);
    metrics.gauge("henge_wal_torn_bytes", help, &[], move || node.log_damage().0);
    let help = "Files kept in the quarantines of logs.";
    let node = Arc::clone(realtime);
    metrics.gauge("henge_wal_quarantined_files", help, &[], move || node.log_damage().1);
}

/// A hand-off that does not get on keeps its rows here, where they are counted and queryable.
pub(crate) fn backlog(metrics: &Metrics, realtime: &Arc<RealtimeNode>) {
    let help = "Closed parts of datasources that are not wholly handed off.";
    let node = Arc::clone(realtime);
    let waiting = move || node.backlogs().iter().map(|(_, backlog)| backlog.waiting as u64).sum();
    metrics.gauge("henge_handoff_waiting", help, &[], waiting);
    let help = "Bytes of pushes that the log keeps for them, by datasource.";
    let node = Arc::clone(realtime);
    metrics.gauge_by("henge_handoff_waiting_bytes", help, ["datasource"], move || {
        let backlogs = node.backlogs().into_iter();
        backlogs.map(|(name, backlog)| ([name], backlog.waiting_bytes)).collect()
    });
    let help = "Datasources whose hand-off fails; GET /v1/datasources/{name} says why.";
    let node = Arc::clone(realtime);
    let failing = move || node.backlogs().iter().filter(|(_, b)| b.failing > 0).count() as u64;
    metrics.gauge("henge_handoff_failing_datasources", help, &[], failing);
    let help = "Failed attempts to hand off a time chunk; the reason is that of the last one.";
    let labels = ["datasource", "interval", "reason"];
    metrics.gauge_by("henge_handoff_failed_attempts", help, labels, {
        let node = Arc::clone(realtime);
        move || {
            failures(&node, |name, interval, failure| {
                ([name, interval, failure.reason], u64::from(failure.attempts))
            })
        }
    });
    let help = "When a time chunk whose hand-off fails is tried next, in milliseconds since 1970.";
    metrics.gauge_by("henge_handoff_next_attempt_ms", help, ["datasource", "interval"], {
        let node = Arc::clone(realtime);
        move || {
            failures(&node, |name, interval, failure| {
                ([name, interval], u64::try_from(failure.next_attempt_ms).unwrap_or(0))
            })
        }
    });
}

/// What is shown of each hand-off that fails, with the names of its datasource and its time chunk.
fn failures<T>(node: &RealtimeNode, show: impl Fn(String, String, HandoffFailure) -> T) -> Vec<T> {
    let mut shown = Vec::new();
    for (name, backlog) in node.backlogs() {
        for failure in backlog.failures {
            let interval = failure.interval.map(|i| i.to_string()).unwrap_or_default();
            shown.push(show(name.clone(), interval, failure));
        }
    }
    shown
}

/// Who lives, as gossip tells this process.
pub(crate) fn cluster(metrics: &Metrics, company: &Company) {
    let help = "Processes of the cluster that gossip told of, by what is thought of them.";
    let company = company.clone();
    metrics.gauge_by("henge_cluster_nodes", help, ["state"], move || {
        let nodes = company.heard_nodes();
        let count = |condition: NodeCondition| {
            nodes.iter().filter(|n| n.condition == condition).count() as u64
        };
        [
            ("alive", NodeCondition::Alive),
            ("starting", NodeCondition::Starting),
            ("gone", NodeCondition::Gone),
        ]
        .map(|(name, condition)| ([name.to_owned()], count(condition)))
        .to_vec()
    });
}

/// What is shown of the progress.
type Shown = fn(&Progress) -> usize;

/// Whether the coordinator leads, and what it has still to do; while it leads, that is the whole cluster.
pub(crate) fn coordinator(metrics: &Metrics, coordinator: &Arc<Coordinator>) {
    let help = "1 while this process leads the coordinators.";
    let of = Arc::clone(coordinator);
    metrics
        .gauge("henge_coordinator_is_leader", help, &[], move || u64::from(of.leader().is_leading));
    let help = "The epoch of the leader, as this coordinator knows it.";
    let of = Arc::clone(coordinator);
    metrics.gauge("henge_coordinator_leader_epoch", help, &[], move || of.leader().epoch);
    let shown: [(&str, &str, Shown); 4] = [
        ("henge_coordinator_used_segments", "Used segments, as of the last plan.", |progress| {
            progress.used_segments
        }),
        (
            "henge_coordinator_unavailable_segments",
            "Used segments that no node served as of the last plan.",
            |progress| progress.waiting_to_load,
        ),
        (
            "henge_coordinator_missing_copies",
            "Copies that rules asked for, of segments that were served, and that no node had as of the last plan.",
            |progress| progress.missing_copies,
        ),
        (
            "henge_coordinator_copies_without_room",
            "Copies that no node has room for, as of the last plan.",
            |progress| progress.without_room,
        ),
    ];
    for (name, help, read) in shown {
        let progress = coordinator.progress();
        metrics.gauge(name, help, &[], move || read(&progress.borrow()) as u64);
    }
    let help = "Compactions that nodes took, and that none took, by outcome (submitted, refused).";
    let of = Arc::clone(coordinator);
    metrics.counter_by("henge_compaction_tasks_total", help, ["outcome"], move || {
        let counts = of.compaction_counts();
        let counted = [("submitted", counts.submitted()), ("refused", counts.refused())];
        counted.map(|(outcome, count)| ([outcome.to_owned()], count)).to_vec()
    });
    let help = "Compactions under way, as of the last look.";
    let of = Arc::clone(coordinator);
    metrics.gauge("henge_compaction_tasks_running", help, &[], move || {
        of.compaction_counts().running()
    });
    let help = "Orders that nodes have not carried out, by node and kind (load, drop).";
    let of = Arc::clone(coordinator);
    metrics.gauge_by("henge_coordinator_queue_orders", help, ["server", "kind"], move || {
        let orders = of.orders();
        let by_kind = |(server, (loads, drops)): (Arc<str>, (usize, usize))| {
            [("load", loads), ("drop", drops)]
                .map(|(kind, count)| ([server.to_string(), kind.to_owned()], count as u64))
        };
        orders.into_iter().flat_map(by_kind).collect()
    });
}

pub(crate) fn pools(metrics: &Metrics, queries: &CpuPool, ingestion: &CpuPool) {
    for (name, pool) in [("query", queries), ("ingest", ingestion)] {
        let pool = pool.clone();
        let help = "Tasks that wait for a CPU thread.";
        metrics.gauge("henge_pool_waiting_tasks", help, &[("pool", name)], move || {
            pool.queue_depth() as u64
        });
    }
}
