//! Dead letters. Every function runs within the caller's transaction.

use sqlx::sqlite::SqliteConnection;

use super::convert::{get_u64, store_error, to_i64};
use crate::metadata::error::Result;
use crate::metadata::records::{DeadLetter, DeadLetterTotals};

/// Adds letters, of the log record with this sequence unless it is 0, and drops the oldest ones
/// beyond `keep_at_most`.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    datasource: &str,
    letters: &[DeadLetter],
    log_sequence: u64,
    keep_at_most: u64,
) -> Result<()> {
    let row = sqlx::query(
        "INSERT INTO dead_letter_totals (datasource, received, log_sequence) VALUES (?, ?, ?) \
         ON CONFLICT DO UPDATE SET received = received + excluded.received, \
         log_sequence = max(log_sequence, excluded.log_sequence) RETURNING received",
    )
    .bind(datasource)
    .bind(to_i64(letters.len() as u64, "number of dead letters")?)
    .bind(to_i64(log_sequence, "log sequence")?)
    .fetch_one(&mut *connection)
    .await
    .map_err(store_error)?;
    let received = get_u64(&row, "received")?;
    let first = received - letters.len() as u64 + 1;
    for (number, letter) in (first..).zip(letters) {
        sqlx::query("INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(datasource)
            .bind(to_i64(number, "dead letter number")?)
            .bind(letter.received_ms)
            .bind(&letter.origin)
            .bind(to_i64(letter.position, "position")?)
            .bind(to_i64(letter.offset_bytes, "offset")?)
            .bind(&letter.reason)
            .bind(&letter.raw)
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
    }
    sqlx::query("DELETE FROM dead_letters WHERE datasource = ? AND number <= ?")
        .bind(datasource)
        .bind(to_i64(received.saturating_sub(keep_at_most), "dead letter number")?)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

/// How many letters the datasource had.
pub(super) async fn totals(
    connection: &mut SqliteConnection,
    datasource: &str,
) -> Result<DeadLetterTotals> {
    let row = sqlx::query(
        "SELECT coalesce((SELECT received FROM dead_letter_totals WHERE datasource = ?1), 0) \
         AS received, (SELECT count(*) FROM dead_letters WHERE datasource = ?1) AS kept, \
         coalesce((SELECT log_sequence FROM dead_letter_totals WHERE datasource = ?1), 0) \
         AS log_sequence",
    )
    .bind(datasource)
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    let (received, kept) = (get_u64(&row, "received")?, get_u64(&row, "kept")?);
    let log_sequence = get_u64(&row, "log_sequence")?;
    Ok(DeadLetterTotals { received, kept, dropped: received - kept, log_sequence })
}
