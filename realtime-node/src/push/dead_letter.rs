//! Keeping refused events where an operator can list them.

use crate::Shared;
use crate::push::refusals::Refusals;

/// Keeps refused events of one request. Their number is in the answer in any case; when the metadata
/// store is away, only their text is lost, which is logged.
pub async fn keep(
    shared: &Shared,
    datasource: &str,
    refused: Refusals,
    origin: &str,
    received_ms: i64,
) {
    let events = refused.count();
    if events == 0 {
        return;
    }
    let letters = refused.into_letters(origin, received_ms);
    let keep_at_most = shared.options.dead_letters_kept;
    let kept = shared.metadata.append_dead_letters(datasource, &letters, keep_at_most).await;
    if let Err(error) = kept {
        tracing::error!(datasource, events, %error, "failed to keep dead letters");
    }
}
