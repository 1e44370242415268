//! Who acts on the cluster, each with a random source of its own.

mod faults;
mod operator;
mod pusher;
mod querier;
mod replacer;

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;

use henge_platform::runtime::spawn;

use crate::cluster::{Cluster, REALTIMES};
use crate::model::Model;
use crate::tally::Tally;

pub(crate) use faults::FaultActor;
pub(crate) use operator::create_datasources;
pub(crate) use querier::{Question, ask};
pub(crate) use replacer::ask as ask_replaced;

/// What every actor has.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) model: Arc<Model>,
    pub(crate) tally: Arc<Tally>,
    /// True once the last scene is over: actors end what they are at.
    pub(crate) over: watch::Receiver<bool>,
    pub(crate) seed: u64,
}

impl Stage {
    fn random(&self, actor: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ actor)
    }

    fn is_over(&self) -> bool {
        *self.over.borrow()
    }
}

/// All actors but the faults.
pub(crate) fn start(stage: &Stage) -> Vec<tokio::task::JoinHandle<()>> {
    let mut actors = vec![
        spawn(operator::run(stage.clone())),
        spawn(replacer::replace(stage.clone())),
        spawn(replacer::read(stage.clone())),
    ];
    actors.extend((0..4).map(|number| spawn(pusher::run(stage.clone(), number))));
    actors.extend((0..2).map(|number| spawn(querier::run(stage.clone(), number))));
    actors
}

/// Any realtime node.
fn any_realtime(random: &mut StdRng) -> &'static str {
    REALTIMES[random.random_range(0..REALTIMES.len())].0
}

async fn pause(random: &mut StdRng, longest_ms: u64) {
    tokio::time::sleep(Duration::from_millis(random.random_range(1..=longest_ms))).await;
}
