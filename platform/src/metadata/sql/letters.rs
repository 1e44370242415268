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
    let kept = totals(connection, datasource).await?;
    if record.is_some_and(|record| record.is_kept(kept.log_sequence)) {
        return Ok(kept);
    }
    let log_sequence = record.map_or(0, |record| record.sequence);
    let row = connection.statement(
        "INSERT INTO dead_letter_totals (datasource, received, log_sequence) VALUES ($1, $2, $3) \
         ON CONFLICT (datasource) DO UPDATE \
         SET received = dead_letter_totals.received + excluded.received, log_sequence = CASE \
         WHEN excluded.log_sequence > dead_letter_totals.log_sequence \
         THEN excluded.log_sequence ELSE dead_letter_totals.log_sequence END RETURNING received",
    )
    .bind(datasource)
    .bind(to_i64(letters.len() as u64, "number of dead letters")?)
    .bind(to_i64(log_sequence, "log sequence")?)
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
         AS received, (SELECT count(*) FROM dead_letters WHERE datasource = $1) AS kept, \
         coalesce((SELECT log_sequence FROM dead_letter_totals WHERE datasource = $1), 0) \
         AS log_sequence",
        )
        .bind(datasource)
        .fetch_one()
        .await?;
    let (received, kept) = (row.u64("received")?, row.u64("kept")?);
    let log_sequence = row.u64("log_sequence")?;
    Ok(DeadLetterTotals { received, kept, dropped: received - kept, log_sequence })
}
