//! The data nodes that this broker reaches: those of its own process, which are connected once, and those
//! of others, which come and go with their announcements.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_data_node::{DataNode, DialNodes, NodeError};
use henge_platform::discovery::{ServerAddress, ServerId};
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use crate::Broker;
use crate::choose::Standing;
use crate::view::ClusterView;

/// Nodes by name.
#[derive(Debug)]
pub(crate) struct Nodes {
    connected: RwLock<BTreeMap<ServerId, Arc<dyn DataNode>>>,
    dial: Option<Arc<dyn DialNodes>>,
    dialed: Mutex<BTreeMap<ServerId, Dialed>>,
}

/// A node of another process.
#[derive(Debug)]
struct Dialed {
    address: Arc<str>,
    node: Arc<dyn DataNode>,
}

impl Nodes {
    /// None so far.
    #[must_use]
    pub(crate) fn dialed_by(dial: Option<Arc<dyn DialNodes>>) -> Self {
        Self { connected: RwLock::default(), dial, dialed: Mutex::default() }
    }

    /// A node of this process.
    pub(crate) fn connect(&self, node: Arc<dyn DataNode>) {
        self.connected.write().insert(node.server_id().clone(), node);
    }

    /// The node of this name, where the view says it is.
    ///
    /// # Errors
    /// `Unavailable` when it is not there, or cannot be reached from here.
    pub(crate) fn reach(
        &self,
        server: &ServerId,
        view: &ClusterView,
    ) -> Result<Arc<dyn DataNode>, NodeError> {
        let away = |reason: String| NodeError::Unavailable { server: server.to_string(), reason };
        let address = view.address_of(server);
        match (address, &self.dial) {
            (Some(ServerAddress::Network(address)), Some(dial)) => {
                self.dialed(server, address, &**dial)
            }
            (address, _) => self.connected.read().get(server).cloned().ok_or_else(|| {
                let address = address.cloned().unwrap_or_default();
                away(format!("it is {address}, and this broker is not connected to it"))
            }),
        }
    }

    /// The node at this address, the same one as before while it is there.
    fn dialed(
        &self,
        server: &ServerId,
        address: &Arc<str>,
        dial: &dyn DialNodes,
    ) -> Result<Arc<dyn DataNode>, NodeError> {
        let mut dialed = self.dialed.lock();
        if let Some(known) = dialed.get(server).filter(|known| known.address == *address) {
            return Ok(Arc::clone(&known.node));
        }
        let node = dial.dial(server, address)?;
        let of_server = Dialed { address: Arc::clone(address), node: Arc::clone(&node) };
        dialed.insert(server.clone(), of_server);
        Ok(node)
    }

    /// Lets go of nodes of other processes that left; calls to them that are on their way go on.
    pub(crate) fn keep(&self, view: &ClusterView) {
        self.dialed.lock().retain(|server, dialed| {
            let address = view.address_of(server);
            matches!(address, Some(ServerAddress::Network(now)) if *now == dialed.address)
        });
    }
}

impl Broker {
    /// What is known of nodes, as far as it matters to whom is asked.
    pub(crate) fn standing<'v>(
        &'v self,
        view: &'v ClusterView,
    ) -> impl Fn(&ServerId) -> Standing + use<'v> {
        let now = Instant::now();
        move |server| {
            let (is_suspect, load_level) = self.loads.of(server, now);
            let is_near = !self.zone.is_empty() && *view.zone_of(server) == *self.zone;
            Standing { is_suspect, is_near, load_level }
        }
    }
}
