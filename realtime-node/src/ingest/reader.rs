//! Reading a source for as long as somebody wants it, and anew when somebody else published from it.

use henge_platform::runtime::spawn;
use std::sync::Arc;

use henge_platform::runtime::watch;
use tokio::sync::{mpsc, oneshot};

use super::halt::{Halt, PartitionFailures};
use super::handoff::{Backlog, BacklogStatus};
use super::intake::Intake;
use super::published::Published;
use super::reading::NewestSchema;
use super::source::Source;
use super::writer::{Command, Ended, Stream, Writer};
use crate::error::Result;
use crate::shared::Shared;

/// Commands that may wait for a writer.
pub(crate) const WAITING_COMMANDS: usize = 16;

/// A source that is read into a datasource. Dropped, the reading ends, and what is not closed is let go:
/// it comes again when somebody reads on.
#[derive(Debug)]
pub struct SourceReader {
    commands: mpsc::Sender<Command>,
    life: Arc<watch::Sender<Life>>,
}

/// From an opening of the source to the next one.
#[derive(Debug, Clone)]
struct Life {
    halt: Halt,
    backlog: Backlog,
}

/// What outlives a life.
#[derive(Debug)]
struct Opener {
    datasource: Arc<str>,
    shared: Arc<Shared>,
    source: Arc<dyn Source>,
    newest: NewestSchema,
}

impl SourceReader {
    /// Begins to read behind what is published of the source.
    pub(crate) async fn start(
        datasource: Arc<str>,
        shared: Arc<Shared>,
        source: Arc<dyn Source>,
        newest: NewestSchema,
    ) -> Result<Self> {
        let opener = Opener { datasource, shared, source, newest };
        let (writer, first) = opener.open().await?;
        let life = Arc::new(watch::Sender::new(first));
        let (commands, receiver) = mpsc::channel(WAITING_COMMANDS);
        spawn(opener.keep_reading(writer, receiver, Arc::clone(&life)));
        Ok(Self { commands, life })
    }

    /// Hands off what is buffered and waits until it is published, or let go because somebody else
    /// published it.
    pub async fn flush(&self) {
        let (done, published) = oneshot::channel();
        if self.commands.send(Command::Close { done: Some(done) }).await.is_ok() {
            let _ = published.await;
        }
    }

    /// Why nothing more is read, if it is not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.life.borrow().halt.failure().map(|reason| reason.to_string())
    }

    /// Why nothing more is read of some partitions, while the others go on.
    #[must_use]
    pub fn partition_failures(&self) -> PartitionFailures {
        self.life.borrow().halt.partitions().borrow().clone()
    }

    /// Returns, with the reason, once nothing more is read of a partition.
    pub async fn partition_failed(&self, partition: &str) -> Arc<str> {
        let mut lives = self.life.subscribe();
        loop {
            let mut failures = lives.borrow_and_update().halt.partitions();
            tokio::select! {
                biased;
                Ok(failures) = failures.wait_for(|failures| failures.contains_key(partition)) => {
                    if let Some(reason) = failures.get(partition) {
                        return Arc::clone(reason);
                    }
                }
                _ = lives.changed() => {}
            }
        }
    }

    /// Returns, with the reason, once nothing more is read.
    pub async fn failed(&self) -> String {
        let mut lives = self.life.subscribe();
        loop {
            let halt = lives.borrow_and_update().halt.clone();
            tokio::select! {
                biased;
                reason = halt.failed() => return reason,
                _ = lives.changed() => {}
            }
        }
    }

    /// What waits to be handed off, and why it does not get on.
    #[must_use]
    pub fn backlog(&self) -> BacklogStatus {
        self.life.borrow().backlog.status()
    }
}

impl Opener {
    async fn open(&self) -> Result<(Writer, Life)> {
        let shared = &self.shared;
        let marks = shared.metadata.source(self.source.id()).await?;
        let published = Published::read(self.source.order(), &marks)?;
        self.source.seek(&published.positions()).await?;
        let schema = Arc::clone(&self.newest.read());
        let columns = published.columns(schema.version);
        let known = Intake::knowing(schema, &shared.options.parse_limits, &columns)?.known;
        let stream = Stream {
            datasource: Arc::clone(&self.datasource),
            shared: Arc::clone(shared),
            source: Arc::clone(&self.source),
            newest: Arc::clone(&self.newest),
            halt: Halt::default(),
            backlog: Backlog::new(shared.options.backlog),
        };
        let life = Life { halt: stream.halt.clone(), backlog: stream.backlog.clone() };
        Ok((Writer::new(stream, published, known), life))
    }

    async fn keep_reading(
        self,
        mut writer: Writer,
        mut commands: mpsc::Receiver<Command>,
        life: Arc<watch::Sender<Life>>,
    ) {
        while writer.run(&mut commands).await == Ended::Superseded {
            match self.open().await {
                Ok((next, opened)) => {
                    life.send_replace(opened);
                    writer = next;
                }
                Err(error) => {
                    tracing::error!(source = self.source.id(), %error, "no more is read of a source");
                    let halt = Halt::default();
                    halt.fail(&error.to_string());
                    life.send_modify(|life| life.halt = halt);
                    return;
                }
            }
        }
    }
}
