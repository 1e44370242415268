//! Calls of the metadata whose answer may be lost.
//!
//! An error of the class `Unavailable` does not say that nothing was done. Here is what is right for changes
//! that may be asked for twice; what may not is found by comparing (`notes`, `task/queue`), or by its own
//! identity (`commit`).

use std::time::Duration;

use henge_platform::metadata::{Fence, MetadataError, MetadataStore};
use henge_types::ErrorClass;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long to wait before asking again: ever longer.
#[derive(Debug)]
pub(crate) struct Waits(Duration);

impl Waits {
    pub(crate) fn new() -> Self {
        Self(FIRST_WAIT)
    }

    /// Returns when it is time to ask again.
    pub(crate) async fn next(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
    }
}

/// True when what was asked for may have been done, or may still come about.
pub(crate) fn is_unknown(error: &MetadataError) -> bool {
    error.class() == ErrorClass::Unavailable
}

/// Asks until there is an answer: for reads, and for changes that are the same when they are made twice.
///
/// # Errors
/// When the store says that it does not do it.
pub(crate) async fn until_known<T, F>(mut call: impl FnMut() -> F) -> Result<T, MetadataError>
where
    F: Future<Output = Result<T, MetadataError>>,
{
    let mut waits = Waits::new();
    loop {
        match call().await {
            Err(error) if is_unknown(&error) => {
                tracing::warn!(%error, "the metadata do not answer, asking again");
                waits.next().await;
            }
            answer => return answer,
        }
    }
}

/// A document and the version that it is to take the place of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NextVersion<'a> {
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    pub(crate) expected: u64,
    pub(crate) body_json: &'a str,
}

/// Swaps a document, and asks until it is known whether that happened.
///
/// # Errors
/// As [`MetadataStore::swap_document`], when it certainly did not.
pub(crate) async fn swap_until_known(
    metadata: &dyn MetadataStore,
    next: NextVersion<'_>,
    fence: &Fence,
) -> Result<u64, MetadataError> {
    let NextVersion { kind, name, expected, body_json } = next;
    let (mut is_in_doubt, mut waits) = (false, Waits::new());
    let refused = loop {
        match metadata.swap_document(kind, name, expected, body_json, Some(fence)).await {
            Err(error) if is_unknown(&error) => {
                tracing::warn!(kind, name, %error, "it is not known whether a document changed, asking again");
                is_in_doubt = true;
                waits.next().await;
            }
            Err(error) if is_in_doubt => break error,
            known => return known,
        }
    };
    // Perhaps it was this one that changed it: versions are kept.
    let made = until_known(|| metadata.get_document_version(kind, name, expected + 1)).await?;
    match made {
        Some(document) if document.body_json == body_json => Ok(document.version),
        _ => Err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn f_19_what_is_not_known_is_asked_until_it_is() {
        let mut asked = 0;
        let answer = until_known(|| {
            asked += 1;
            let full = asked < 2;
            async move { if full { Err(MetadataError::Unavailable("disk full".into())) } else { Ok(7) } }
        });
        assert_eq!(answer.await.unwrap(), 7);
        assert_eq!(asked, 2);
        let wrong = until_known(|| async { Err::<(), _>(MetadataError::Invalid("x".into())) });
        assert!(wrong.await.is_err());
    }
}
