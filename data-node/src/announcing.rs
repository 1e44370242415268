//! A node as other processes see it: they follow its announcements, which takes a moment, so whatever it
//! answers says how far these were.

use std::sync::Arc;

use async_trait::async_trait;
use henge_platform::discovery::ServerId;
use henge_platform::discovery::inventory::{InventoryVersion, LocalInventory};

use crate::error::NodeError;
use crate::node::DataNode;
use crate::reply::SegmentReply;
use crate::request::SegmentQuery;

/// A node of this process that is served to others.
#[derive(Debug)]
pub struct Announcing {
    node: Arc<dyn DataNode>,
    inventory: Arc<LocalInventory>,
}

impl Announcing {
    /// `node`, whose segments are announced in `inventory`.
    #[must_use]
    pub fn new(node: Arc<dyn DataNode>, inventory: Arc<LocalInventory>) -> Self {
        Self { node, inventory }
    }
}

#[async_trait]
impl DataNode for Announcing {
    fn server_id(&self) -> &ServerId {
        self.node.server_id()
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        // Before the work: what is announced while it lasts was not acknowledged before the query came.
        let inventory = Some(self.inventory.version());
        Ok(SegmentReply { inventory, ..self.node.run(request).await? })
    }

    async fn cancel(&self, query_id: &str) -> Result<(), NodeError> {
        self.node.cancel(query_id).await
    }

    async fn inventory(&self) -> Result<Option<InventoryVersion>, NodeError> {
        Ok(Some(self.inventory.version()))
    }
}
