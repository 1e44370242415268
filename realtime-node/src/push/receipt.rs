//! Whoever waits for a push: its client, and those who repeat it under the same key.

use std::sync::Arc;

use async_trait::async_trait;
use henge_platform::metadata::IdempotencyRecord;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::keys::OwnedKey;
use super::log::Durable;
use super::{ERRORS_IN_REPLY, PushReply};
use crate::error::Result;
use crate::ingest::known::KnownColumns;
use crate::ingest::refusals::Refusals;
use crate::ingest::source::{Receipt, Remembered};

/// The columns that a durable record told last; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct LoggedColumns(Arc<Mutex<Option<Arc<KnownColumns>>>>);

/// A request on its way to the index.
#[derive(Debug)]
pub(super) struct PushReceipt {
    pub(super) datasource: Arc<str>,
    pub(super) received_at_ms: i64,
    pub(super) reply: PushReply,
    pub(super) key: Option<OwnedKey>,
    /// `None` when it was read back from the log: it is durable and nobody waits for an answer.
    pub(super) live: Option<LiveRequest>,
}

/// A request whose client waits.
#[derive(Debug)]
pub(super) struct LiveRequest {
    pub(super) durable: Durable,
    /// The columns that its record tells.
    pub(super) tells: Option<(Arc<KnownColumns>, LoggedColumns)>,
    pub(super) done: oneshot::Sender<Result<PushReply>>,
}

impl LoggedColumns {
    /// Whether the log tells these columns, so that the next record need not.
    pub(super) fn tell(&self, known: &Arc<KnownColumns>) -> bool {
        let logged = self.0.lock();
        known.discovered.is_empty() || logged.as_ref().is_some_and(|last| Arc::ptr_eq(last, known))
    }
}

#[async_trait]
impl Receipt for PushReceipt {
    async fn certain(&mut self) {
        if let Some(live) = &mut self.live
            && live.durable.is_twice()
        {
            live.durable.known().await;
        }
    }

    async fn durable(&mut self) -> Result<()> {
        let Some(live) = &mut self.live else { return Ok(()) };
        live.durable.settled().await?;
        if let Some((known, logged)) = live.tells.take() {
            *logged.0.lock() = Some(known);
        }
        Ok(())
    }

    fn added(&mut self, refused: &Refusals) -> Option<Remembered> {
        let reply = &mut self.reply;
        reply.accepted -= refused.count();
        reply.rejected += refused.count();
        let room = ERRORS_IN_REPLY.saturating_sub(reply.errors.len());
        reply.errors.extend(refused.first(room));
        let key = self.key.as_ref()?;
        let record = IdempotencyRecord {
            datasource: self.datasource.to_string(),
            key: key.key().to_string(),
            response_json: serde_json::to_string(reply).unwrap_or_default(),
            created_ms: self.received_at_ms,
            body_hash: Some(key.body_hash()),
        };
        Some(Remembered { record, _until_published: Box::new(key.hold()) })
    }

    fn settle(self: Box<Self>, outcome: Result<()>) {
        let Self { reply, key, live, .. } = *self;
        match (&outcome, key) {
            (Ok(()), Some(key)) => key.finish(reply.clone()),
            (Err(error), Some(key)) => key.abandon(&error.to_string()),
            _ => {}
        }
        if let Some(live) = live {
            // The client may have gone away; what it sent is stored all the same.
            let _ = live.done.send(outcome.map(|()| reply));
        }
    }
}
