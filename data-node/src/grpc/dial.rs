//! Channels to other processes: one an address, whatever it is used for.

use std::collections::HashMap;
use std::sync::Arc;

use henge_platform::discovery::ServerId;
use henge_platform::rpc::{ClusterKey, RpcError, RpcOptions, endpoint};
use parking_lot::Mutex;
use tonic::transport::Channel;

use super::client::{Place, connect};
use super::host::connect_host;
use crate::dial::{DialHosts, DialNodes};
use crate::error::NodeError;
use crate::host::{HostError, SegmentHost};
use crate::node::DataNode;
use crate::running::RunningQueries;

/// The processes of a cluster as this one reaches them.
#[derive(Debug)]
pub struct Dialer {
    key: ClusterKey,
    options: RpcOptions,
    running: Arc<RunningQueries>,
    /// By address. Few in a cluster, and those of processes that are gone hold no connection.
    channels: Mutex<HashMap<Arc<str>, Channel>>,
}

impl Dialer {
    /// Nothing is connected yet. `running` are the queries of this process.
    #[must_use]
    pub fn new(key: ClusterKey, options: RpcOptions, running: Arc<RunningQueries>) -> Self {
        Self { key, options, running, channels: Mutex::default() }
    }

    /// What this process is known by.
    #[must_use]
    pub fn key(&self) -> &ClusterKey {
        &self.key
    }

    /// The channel to an address; it connects when it is first used, and again whenever that was lost.
    ///
    /// # Errors
    /// When it is no address.
    pub fn channel(&self, address: &Arc<str>) -> Result<Channel, RpcError> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        let channel = endpoint(address, &self.options)?.connect_lazy();
        channels.insert(Arc::clone(address), channel.clone());
        Ok(channel)
    }
}

fn place(server: &ServerId, address: &Arc<str>) -> Place {
    Place { server: Arc::clone(server), address: Arc::clone(address) }
}

impl DialNodes for Dialer {
    fn dial(&self, server: &ServerId, address: &Arc<str>) -> Result<Arc<dyn DataNode>, NodeError> {
        let connected = self.channel(address).and_then(|channel| {
            connect(place(server, address), channel, &self.key, Arc::clone(&self.running))
        });
        match connected {
            Ok(node) => Ok(Arc::new(node)),
            Err(error) => Err(NodeError::Unavailable {
                server: server.to_string(),
                reason: error.to_string(),
            }),
        }
    }
}

impl DialHosts for Dialer {
    fn dial_host(
        &self,
        server: &ServerId,
        address: &Arc<str>,
    ) -> Result<Arc<dyn SegmentHost>, HostError> {
        let connected = self
            .channel(address)
            .and_then(|channel| connect_host(place(server, address), channel, &self.key));
        match connected {
            Ok(host) => Ok(Arc::new(host)),
            Err(error) => Err(HostError {
                server: server.to_string(),
                reason: error.to_string(),
                class: error.class(),
            }),
        }
    }
}
