//! Idempotency keys of pushes whose rows are not published yet. Published ones are in the metadata
//! store: both together answer a repeated push with what the first one got.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::push::PushReply;

/// The outcome of a push that others may wait for: `None` while it is under way.
type Outcome = Option<Result<PushReply, Arc<str>>>;

/// Keys in flight or done, by key.
#[derive(Debug, Clone, Default)]
pub struct PushKeys {
    entries: Arc<Mutex<HashMap<Arc<str>, watch::Sender<Outcome>>>>,
}

/// What is known of a key.
#[derive(Debug)]
pub enum KeyState {
    /// Never seen: the caller now owns it and must call `finish` or `abandon`.
    New,
    /// Another request with it is under way or done.
    Seen(watch::Receiver<Outcome>),
}

impl PushKeys {
    /// Claims a key.
    #[must_use]
    pub fn claim(&self, key: &Arc<str>) -> KeyState {
        let mut entries = self.entries.lock();
        match entries.get(key) {
            Some(sender) => KeyState::Seen(sender.subscribe()),
            None => {
                entries.insert(Arc::clone(key), watch::Sender::new(None));
                KeyState::New
            }
        }
    }

    /// The push succeeded; its answer is kept until [`PushKeys::forget`].
    pub fn finish(&self, key: &Arc<str>, reply: PushReply) {
        let mut entries = self.entries.lock();
        let sender = entries.entry(Arc::clone(key)).or_insert_with(|| watch::Sender::new(None));
        sender.send_replace(Some(Ok(reply)));
    }

    /// The push failed and may be tried again; those who waited for it learn why.
    pub fn abandon(&self, key: &Arc<str>, reason: &str) {
        if let Some(sender) = self.entries.lock().remove(key) {
            sender.send_replace(Some(Err(reason.into())));
        }
    }

    /// The keys are in the metadata store now.
    pub fn forget<'a>(&self, keys: impl IntoIterator<Item = &'a str>) {
        let mut entries = self.entries.lock();
        for key in keys {
            entries.remove(key);
        }
    }
}

/// Waits for the first request with a key.
///
/// # Errors
/// With the reason the first request failed for.
pub async fn first_answer(mut receiver: watch::Receiver<Outcome>) -> Result<PushReply, Arc<str>> {
    loop {
        if let Some(outcome) = receiver.borrow_and_update().clone() {
            return outcome;
        }
        if receiver.changed().await.is_err() {
            return Err("the first request with this key was given up".into());
        }
    }
}
