//! Opening a datasource for pushes: its log, its parser and its writer.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::metadata::Document;
use henge_platform::runtime::{blocking, spawn};
use henge_platform::wal::{LogMark, Wal, WalOptions, log_identity};
use henge_query::ingest::Ack;
use parking_lot::RwLock;
use tokio::sync::{Semaphore, mpsc};

use super::PushDatasource;
use super::keys::PushKeys;
use super::log::PushLog;
use super::log_source::LogSource;
use super::log_state::{LogBody, LogState, OwnLog};
use super::published::PublishedLog;
use super::receipt::LoggedColumns;
use super::replay::Replay;
use super::replicate::Replication;
use crate::error::Result;
use crate::ingest::halt::Halt;
use crate::ingest::handoff::Backlog;
use crate::ingest::intake::Intake;
use crate::ingest::reader::WAITING_COMMANDS;
use crate::ingest::schema::parse_schema;
use crate::ingest::source::Source;
use crate::ingest::writer::{Stream, Writer};
use crate::shared::Shared;

impl PushDatasource {
    /// Accepts pushes under another version of the schema.
    pub(crate) async fn change_schema(&self, version: u64, json: &str) -> Result<()> {
        let mut intake = self.intake.lock().await;
        // Whoever read an earlier version may come later.
        if intake.schema.version < version {
            let schema = parse_schema(&self.shared, version, json).await?;
            // What was pushed before counts as it was promised then; no push is on its way now.
            self.copy_as(schema.data_schema.ack).await?;
            *intake = Intake::new(Arc::clone(&schema), &self.shared.options.parse_limits)?;
            *self.newest.write() = schema;
        }
        Ok(())
    }

    /// Copies the log to a second node from now on, or no longer.
    async fn copy_as(&self, ack: Ack) -> Result<()> {
        match (ack, self.wal.replication()) {
            (Ack::Replicated, None) => {
                let published = PublishedLog::of(&*self.shared.metadata, &self.log).await?;
                let node = &self.shared.options.node;
                let state = LogState::of(&*self.shared.metadata, &self.name, node).await?;
                self.replicate(state, published.position() + 1);
            }
            (Ack::Local, Some(replication)) => {
                replication.end().await?;
                self.wal.replicate(None);
            }
            (Ack::Replicated, Some(_)) | (Ack::Local, None) => {}
        }
        Ok(())
    }

    fn replicate(&self, state: LogState, needed_from: u64) {
        let wal = self.wal.wal.clone();
        let replication = Replication::start(&self.shared, wal, state, needed_from);
        self.wal.replicate(Some(replication));
    }

    /// Opens a datasource; what its log holds is queryable afterwards. `noted` are the marks of all logs
    /// as the metadata have them.
    pub(crate) async fn open(
        shared: Arc<Shared>,
        record: Document,
        noted: &BTreeMap<String, LogMark>,
    ) -> Result<Arc<Self>> {
        let name: Arc<str> = record.name.as_str().into();
        let schema = parse_schema(&shared, record.version, &record.body_json).await?;
        let state = LogState::of(&*shared.metadata, &name, &shared.options.node).await?;
        let own = OwnLog::in_state(&state);
        let log: Arc<str> = own.name.as_str().into();
        let published_log = PublishedLog::of(&*shared.metadata, &log).await?;
        let noted = noted.get(&own.name).copied();
        let wal = PushLog::new(open_wal(&shared, &own, &published_log, noted).await?);
        let keys = PushKeys::default();
        let published = published_log.published().clone();
        let columns = published.columns(schema.version);
        let limits = &shared.options.parse_limits;
        let intake = Intake::knowing(Arc::clone(&schema), limits, &columns)?;
        let known = Arc::clone(&intake.known);
        let intake = Arc::new(tokio::sync::Mutex::new(intake));
        let (pushes, receiver) = mpsc::channel(shared.options.max_waiting_pushes);
        let replay = Replay::new((&name, &log), &shared, (&wal, &keys), &published, &intake).await;
        let source = Arc::new(LogSource::new(&log, wal.clone(), &shared, replay, receiver));
        let ack = schema.data_schema.ack;
        let stream = Stream {
            datasource: Arc::clone(&name),
            shared: Arc::clone(&shared),
            source: source.clone(),
            newest: Arc::new(RwLock::new(schema)),
            halt: Halt::default(),
            backlog: Backlog::new(shared.options.backlog),
        };
        source.seek(&published.positions()).await?;
        let mut writer = Writer::new(stream.clone(), published, known);
        while let Some(delivery) = source.next_replayed().await? {
            writer.take(delivery).await?;
            stream.halt.check()?;
        }
        let (commands, mut receiver) = mpsc::channel(WAITING_COMMANDS);
        spawn(async move { writer.run(&mut receiver).await });
        let places = Arc::new(Semaphore::new(shared.options.max_waiting_pushes));
        let Stream { newest, halt, backlog, .. } = stream;
        let opened = Arc::new(Self {
            name,
            log,
            shared,
            wal,
            intake,
            newest,
            keys,
            owners: RwLock::default(),
            moving: Arc::default(),
            backlog,
            halt,
            logged: LoggedColumns::default(),
            pushes,
            commands,
            places,
            totals: Arc::default(),
        });
        match ack {
            Ack::Replicated => opened.replicate(state, published_log.position() + 1),
            // It was replicated when the node ended, and its copy is not written to any more.
            Ack::Local if state.body.copy.is_some() => opened.forget_copy(state).await?,
            Ack::Local => {}
        }
        Ok(opened)
    }

    async fn forget_copy(&self, state: LogState) -> Result<()> {
        let fence = self.shared.lease.fence()?;
        let body = LogBody { copy: None, ..state.body.clone() };
        state.change(&*self.shared.metadata, body, &fence).await?;
        Ok(())
    }
}

async fn open_wal(
    shared: &Arc<Shared>,
    own: &OwnLog,
    published: &PublishedLog,
    noted: Option<LogMark>,
) -> Result<Wal> {
    let directory = shared.options.wal_dir.join(&own.folder);
    let cluster_uuid = shared.metadata.cluster_uuid().await?;
    let options = WalOptions {
        minimum_next_sequence: published.position() + 1,
        published_of: published.last_record(),
        identity: log_identity(&cluster_uuid, &own.name),
        handles: shared.log_handles.clone(),
        marks: shared.log_marks.clone(),
        noted,
        ..shared.options.wal.clone()
    };
    let (wal, _) = blocking(move || Wal::open(&directory, options)).await??;
    Ok(wal)
}
