//! Dead letters. Every function runs within the caller's transaction.

use super::convert::{self, to_i64};
use super::database::Connection;
use crate::metadata::error::Result;
use crate::metadata::records::{DeadLetter, DeadLetterTotals, LetterRecord, StoredDeadLetter};

/// Adds letters, unless those of their log record are kept already, and drops the oldest ones beyond
/// `keep_at_most`.
pub(super) async fn append(
    connection: &mut Connection,
    datasource: &str,
    letters: &[DeadLetter],
    record: Option<LetterRecord>,
    keep_at_most: u64,
) -> Result<DeadLetterTotals> {
    if let Some(record) = record {
        if is_kept(connection, &record).await? {
            return totals(connection, datasource).await;
        }
        note_kept(connection, &record).await?;
    }
    let row = connection
        .statement(
            "INSERT INTO dead_letter_totals (datasource, received) VALUES ($1, $2) \
         ON CONFLICT (datasource) DO UPDATE \
         SET received = dead_letter_totals.received + excluded.received RETURNING received",
        )
        .bind(datasource)
        .bind(to_i64(letters.len() as u64, "number of dead letters")?)
        .fetch_one()
        .await?;
    let received = row.u64("received")?;
    let first = received - letters.len() as u64 + 1;
    for (number, letter) in (first..).zip(letters) {
        connection.statement("INSERT INTO dead_letters (datasource, number, received_ms, origin, position, offset_bytes, \
             reason, raw) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(datasource)
            .bind(to_i64(number, "dead letter number")?)
            .bind(letter.received_ms)
            .bind(&letter.origin)
            .bind(to_i64(letter.position, "position")?)
            .bind(to_i64(letter.offset_bytes, "offset")?)
            .bind(&letter.reason)
            .bind(&letter.raw)
            .execute()
            .await?;
    }
    connection
        .statement("DELETE FROM dead_letters WHERE datasource = $1 AND number <= $2")
        .bind(datasource)
        .bind(to_i64(received.saturating_sub(keep_at_most), "dead letter number")?)
        .execute()
        .await?;
    totals(connection, datasource).await
}

/// Whether the letters of a log record are kept already.
pub(super) async fn is_kept(connection: &mut Connection, record: &LetterRecord) -> Result<bool> {
    let kept = connection
        .statement("SELECT sequence FROM dead_letter_logs WHERE log = $1")
        .bind(&*record.log)
        .fetch_optional()
        .await?;
    Ok(record.is_kept(kept.map_or(Ok(0), |row| row.u64("sequence"))?))
}

async fn note_kept(connection: &mut Connection, record: &LetterRecord) -> Result<()> {
    connection
        .statement(
            "INSERT INTO dead_letter_logs (log, sequence) VALUES ($1, $2) ON CONFLICT (log) \
         DO UPDATE SET sequence = excluded.sequence \
         WHERE excluded.sequence > dead_letter_logs.sequence",
        )
        .bind(&*record.log)
        .bind(to_i64(record.sequence, "log sequence")?)
        .execute()
        .await?;
    Ok(())
}

/// Those with a number above `after`, oldest first.
pub(super) async fn list(
    connection: &mut Connection,
    datasource: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredDeadLetter>> {
    let rows = connection
        .statement(
            "SELECT * FROM dead_letters WHERE datasource = $1 AND number > $2 \
             ORDER BY number LIMIT $3",
        )
        .bind(datasource)
        .bind(to_i64(after, "dead letter number")?)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all()
        .await?;
    rows.iter().map(convert::dead_letter).collect()
}

/// How many letters the datasource had.
pub(super) async fn totals(
    connection: &mut Connection,
    datasource: &str,
) -> Result<DeadLetterTotals> {
    let row = connection
        .statement(
            "SELECT coalesce((SELECT received FROM dead_letter_totals WHERE datasource = $1), 0) \
         AS received, (SELECT count(*) FROM dead_letters WHERE datasource = $1) AS kept",
        )
        .bind(datasource)
        .fetch_one()
        .await?;
    let (received, kept) = (row.u64("received")?, row.u64("kept")?);
    Ok(DeadLetterTotals { received, kept, dropped: received - kept })
}
