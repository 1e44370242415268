//! The log of another node, which this one goes on with: its records become rows here as at a start, and are
//! published as the other node would have.

use std::sync::Arc;

use henge_platform::runtime::spawn;
use henge_platform::wal::Wal;
use tokio::sync::{mpsc, oneshot};

use super::PushDatasource;
use super::log::PushLog;
use super::log_source::LogSource;
use super::published::PublishedLog;
use super::replay::Replay;
use crate::error::Result;
use crate::ingest::halt::Halt;
use crate::ingest::handoff::Backlog;
use crate::ingest::intake::Intake;
use crate::ingest::reader::WAITING_COMMANDS;
use crate::ingest::source::Source;
use crate::ingest::writer::{Command, Stream, Writer};

/// A log of another node, all of whose records are queryable here.
#[derive(Debug)]
pub(crate) struct TakenLog {
    commands: mpsc::Sender<Command>,
    records: u64,
}

impl TakenLog {
    /// Replays a copy. Its keys are known to those who push into the datasource here.
    pub(crate) async fn replay(
        datasource: &PushDatasource,
        log: Arc<str>,
        wal: Wal,
        published: PublishedLog,
    ) -> Result<Self> {
        let (name, shared) = (&datasource.name, &datasource.shared);
        let schema = datasource.schema();
        let published = published.published().clone();
        let columns = published.columns(schema.version);
        let intake = Intake::knowing(Arc::clone(&schema), &shared.options.parse_limits, &columns)?;
        let known = Arc::clone(&intake.known);
        let intake = Arc::new(tokio::sync::Mutex::new(intake));
        let keys = &datasource.keys;
        let log_and_keys = (&PushLog::new(wal), keys);
        let replay = Replay::new((name, &log), shared, log_and_keys, &published, &intake).await;
        // Nobody pushes into it.
        let (_, receiver) = mpsc::channel(1);
        let source = LogSource::new(&log, log_and_keys.0.clone(), shared, replay, receiver);
        let source = Arc::new(source);
        let stream = Stream {
            datasource: Arc::clone(name),
            shared: Arc::clone(shared),
            source: source.clone(),
            newest: Arc::clone(&datasource.newest),
            halt: Halt::default(),
            backlog: Backlog::new(shared.options.backlog),
        };
        source.seek(&published.positions()).await?;
        let mut writer = Writer::new(stream.clone(), published, known);
        let mut records = 0;
        loop {
            match read_next(&source, &mut writer, &stream.halt).await {
                Ok(true) => records += 1,
                Ok(false) => break,
                Err(error) => {
                    // It may be tried again: what is announced so far must not be counted twice then.
                    stream.halt.supersede();
                    writer.let_go().await;
                    return Err(error);
                }
            }
        }
        let (commands, mut receiver) = mpsc::channel(WAITING_COMMANDS);
        spawn(async move { writer.run(&mut receiver).await });
        Ok(Self { commands, records })
    }

    /// How many records were not published.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Publishes all of it, and returns once it is; false when that ended before.
    pub(crate) async fn published(self) -> bool {
        let (done, published) = oneshot::channel();
        let close = Command::Close { done: Some(done) };
        self.commands.send(close).await.is_ok() && published.await.is_ok()
    }
}

/// False at the end.
async fn read_next(source: &LogSource, writer: &mut Writer, halt: &Halt) -> Result<bool> {
    let Some(delivery) = source.next_replayed().await? else { return Ok(false) };
    writer.take(delivery).await?;
    halt.check()?;
    Ok(true)
}
