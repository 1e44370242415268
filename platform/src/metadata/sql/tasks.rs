//! Tasks: adding and changing them within the caller's transaction, listing them without their payloads,
//! which have megabytes, and forgetting old ones.

use super::convert::{self, to_json};
use super::database::Connection;
use crate::metadata::records::{TaskFilter, TaskRecord, TaskStatus, TaskUpdate};
use crate::metadata::rules::invalid;
use crate::metadata::{MetadataError, Result, TasksKept};

pub(super) async fn put(connection: &mut Connection, task: &TaskRecord) -> Result<()> {
    let inserted = connection
        .statement(
            "INSERT INTO tasks (id, task_type, datasource, created_ms, status, error, duration_ms, \
         payload_json, progress, owner) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (id) DO NOTHING",
        )
        .bind(&task.id)
        .bind(&task.task_type)
        .bind(&task.datasource)
        .bind(task.created_ms)
        .bind(task.status.as_str())
        .bind(&task.error)
        .bind(task.duration_ms)
        .bind(&task.payload_json)
        .bind(to_json(&task.progress)?)
        .bind(&task.owner)
        .execute()
        .await?;
    match inserted {
        0 => Err(invalid(format!("task id '{}' is taken", task.id))),
        _ => Ok(()),
    }
}

pub(super) async fn update(
    connection: &mut Connection,
    id: &str,
    update: &TaskUpdate,
) -> Result<()> {
    let updated = connection.statement(
        "UPDATE tasks SET status = $1, error = $2, duration_ms = $3, progress = $4 WHERE id = $5",
    )
    .bind(update.status.as_str())
    .bind(&update.error)
    .bind(update.duration_ms)
    .bind(to_json(&update.progress)?)
    .bind(id)
    .execute()
    .await?;
    match updated {
        0 => Err(MetadataError::NotFound(format!("task '{id}'"))),
        _ => Ok(()),
    }
}

pub(super) async fn list(
    connection: &mut Connection,
    filter: &TaskFilter,
) -> Result<Vec<TaskRecord>> {
    let rows = connection
        .statement(
            "SELECT id, task_type, datasource, created_ms, status, error, duration_ms, \
         '' AS payload_json, progress, owner FROM tasks WHERE ($1 IS NULL OR status = $1) \
         AND ($2 IS NULL OR datasource = $2) AND ($3 IS NULL OR id = $3) \
         ORDER BY created_ms DESC, id LIMIT $4",
        )
        .bind(filter.status.map(TaskStatus::as_str))
        .bind(filter.datasource.as_deref())
        .bind(filter.id.as_deref())
        .bind(i64::try_from(filter.limit).unwrap_or(i64::MAX))
        .fetch_all()
        .await?;
    rows.iter().map(convert::task).collect()
}

pub(super) async fn prune(connection: &mut Connection, kept: TasksKept) -> Result<usize> {
    let bound = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let pruned = connection
        .statement(
            "DELETE FROM tasks WHERE id IN (SELECT id FROM (\
         SELECT id, row_number() OVER newest AS place, \
         sum(length(payload_json)) OVER newest AS bytes FROM tasks WHERE status <> $1 \
         WINDOW newest AS (ORDER BY created_ms DESC, id ROWS UNBOUNDED PRECEDING)) AS ended \
         WHERE place > 1 AND (place > $2 OR bytes > $3))",
        )
        .bind(TaskStatus::Running.as_str())
        .bind(bound(kept.count))
        .bind(bound(kept.payload_bytes))
        .execute()
        .await?;
    Ok(usize::try_from(pruned).unwrap_or(usize::MAX))
}

pub(super) async fn get(connection: &mut Connection, id: &str) -> Result<Option<TaskRecord>> {
    let row = connection.statement("SELECT * FROM tasks WHERE id = $1").bind(id);
    row.fetch_optional().await?.as_ref().map(convert::task).transpose()
}

/// The ids of those that run, of one owner or of all, in the order they were accepted.
pub(super) async fn unfinished(
    connection: &mut Connection,
    owner: Option<&str>,
) -> Result<Vec<String>> {
    // Row ids grow with each task; clocks may step back.
    let rows = connection
        .statement(
            "SELECT id FROM tasks WHERE status = $1 AND ($2 IS NULL OR owner = $2) ORDER BY rowid",
        )
        .bind(TaskStatus::Running.as_str())
        .bind(owner)
        .fetch_all()
        .await?;
    rows.iter().map(|row| row.text("id")).collect()
}
