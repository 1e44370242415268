//! Publishing until it is known whether it happened.

use std::time::Duration;

use henge_platform::metadata::{MetadataError, MetadataStore, PublishOutcome, PublishRequest};

use crate::error::{RealtimeError, Result};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Publishes. When the answer is lost, or the change is committed and its manifest is not in deep
/// storage yet, it asks until that is settled: neither may anything be tried again before, nor may
/// the log be cut or a task be called done. `unsettled` is told each time it has to be asked again.
///
/// # Errors
/// When it certainly did not happen.
pub(crate) async fn commit(
    metadata: &dyn MetadataStore,
    request: &PublishRequest,
    mut unsettled: impl FnMut(&MetadataError) + Send,
) -> Result<PublishOutcome> {
    let unknown = match metadata.publish(request).await {
        Err(error @ MetadataError::OutcomeUnknown { .. }) => error,
        outcome => return Ok(outcome?),
    };
    tracing::warn!(error = %unknown, "a publication is not settled yet, asking until it is");
    let outcome = settled(metadata, &request.transaction_id, &mut unsettled).await;
    outcome.ok_or_else(|| RealtimeError::Unavailable("the commit did not happen".into()))
}

/// The outcome of a transaction whose manifest is in deep storage; `None` when there was none. Asks
/// until that is known.
pub(crate) async fn settled(
    metadata: &dyn MetadataStore,
    transaction_id: &str,
    mut unsettled: impl FnMut(&MetadataError) + Send,
) -> Option<PublishOutcome> {
    let mut wait = FIRST_WAIT;
    loop {
        match metadata.publication(transaction_id).await {
            Ok(outcome) => return outcome,
            Err(error) => {
                tracing::warn!(%error, "a publication is not settled yet, asking again");
                unsettled(&error);
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}
