//! Many tasks at once: listing them without their payloads, which have megabytes, and forgetting old
//! ones.

use super::convert;
use super::{Pools, store_error};
use crate::metadata::records::{TaskFilter, TaskRecord, TaskStatus};
use crate::metadata::{Result, TasksKept};

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
