//! Opening a datasource for pushes: its log, its parser and its writer.

use std::sync::Arc;

use henge_platform::metadata::DatasourceRecord;
use henge_platform::runtime::blocking;
use henge_platform::wal::{LogMark, Wal, WalOptions, log_identity};
use parking_lot::RwLock;
use tokio::sync::{Semaphore, mpsc};

use crate::error::Result;
use crate::handoff::{Backlog, Handoff};
use crate::priority::PUSH_PRIORITY;
use crate::push::PushDatasource;
use crate::push::feedback::Feedback;
use crate::push::generation::Generation;
use crate::push::intake::Intake;
use crate::push::keys::PushKeys;
use crate::push::published::PublishedLog;
use crate::push::replay::Start;
use crate::push::schema::PushSchema;
use crate::push::writer::Writer;
use crate::shared::Shared;

impl PushDatasource {
    /// Accepts pushes under another version of the schema.
    pub(crate) async fn change_schema(&self, version: u64, json: &str) -> Result<()> {
        let mut intake = self.intake.lock().await;
        if intake.schema.version != version {
            let schema = parse_schema(&self.shared, version, json).await?;
            *intake = Intake::new(Arc::clone(&schema), &self.shared.options.parse_limits)?;
            *self.schema.write() = schema;
        }
        Ok(())
    }

    /// Opens a datasource; what its log holds is queryable afterwards.
    pub(crate) async fn open(
        shared: Arc<Shared>,
        record: DatasourceRecord,
        noted: Option<LogMark>,
    ) -> Result<Arc<Self>> {
        let name: Arc<str> = record.name.as_str().into();
        let schema = parse_schema(&shared, record.schema_version, &record.schema_json).await?;
        let published = published_log(&shared, &name).await?;
        let wal = open_wal(&shared, &name, &published, noted).await?;
        let (keys, feedback) = (PushKeys::default(), Arc::<Feedback>::default());
        let backlog = Backlog::new(shared.options.backlog);
        let handoff = Handoff::start(
            Arc::clone(&name),
            Arc::clone(&shared),
            wal.clone(),
            keys.clone(),
            backlog.clone(),
            published.clone(),
        );
        let limits = shared.options.parse_limits.clone();
        let start = Start { published, newest: Arc::clone(&schema), limits, keys: keys.clone() };
        let intake = start.intake()?;
        let generation = Generation::new(
            Arc::clone(&schema),
            start.published.position(),
            Arc::clone(&intake.known),
            shared.index_memory.account(),
        );
        let mut writer = Writer::new(
            Arc::clone(&name),
            Arc::clone(&shared),
            wal.clone(),
            Arc::clone(&feedback),
            generation,
            handoff,
        );
        let intake = start.replay(&mut writer, intake).await?;
        let (commands, receiver) = mpsc::channel(shared.options.max_waiting_pushes);
        tokio::spawn(writer.run(receiver));
        Ok(Arc::new(Self {
            name,
            places: Arc::new(Semaphore::new(shared.options.max_waiting_pushes)),
            shared,
            wal,
            intake: Arc::new(tokio::sync::Mutex::new(intake)),
            schema: RwLock::new(schema),
            keys,
            backlog,
            feedback,
            commands,
            totals: Arc::default(),
        }))
    }
}

/// A schema may have megabytes: it is parsed on a CPU thread.
pub(crate) async fn parse_schema(
    shared: &Shared,
    version: u64,
    json: &str,
) -> Result<Arc<PushSchema>> {
    let json = json.to_owned();
    let work = move || PushSchema::parse(version, &json);
    Ok(Arc::new(shared.ingest_pool.spawn(PUSH_PRIORITY, work).await??))
}

/// How much of a datasource's log is published.
async fn published_log(shared: &Shared, name: &str) -> Result<PublishedLog> {
    let source = shared.metadata.source(&PushDatasource::source_id(name)).await?;
    PublishedLog::read(source.map(|source| source.mark()).unwrap_or_default())
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
