//! Keeping refused events where an operator can list them.

use henge_platform::metadata::DeadLetter;

use crate::Shared;
use crate::push::row_buffer::RejectedEvent;

/// Keeps refused events of one request. Their number is in the answer in any case; when the metadata
/// store is away, only their text is lost, which is logged.
pub async fn keep(
    shared: &Shared,
    datasource: &str,
    refused: &[RejectedEvent],
    origin: &str,
    received_ms: i64,
) {
    if refused.is_empty() {
        return;
    }
    let letters: Vec<DeadLetter> = refused
        .iter()
        .map(|event| DeadLetter {
            received_ms,
            origin: origin.to_owned(),
            position: event.position,
            offset_bytes: event.offset_bytes,
            reason: event.reason.clone(),
            raw: event.raw.clone(),
        })
        .collect();
    let keep_at_most = shared.options.dead_letters_kept;
    let kept = shared.metadata.append_dead_letters(datasource, &letters, keep_at_most).await;
    if let Err(error) = kept {
        tracing::error!(datasource, events = letters.len(), %error, "failed to keep dead letters");
    }
}
