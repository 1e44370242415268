//! Opening a datasource for pushes: its log, its parser and its writer.

use std::sync::Arc;

use henge_platform::metadata::Document;
use henge_platform::runtime::{blocking, spawn};
use henge_platform::wal::{LogMark, Wal, WalOptions, log_identity};
use parking_lot::RwLock;
use tokio::sync::{Semaphore, mpsc};

use super::PushDatasource;
use super::keys::PushKeys;
use super::log_source::LogSource;
use super::published::PublishedLog;
use super::receipt::LoggedColumns;
use super::replay::Replay;
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
        if intake.schema.version != version {
            let schema = parse_schema(&self.shared, version, json).await?;
            *intake = Intake::new(Arc::clone(&schema), &self.shared.options.parse_limits)?;
            *self.newest.write() = schema;
        }
        Ok(())
    }

    /// Opens a datasource; what its log holds is queryable afterwards.
    pub(crate) async fn open(
        shared: Arc<Shared>,
        record: Document,
        noted: Option<LogMark>,
    ) -> Result<Arc<Self>> {
        let name: Arc<str> = record.name.as_str().into();
        let schema = parse_schema(&shared, record.version, &record.body_json).await?;
        let log = PublishedLog::of(&*shared.metadata, &name).await?;
        let wal = open_wal(&shared, &name, &log, noted).await?;
        let keys = PushKeys::default();
        let published = log.published().clone();
        let columns = published.columns(schema.version);
        let limits = &shared.options.parse_limits;
        let intake = Intake::knowing(Arc::clone(&schema), limits, &columns)?;
        let known = Arc::clone(&intake.known);
        let intake = Arc::new(tokio::sync::Mutex::new(intake));
        let (pushes, receiver) = mpsc::channel(shared.options.max_waiting_pushes);
        let replay = Replay::new(&name, &shared, (&wal, &keys), &published, &intake).await;
        let source = Arc::new(LogSource::new(&name, wal.clone(), &shared, replay, receiver));
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
        let (logged, totals) = (LoggedColumns::default(), Arc::default());
        Ok(Arc::new(Self {
            name,
            shared,
            wal,
            intake,
            newest,
            keys,
            backlog,
            halt,
            logged,
            pushes,
            commands,
            places,
            totals,
        }))
    }
}

async fn open_wal(
    shared: &Arc<Shared>,
    name: &Arc<str>,
    published: &PublishedLog,
    noted: Option<LogMark>,
) -> Result<Wal> {
    let directory = PushDatasource::wal_dir(shared, name);
    let cluster_uuid = shared.metadata.cluster_uuid().await?;
    let options = WalOptions {
        minimum_next_sequence: published.position() + 1,
        published_of: published.last_record(),
        identity: log_identity(&cluster_uuid, name),
        handles: shared.log_handles.clone(),
        marks: shared.log_marks.clone(),
        noted,
        ..shared.options.wal.clone()
    };
    let (wal, _) = blocking(move || Wal::open(&directory, options)).await??;
    Ok(wal)
}
