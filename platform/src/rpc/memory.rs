//! A data node for tests: one closure answers for each segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use henge_exec::{ExecError, Partial};
use henge_types::SegmentId;
use parking_lot::RwLock;

use super::{DataNode, NodeError, ReplyStats, SegmentQuery, SegmentReply};
use crate::discovery::ServerId;

type Answer = Arc<dyn Fn(&SegmentQuery) -> Result<Partial, ExecError> + Send + Sync>;

/// Answers from closures, on the caller's thread.
pub struct MemoryDataNode {
    server_id: ServerId,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    answers: BTreeMap<SegmentId, Answer>,
    down: Option<String>,
}

impl MemoryDataNode {
    /// A node without segments.
    #[must_use]
    pub fn new(server_id: &str) -> Self {
        Self { server_id: Arc::from(server_id), state: RwLock::default() }
    }

    /// Serves a segment from now on.
    pub fn insert<F>(&self, id: SegmentId, answer: F)
    where
        F: Fn(&SegmentQuery) -> Result<Partial, ExecError> + Send + Sync + 'static,
    {
        self.state.write().answers.insert(id, Arc::new(answer));
    }

    /// Serves a segment no longer.
    pub fn remove(&self, id: &SegmentId) {
        self.state.write().answers.remove(id);
    }

    /// Makes every call fail with this reason, or lets calls succeed again.
    pub fn set_down(&self, reason: Option<&str>) {
        self.state.write().down = reason.map(str::to_owned);
    }

    fn answer(&self, id: &SegmentId) -> Result<Option<Answer>, NodeError> {
        let state = self.state.read();
        match &state.down {
            Some(reason) => Err(NodeError::Unavailable {
                server: self.server_id.to_string(),
                reason: reason.clone(),
            }),
            None => Ok(state.answers.get(id).cloned()),
        }
    }
}

impl std::fmt::Debug for MemoryDataNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryDataNode")
            .field("server_id", &self.server_id)
            .field("segments", &self.state.read().answers.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl DataNode for MemoryDataNode {
    fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let mut reply = SegmentReply::default();
        for descriptor in &request.segments {
            request.cancel.check()?;
            match self.answer(&descriptor.id)? {
                Some(answer) => {
                    reply.partials.push(answer(&request)?);
                    reply.stats += ReplyStats { segments_scanned: 1, ..ReplyStats::default() };
                }
                None => reply.missing.push(descriptor.clone()),
            }
        }
        Ok(reply)
    }
}
