//! Tasks: adding and changing them within the caller's transaction, listing them without their payloads,
//! which have megabytes, and forgetting old ones.

use sqlx::sqlite::SqliteConnection;

use super::convert::{self, to_json};
use super::{Pools, invalid, store_error};
use crate::metadata::records::{TaskFilter, TaskRecord, TaskStatus, TaskUpdate};
use crate::metadata::{MetadataError, Result, TasksKept};

pub(super) async fn put(connection: &mut SqliteConnection, task: &TaskRecord) -> Result<()> {
    let inserted = sqlx::query(
        "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
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
    .execute(connection)
    .await
    .map_err(store_error)?;
    match inserted.rows_affected() {
        0 => Err(invalid(format!("task id '{}' is taken", task.id))),
        _ => Ok(()),
    }
}

pub(super) async fn update(
    connection: &mut SqliteConnection,
    id: &str,
    update: &TaskUpdate,
) -> Result<()> {
    let updated = sqlx::query(
        "UPDATE tasks SET status = ?, error = ?, duration_ms = ?, progress = ? WHERE id = ?",
    )
    .bind(update.status.as_str())
    .bind(&update.error)
    .bind(update.duration_ms)
    .bind(to_json(&update.progress)?)
    .bind(id)
    .execute(connection)
    .await
    .map_err(store_error)?;
    match updated.rows_affected() {
        0 => Err(MetadataError::NotFound(format!("task '{id}'"))),
        _ => Ok(()),
    }
}

pub(super) async fn list(pools: &Pools, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
    let rows = sqlx::query(
        "SELECT id, task_type, datasource, created_ms, status, error, duration_ms, \
         '' AS payload_json, progress FROM tasks WHERE (?1 IS NULL OR status = ?1) \
         AND (?2 IS NULL OR datasource = ?2) AND (?3 IS NULL OR id = ?3) \
         ORDER BY created_ms DESC, id LIMIT ?4",
    )
    .bind(filter.status.map(TaskStatus::as_str))
    .bind(filter.datasource.as_deref())
    .bind(filter.id.as_deref())
    .bind(i64::try_from(filter.limit).unwrap_or(i64::MAX))
    .fetch_all(&pools.readers)
    .await
    .map_err(store_error)?;
    rows.iter().map(convert::task).collect()
}

pub(super) async fn prune(pools: &Pools, kept: TasksKept) -> Result<usize> {
    let bound = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let pruned = sqlx::query(
        "DELETE FROM tasks WHERE id IN (SELECT id FROM (\
         SELECT id, row_number() OVER newest AS place, \
         sum(length(payload_json)) OVER newest AS bytes FROM tasks WHERE status <> ?1 \
         WINDOW newest AS (ORDER BY created_ms DESC, id ROWS UNBOUNDED PRECEDING)) \
         WHERE place > 1 AND (place > ?2 OR bytes > ?3))",
    )
    .bind(TaskStatus::Running.as_str())
    .bind(bound(kept.count))
    .bind(bound(kept.payload_bytes))
    .execute(&pools.writer)
    .await
    .map_err(store_error)?;
    Ok(usize::try_from(pruned.rows_affected()).unwrap_or(usize::MAX))
}
