//! Who is alive, as each process hears it: late, at second hand, and over ways that are cut not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::membership::Member;
use henge_platform::runtime::simulation::Process;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::network::Network;

/// What processes say of themselves.
#[derive(Debug)]
pub(crate) struct Gossip {
    network: Arc<Network>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: StdRng,
    members: BTreeMap<Arc<str>, (Process, Member)>,
    /// How much of it gets nowhere.
    lost: f64,
}

impl Gossip {
    pub(crate) fn new(seed: u64, network: Arc<Network>) -> Self {
        let random = StdRng::seed_from_u64(seed ^ 0x676f_7373);
        let state = State { random, members: BTreeMap::new(), lost: 0.0 };
        Self { network, state: Mutex::new(state) }
    }

    /// A process begins to say that it lives.
    pub(crate) fn join(&self, process: &Process, member: Member) {
        let name = Arc::clone(&member.node_id);
        self.state.lock().members.insert(name, (process.clone(), member));
    }

    /// A process that is dead says nothing any more.
    pub(crate) fn forget(&self, name: &str) {
        self.state.lock().members.remove(name);
    }

    /// From now on so much of it gets nowhere.
    pub(crate) fn set_lost(&self, lost: f64) {
        self.state.lock().lost = lost;
    }

    /// Whom a process hears of in one round.
    pub(crate) fn heard_by(&self, this: &str) -> Vec<Member> {
        let mut state = self.state.lock();
        let speaking = state.members.iter().filter(|(_, (process, _))| !process.is_paused());
        let names: Vec<Arc<str>> = speaking.map(|(name, _)| Arc::clone(name)).collect();
        let is_near = |from: &str, to: &str| from == to || !self.network.is_cut(from, to);
        let is_heard = |of: &str| {
            let via = |third: &Arc<str>| is_near(of, third) && is_near(third, this);
            is_near(of, this) || names.iter().any(via)
        };
        let heard: Vec<Arc<str>> = names.iter().filter(|name| is_heard(name)).cloned().collect();
        let lost = state.lost;
        let gets_there = |random: &mut StdRng| lost == 0.0 || !random.random_bool(lost);
        let mut members = Vec::new();
        for name in heard {
            let is_told = *name == *this || gets_there(&mut state.random);
            if let Some((_, member)) = state.members.get(&name).filter(|_| is_told) {
                members.push(member.clone());
            }
        }
        members
    }

    /// When the next round of a process is due, in milliseconds.
    pub(crate) fn next_round_ms(&self) -> u64 {
        self.state.lock().random.random_range(300..=700)
    }
}
