//! A source in memory whose stream does what a test says. Its positions are texts that do not sort as
//! they count, so that whoever compares them otherwise than it does is found out.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use henge_platform::metadata::Position;
use henge_realtime_node::{
    Delivery, Events, Message, Order, Positions, RealtimeError, Result, Source,
};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::stream::{Reader, Stream};
use crate::world::Gate;

/// Under what the positions are published.
pub(crate) const SOURCE: &str = "script";
/// Messages of one delivery, at most.
const DELIVERED: u64 = 3;

/// The stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct State {
    partitions: BTreeMap<String, Partition>,
    /// How far back the next deliveries begin.
    repeats: BTreeMap<String, u64>,
    failures: u32,
    is_ended: bool,
}

#[derive(Debug, Default)]
struct Partition {
    /// Deleted before these.
    first: u64,
    messages: Vec<String>,
}

/// The source.
#[derive(Debug)]
struct ScriptSource {
    script: Script,
    /// Messages delivered, by partition.
    read: Mutex<BTreeMap<String, u64>>,
    idle: watch::Sender<u64>,
    commits: Gate,
}

/// Behind so many messages.
pub(crate) fn position(messages: u64) -> Position {
    Position::from(&*format!("behind {messages}"))
}

fn number(position: &Position) -> u64 {
    let text = position.as_str().and_then(|text| text.strip_prefix("behind "));
    text.and_then(|text| text.parse().ok()).expect("a position of this source")
}

fn compare(a: &Position, b: &Position) -> Ordering {
    number(a).cmp(&number(b))
}

impl Script {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.send_modify(|count| *count += 1);
    }

    fn of(&self, partition: &str, change: impl FnOnce(&mut Partition)) {
        self.change(|state| change(state.partitions.entry(partition.to_owned()).or_default()));
    }
}

impl Stream for Script {
    fn open(&self) -> (Arc<dyn Source>, Reader) {
        let (idle, commits) = (watch::Sender::new(0), Gate::default());
        let reader = Reader { idle: idle.subscribe(), commits: commits.clone() };
        let (script, read) = (self.clone(), Mutex::default());
        (Arc::new(ScriptSource { script, read, idle, commits }), reader)
    }

    fn append(&self, partition: &str, messages: &[String]) {
        self.of(partition, |partition| partition.messages.extend_from_slice(messages));
    }

    fn repeat(&self, partition: &str, messages: u64) {
        self.change(|state| _ = state.repeats.insert(partition.to_owned(), messages));
    }

    fn delete_first(&self, partition: &str, messages: u64) {
        self.of(partition, |partition| partition.first += messages);
    }

    fn remake(&self, partition: &str) {
        self.of(partition, |partition| *partition = Partition::default());
    }

    fn fail_once(&self) {
        self.change(|state| state.failures += 1);
    }

    fn end(&self) {
        self.change(|state| state.is_ended = true);
    }

    fn version(&self) -> u64 {
        *self.changed.borrow()
    }
}

impl ScriptSource {
    /// What is there now, if anything is.
    fn take(&self) -> Result<Option<Delivery>> {
        let (mut state, mut read) = (self.script.state.lock(), self.read.lock());
        if state.failures > 0 {
            state.failures -= 1;
            return Err(RealtimeError::Unavailable("the stream is away".into()));
        }
        for (name, back) in std::mem::take(&mut state.repeats) {
            let read = read.entry(name).or_default();
            *read = read.saturating_sub(back);
        }
        for (name, Partition { first, messages }) in &state.partitions {
            let read = read.entry(name.clone()).or_default();
            let after = *first.max(read);
            let end = (after + DELIVERED).min(messages.len() as u64);
            if after >= end {
                continue;
            }
            *read = end;
            let message = |at: u64| Message {
                position: position(at + 1),
                body: messages[at as usize].clone().into(),
            };
            return Ok(Some(Delivery {
                partition: name.as_str().into(),
                after: Some(position(after)),
                events: Events::Messages((after..end).map(message).collect()),
            }));
        }
        Ok(None)
    }
}

#[async_trait]
impl Source for ScriptSource {
    fn id(&self) -> &str {
        SOURCE
    }

    fn beginning(&self) -> Position {
        position(0)
    }

    fn order(&self) -> Order {
        compare
    }

    async fn seek(&self, published: &Positions) -> Result<()> {
        let state = self.script.state.lock();
        let mut read = BTreeMap::new();
        for (partition, at) in published {
            let end = state.partitions.get(&**partition).map_or(0, |p| p.messages.len() as u64);
            if end < number(at) {
                return Err(RealtimeError::SourceRewound {
                    partition: partition.to_string(),
                    published: Box::new(at.clone()),
                    end: Box::new(position(end)),
                });
            }
            read.insert(partition.to_string(), number(at));
        }
        *self.read.lock() = read;
        Ok(())
    }

    async fn next(&self) -> Result<Option<Delivery>> {
        let mut changed = self.script.changed.subscribe();
        loop {
            let version = *changed.borrow_and_update();
            if let Some(delivery) = self.take()? {
                return Ok(Some(delivery));
            }
            self.idle.send_replace(version);
            if self.script.state.lock().is_ended {
                return Ok(None);
            }
            if changed.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn commit(&self, _: &Positions) -> Result<()> {
        self.commits.pass().await;
        Ok(())
    }
}
