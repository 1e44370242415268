//! `sys.tasks`, as the metadata keep tasks, and `sys.supervisors`.

use henge_platform::metadata::{TaskFilter, TaskRecord, TaskStatus};
use henge_sql::Result;
use henge_types::format_timestamp;

use super::{BrokerSource, Column, failed, host_and_port, long, text};

/// Tasks that are told of, the newest.
const MOST_TASKS: usize = 100_000;

/// The tasks that are kept.
pub(super) async fn tasks(source: &BrokerSource) -> Result<Vec<Column>> {
    let filter = TaskFilter { limit: MOST_TASKS, ..TaskFilter::default() };
    let listed = source.broker.views.tasks(&filter).await;
    let tasks = listed.map_err(|error| failed(&error, None))?;
    let processes = source.cluster.processes();
    let address = |task: &TaskRecord| {
        let owner = processes.iter().find(|process| process.node == task.owner);
        owner.map(|process| process.http.as_str())
    };
    let each = || tasks.iter();
    let created = |task: &TaskRecord| Some(format_timestamp(task.created_ms));
    let is_running = |task: &TaskRecord| task.status == TaskStatus::Running;
    Ok(vec![
        text("task_id", each().map(|task| Some(task.id.as_str()))),
        text("group_id", each().map(|task| Some(task.id.as_str()))),
        text("type", each().map(|task| Some(task.task_type.as_str()))),
        text("datasource", each().map(|task| Some(task.datasource.as_str()))),
        text("created_time", each().map(created)),
        text("queue_insertion_time", each().map(created)),
        text("status", each().map(|task| Some(task.status.as_str()))),
        text(
            "runner_status",
            each().map(|task| Some(if is_running(task) { "RUNNING" } else { "NONE" })),
        ),
        long("duration", each().map(|task| Some(task.duration_ms.unwrap_or(-1)))),
        text("location", each().map(address)),
        text("host", each().map(|task| host_and_port(address(task)?).0)),
        long("plaintext_port", each().map(|task| host_and_port(address(task)?).1)),
        long("tls_port", each().map(|_| Some(-1))),
        text("error_msg", each().map(|task| task.error.as_deref())),
    ])
}

/// No rows: streams are not supervised here.
pub(super) fn supervisors() -> Vec<Column> {
    let none = || std::iter::empty::<Option<String>>();
    vec![
        text("supervisor_id", none()),
        text("datasource", none()),
        text("state", none()),
        text("detailed_state", none()),
        long("healthy", std::iter::empty()),
        text("type", none()),
        text("source", none()),
        long("suspended", std::iter::empty()),
        text("spec", none()),
    ]
}
