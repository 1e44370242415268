//! Keeping refused events where an operator can list them.

use henge_platform::metadata::LetterRecord;

use crate::push::refusals::Refusals;
use crate::shared::Shared;

/// Keeps refused events of one request; those of a log record once, however often
/// it is replayed. Their number is in the answer in any case; when the metadata store is away, only
/// their text is lost, which is logged.
pub(crate) async fn keep(
    shared: &Shared,
    datasource: &str,
    refused: Refusals,
    origin: &str,
    record: Option<LetterRecord>,
    received_ms: i64,
) {
    let events = refused.count();
    if events == 0 {
        return;
    }
    let letters = refused.into_letters(origin, received_ms);
    let keep_at_most = shared.options.dead_letters_kept;
    let kept = shared.metadata.append_dead_letters(datasource, &letters, record, keep_at_most);
    if let Err(error) = kept.await {
        tracing::error!(datasource, events, %error, "failed to keep dead letters");
    }
}
