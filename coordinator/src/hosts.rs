//! The hosts that can be told what to hold: those of this process, and those of others as they come and
//! go.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_data_node::{DialHosts, SegmentHost};
use henge_platform::discovery::{
    AnnouncedServer, DiscoverySnapshot, ServerAddress, ServerId, ServerKind,
};
use parking_lot::Mutex;

use crate::queue::HostQueue;
use crate::shared::Shared;
use crate::snapshot::{Announced, AwayServer, ServerState};

/// All hosts.
#[derive(Debug)]
pub(crate) struct Hosts {
    shared: Arc<Shared>,
    dial: Option<Arc<dyn DialHosts>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    here: BTreeMap<ServerId, Host>,
    away: BTreeMap<ServerId, Away>,
    /// When a host came or left, last.
    changed_ms: u64,
}

#[derive(Debug)]
struct Host {
    queue: Arc<HostQueue>,
    /// Where it is; `None` for one of this process, which does not leave.
    address: Option<Arc<str>>,
    server: AnnouncedServer,
    /// What it had before it restarted, and when that was seen.
    remembered: Announced,
    remembered_ms: u64,
}

#[derive(Debug)]
struct Away {
    server: AnnouncedServer,
    since_ms: u64,
}

impl Hosts {
    pub(crate) fn new(shared: Arc<Shared>, dial: Option<Arc<dyn DialHosts>>) -> Self {
        Self { shared, dial, state: Mutex::default() }
    }

    /// Adds a host of this process.
    pub(crate) fn connect(&self, host: Arc<dyn SegmentHost>) {
        let id = host.server_id().clone();
        let host = self.host(host, None);
        self.state.lock().here.insert(id, host);
    }

    /// Takes notice of who came, changed and left.
    pub(crate) fn follow(&self, view: &DiscoverySnapshot) {
        let now_ms = self.shared.clock.running_ms();
        let mut state = self.state.lock();
        for (id, server) in &view.servers {
            let ServerAddress::Network(address) = &server.description.address else { continue };
            let is_host = server.description.kind == ServerKind::Historical;
            let known = state.here.get(id).map(|host| host.address.clone());
            let is_known = known.is_some_and(|at| at.is_none_or(|at| at == *address));
            if is_host && !is_known {
                self.come(&mut state, id, address, now_ms);
            }
        }
        state.see(view, now_ms);
        state.let_go(view, now_ms);
        let grace_ms = self.shared.options.grace_ms;
        state.away.retain(|_, away| now_ms < away.since_ms + grace_ms);
        for host in state.here.values_mut() {
            if now_ms >= host.remembered_ms + grace_ms {
                host.remembered = Announced::default();
            }
        }
    }

    fn come(&self, state: &mut State, id: &ServerId, address: &Arc<str>, now_ms: u64) {
        let Some(dial) = &self.dial else { return };
        let host = match dial.dial_host(id, address) {
            Ok(host) => host,
            Err(error) => {
                tracing::warn!(%error, "cannot tell this node what to hold");
                return;
            }
        };
        let mut host = self.host(host, Some(Arc::clone(address)));
        // Whether it was away or moved, its disk may have what it had.
        let before = state.here.remove(id).map(|moved| {
            moved.queue.close();
            moved.server.segments
        });
        let before = before.or_else(|| state.away.remove(id).map(|away| away.server.segments));
        host.remembered = before.unwrap_or_default();
        host.remembered_ms = now_ms;
        tracing::info!(server = %id, %address, "a node that holds segments came");
        state.here.insert(id.clone(), host);
        state.changed_ms = now_ms;
    }

    fn host(&self, host: Arc<dyn SegmentHost>, address: Option<Arc<str>>) -> Host {
        Host {
            queue: HostQueue::new(host, Arc::clone(&self.shared)),
            address,
            server: AnnouncedServer::default(),
            remembered: Announced::default(),
            remembered_ms: 0,
        }
    }

    /// The queue of a host.
    pub(crate) fn queue(&self, id: &ServerId) -> Option<Arc<HostQueue>> {
        self.state.lock().here.get(id).map(|host| Arc::clone(&host.queue))
    }

    /// True when no host came or left within the grace.
    pub(crate) fn are_calm(&self) -> bool {
        let changed_ms = self.state.lock().changed_ms;
        changed_ms == 0
            || self.shared.clock.running_ms() >= changed_ms + self.shared.options.grace_ms
    }

    /// True when no host has anything to do.
    pub(crate) fn are_idle(&self) -> bool {
        self.state.lock().here.values().all(|host| host.queue.is_idle())
    }

    /// Those that are here, as a plan sees them.
    pub(crate) fn servers(&self) -> BTreeMap<ServerId, ServerState> {
        let now_ms = self.shared.clock.running_ms();
        let state = self.state.lock();
        let server = |host: &Host| {
            let under_way = host.queue.under_way(&host.server.segments, now_ms);
            let description = &host.server.description;
            // What older processes do not tell is theirs to refuse.
            let capacity_bytes = match description.capacity_bytes {
                0 => u64::MAX,
                told => told,
            };
            ServerState {
                tier: Arc::clone(&description.tier),
                zone: Arc::clone(&description.zone),
                capacity_bytes,
                loaded: Arc::clone(&host.server.segments),
                coming: under_way.coming,
                going: under_way.going,
                remembered: Arc::clone(&host.remembered),
                room_for_loads: under_way.room_for_loads,
                room_for_drops: under_way.room_for_drops,
            }
        };
        state.here.iter().map(|(id, host)| (id.clone(), server(host))).collect()
    }

    /// Those that left a short while ago.
    pub(crate) fn away(&self) -> BTreeMap<ServerId, AwayServer> {
        let away = |away: &Away| AwayServer {
            tier: Arc::clone(&away.server.description.tier),
            zone: Arc::clone(&away.server.description.zone),
            loaded: Arc::clone(&away.server.segments),
        };
        self.state.lock().away.iter().map(|(id, server)| (id.clone(), away(server))).collect()
    }
}

impl State {
    /// What the hosts announce.
    fn see(&mut self, view: &DiscoverySnapshot, now_ms: u64) {
        for (id, host) in &mut self.here {
            let Some(server) = view.servers.get(id) else { continue };
            if server.segments.is_empty() && !host.server.segments.is_empty() {
                host.remembered = Arc::clone(&host.server.segments);
                host.remembered_ms = now_ms;
            }
            host.server = server.clone();
        }
    }

    fn let_go(&mut self, view: &DiscoverySnapshot, now_ms: u64) {
        let is_gone =
            |host: &Host, id: &ServerId| host.address.is_some() && !view.servers.contains_key(id);
        let gone: Vec<ServerId> = self
            .here
            .iter()
            .filter(|(id, host)| is_gone(host, id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            let Some(host) = self.here.remove(&id) else { continue };
            host.queue.close();
            tracing::info!(server = %id, "a node that holds segments left");
            self.away.insert(id, Away { server: host.server, since_ms: now_ms });
            self.changed_ms = now_ms;
        }
    }
}
