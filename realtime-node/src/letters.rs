//! Keeping refused events where an operator can list them, whoever refused them.

use henge_platform::metadata::{DeadLetter, LetterRecord};

use crate::shared::Shared;

/// Keeps refused events; those of a log record once, however often it is replayed. Their number is in
/// the answer or the report in any case; when the metadata store is away, only their text is lost,
/// which is logged.
pub(crate) async fn keep(
    shared: &Shared,
    datasource: &str,
    letters: &[DeadLetter],
    record: Option<LetterRecord>,
) {
    if letters.is_empty() {
        return;
    }
    let keep_at_most = shared.options.dead_letters_kept;
    let kept = shared.metadata.append_dead_letters(datasource, letters, record, keep_at_most);
    match kept.await {
        Ok(_) => {
            let mut kept = shared.letters_kept.lock();
            *kept.entry(datasource.to_owned()).or_default() += letters.len() as u64;
        }
        Err(error) => {
            let letters = letters.len();
            tracing::error!(datasource, letters, %error, "failed to keep dead letters");
        }
    }
}
