//! Idempotency keys of pushes whose rows are not published yet. Published ones are in the metadata
//! store: both together answer a repeated push with what the first one got. A key stands for one
//! body: with another one it is refused.

use std::collections::HashMap;
use std::sync::Arc;

use henge_platform::runtime::watch;
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_128;

use crate::push::PushReply;

/// The outcome of a push that others may wait for: `None` while it is under way.
type Outcome = Option<Result<PushReply, Arc<str>>>;

/// Keys in flight or done, by key.
#[derive(Debug, Clone, Default)]
pub(crate) struct PushKeys {
    entries: Arc<Mutex<HashMap<Arc<str>, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    body_hash: u128,
    outcome: watch::Sender<Outcome>,
}

/// What is known of a key.
#[derive(Debug)]
pub(crate) enum KeyState {
    /// Never seen: the caller owns it now.
    New(OwnedKey),
    /// Another request with it and the same body is under way or done.
    Seen(watch::Receiver<Outcome>),
    /// It belongs to a request with another body.
    OtherBody,
}

/// Keeps a key until it is dropped: the key is in the metadata store then.
#[derive(Debug)]
pub(crate) struct HeldKey {
    keys: PushKeys,
    key: Arc<str>,
}

/// A key whose request is under way. Dropped before it is settled, it is free again, and those who
/// wait for it learn that they have to try again.
#[derive(Debug)]
pub(crate) struct OwnedKey {
    keys: PushKeys,
    key: Arc<str>,
    body_hash: u128,
    is_settled: bool,
}

impl PushKeys {
    /// Claims a key for a body.
    #[must_use]
    pub(crate) fn claim(&self, key: &Arc<str>, body: &[u8]) -> KeyState {
        let body_hash = xxh3_128(body);
        let mut entries = self.entries.lock();
        match entries.get(key) {
            Some(entry) if entry.body_hash != body_hash => KeyState::OtherBody,
            Some(entry) => KeyState::Seen(entry.outcome.subscribe()),
            None => {
                let outcome = watch::Sender::new(None);
                entries.insert(Arc::clone(key), Entry { body_hash, outcome });
                let (keys, key) = (self.clone(), Arc::clone(key));
                KeyState::New(OwnedKey { keys, key, body_hash, is_settled: false })
            }
        }
    }
}

impl OwnedKey {
    /// The key.
    #[must_use]
    pub(crate) fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The body's hash as the metadata store keeps it.
    #[must_use]
    pub(crate) fn body_hash(&self) -> String {
        format!("{:032x}", self.body_hash)
    }

    /// Keeps the answer of a push that succeeds.
    pub(crate) fn hold(&self) -> HeldKey {
        HeldKey { keys: self.keys.clone(), key: Arc::clone(&self.key) }
    }

    /// The push succeeded; its answer is kept until its [`HeldKey`] is dropped.
    pub(crate) fn finish(mut self, reply: PushReply) {
        self.is_settled = true;
        if let Some(entry) = self.keys.entries.lock().get(&self.key) {
            entry.outcome.send_replace(Some(Ok(reply)));
        }
    }

    /// The answer is in the metadata store already.
    pub(crate) fn answer(mut self, reply: PushReply) {
        self.settle(Ok(reply));
    }

    /// The push failed and may be tried again; those who waited for it learn why.
    pub(crate) fn abandon(mut self, reason: &str) {
        self.settle(Err(reason.into()));
    }

    fn settle(&mut self, outcome: Result<PushReply, Arc<str>>) {
        self.is_settled = true;
        if let Some(entry) = self.keys.entries.lock().remove(&self.key) {
            entry.outcome.send_replace(Some(outcome));
        }
    }
}

impl Drop for HeldKey {
    fn drop(&mut self) {
        self.keys.entries.lock().remove(&self.key);
    }
}

impl Drop for OwnedKey {
    fn drop(&mut self) {
        if !self.is_settled {
            self.settle(Err("it was given up".into()));
        }
    }
}

/// Waits for the first request with a key.
///
/// # Errors
/// With the reason the first request failed for.
pub(crate) async fn first_answer(
    mut receiver: watch::Receiver<Outcome>,
) -> Result<PushReply, Arc<str>> {
    loop {
        if let Some(outcome) = receiver.borrow_and_update().clone() {
            return outcome;
        }
        if receiver.changed().await.is_err() {
            return Err("the first request with this key was given up".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_stands_for_one_body_and_is_free_again_when_its_request_fails() {
        let keys = PushKeys::default();
        let key: Arc<str> = "k".into();
        let KeyState::New(first) = keys.claim(&key, b"a") else { panic!("new") };
        assert!(matches!(keys.claim(&key, b"b"), KeyState::OtherBody));
        let KeyState::Seen(waiting) = keys.claim(&key, b"a") else { panic!("seen") };
        drop(first);
        assert!(first_answer(waiting).await.is_err());
        let KeyState::New(second) = keys.claim(&key, b"b") else { panic!("new again") };
        let KeyState::Seen(waiting) = keys.claim(&key, b"b") else { panic!("seen") };
        let held = second.hold();
        second.finish(PushReply { accepted: 3, ..PushReply::default() });
        assert_eq!(first_answer(waiting).await.unwrap().accepted, 3);
        assert!(matches!(keys.claim(&key, b"a"), KeyState::OtherBody));
        drop(held);
        assert!(matches!(keys.claim(&key, b"a"), KeyState::New(_)));
    }
}
