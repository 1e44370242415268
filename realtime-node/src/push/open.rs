//! Opening a datasource for pushes: its log, its parser, its writer, and the replay of what was
//! acknowledged but not published before the process ended.

use std::sync::Arc;

use henge_platform::metadata::DatasourceRecord;
use henge_platform::runtime::MemoryAccount;
use henge_platform::wal::{Wal, WalOptions, WalRecord, log_identity};
use henge_query::ingest::DataSchema;
use parking_lot::RwLock;
use tokio::sync::{Semaphore, mpsc};

use crate::error::{RealtimeError, Result};
use crate::handoff::{Backlog, Handoff};
use crate::push::PushDatasource;
use crate::push::accept::{PUSH_PRIORITY, parse_body};
use crate::push::intake::Intake;
use crate::push::keys::PushKeys;
use crate::push::row_buffer::RowLimits;
use crate::push::schema::PushSchema;
use crate::push::writer::{Batch, Writer};
use crate::{RealtimeNode, Shared};

impl RealtimeNode {
    /// Opens a datasource that the metadata know; what its log holds is queryable afterwards.
    pub(crate) async fn open_datasource(
        &self,
        record: DatasourceRecord,
    ) -> Result<Arc<PushDatasource>> {
        let datasource = PushDatasource::open(Arc::clone(&self.shared), record).await?;
        self.datasources.write().insert(datasource.name.to_string(), Arc::clone(&datasource));
        Ok(datasource)
    }
}

impl RealtimeNode {
    /// Creates a datasource or changes its schema; gives the schema's version. Rows that are
    /// buffered under the old schema are handed off under it.
    ///
    /// # Errors
    /// When the schema cannot be used or the metadata store fails.
    pub async fn put_datasource(&self, schema: &DataSchema) -> Result<u64> {
        // Fails before anything is stored when the parser cannot work with the schema.
        let asked = schema.clone();
        let write = move || asked.to_value().to_string();
        let json = self.shared.ingest_pool.spawn(PUSH_PRIORITY, write).await?;
        parse_schema(&self.shared, 0, &json).await?;
        let _one_at_a_time = self.creating.lock().await;
        let name = &schema.data_source;
        let version = self.shared.metadata.put_datasource(name, &json).await?;
        let existing = self.datasources.read().get(name).cloned();
        match existing {
            Some(datasource) => datasource.change_schema(version, &json).await?,
            None => {
                let record = DatasourceRecord {
                    name: name.clone(),
                    schema_json: json,
                    schema_version: version,
                };
                self.open_datasource(record).await?;
            }
        }
        Ok(version)
    }
}

impl PushDatasource {
    async fn change_schema(&self, version: u64, json: &str) -> Result<()> {
        let mut intake = self.intake.lock().await;
        if intake.schema.version != version {
            let schema = parse_schema(&self.shared, version, json).await?;
            *intake = Intake::new(Arc::clone(&schema))?;
            *self.schema.write() = schema;
        }
        Ok(())
    }

    async fn open(shared: Arc<Shared>, record: DatasourceRecord) -> Result<Arc<Self>> {
        let name: Arc<str> = record.name.as_str().into();
        let schema = parse_schema(&shared, record.schema_version, &record.schema_json).await?;
        let source_id = Self::source_id(&name);
        let position = shared.metadata.source_position(&source_id).await?.unwrap_or(0);
        let wal = open_wal(&shared, &name, position).await?;
        let keys = PushKeys::default();
        let backlog = Backlog::default();
        let handoff = Handoff::start(
            Arc::clone(&name),
            Arc::clone(&shared),
            wal.clone(),
            keys.clone(),
            backlog.clone(),
        );
        let mut writer = Writer::new(
            Arc::clone(&name),
            Arc::clone(&shared),
            keys.clone(),
            Arc::clone(&schema),
            position,
            handoff,
        );
        let intake = replay(&shared, &mut writer, &wal, position, &schema).await?;
        let (commands, receiver) = mpsc::channel(shared.options.max_waiting_pushes);
        shared.index_memory.register(&name, &commands);
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
            commands,
            totals: Arc::default(),
        }))
    }
}

/// A schema may have megabytes: it is parsed on a CPU thread.
async fn parse_schema(shared: &Shared, version: u64, json: &str) -> Result<Arc<PushSchema>> {
    let json = json.to_owned();
    let work = move || PushSchema::parse(version, &json);
    Ok(Arc::new(shared.ingest_pool.spawn(PUSH_PRIORITY, work).await??))
}

async fn open_wal(shared: &Arc<Shared>, name: &Arc<str>, position: u64) -> Result<Wal> {
    let directory = PushDatasource::wal_dir(shared, name);
    let cluster_uuid = shared.metadata.cluster_uuid().await?;
    let options = WalOptions {
        minimum_next_sequence: position + 1,
        identity: log_identity(&cluster_uuid, name),
        handles: shared.log_handles.clone(),
        ..shared.options.wal.clone()
    };
    let opened = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&directory).map_err(RealtimeError::io(&directory))?;
        Ok::<_, RealtimeError>(Wal::open(&directory, options)?)
    });
    let (wal, _) =
        opened.await.map_err(|e| RealtimeError::Unavailable(format!("open log: {e}")))??;
    Ok(wal)
}

/// Adds everything after `position` to the writer. Gives an intake that knows the dimensions that
/// the replayed events brought, so that new events line up with the sinks.
async fn replay(
    shared: &Arc<Shared>,
    writer: &mut Writer,
    wal: &Wal,
    position: u64,
    newest: &Arc<PushSchema>,
) -> Result<Intake> {
    let mut records = wal.replay(position + 1);
    let mut intake = Intake::new(Arc::clone(newest))?;
    let mut replayed = 0_u64;
    while let Some(record) = next_record(&mut records).await? {
        if record.entry.schema_version != intake.schema.version {
            let version = record.entry.schema_version;
            intake = Intake::new(schema_version(shared, &writer.datasource, version).await?)?;
        }
        let (returned, batch) = parse_record(shared, intake, record).await?;
        intake = returned;
        if let Some(batch) = batch {
            replayed += batch.reply.accepted;
            writer.apply(batch).await;
        }
    }
    if replayed > 0 {
        tracing::info!(datasource = %writer.datasource, events = replayed, "replayed the log");
    }
    if intake.schema.version == newest.version {
        return Ok(intake);
    }
    Intake::new(Arc::clone(newest))
}

async fn next_record(records: &mut henge_platform::wal::Replay) -> Result<Option<WalRecord>> {
    // One file's worth of records is read at a time; blocking here delays nobody yet.
    tokio::task::block_in_place(|| records.next().transpose()).map_err(RealtimeError::from)
}

async fn schema_version(
    shared: &Shared,
    datasource: &str,
    version: u64,
) -> Result<Arc<PushSchema>> {
    let record = shared.metadata.get_datasource_version(datasource, version).await?;
    let record = record.ok_or_else(|| {
        RealtimeError::Unavailable(format!(
            "the log of '{datasource}' refers to schema version {version}, which is not in the metadata"
        ))
    })?;
    parse_schema(shared, version, &record.schema_json).await
}

async fn parse_record(
    shared: &Arc<Shared>,
    mut intake: Intake,
    record: WalRecord,
) -> Result<(Intake, Option<Batch>)> {
    // It fitted once, and nobody else asks for memory yet: what was acknowledged is not refused.
    let limits = RowLimits {
        max_chunks: shared.options.max_open_chunks,
        max_values: u64::MAX,
        account: MemoryAccount::unbounded(),
    };
    let work = move || {
        let entry = record.entry;
        let received_at_ms = entry.received_at_ms;
        let parsed = parse_body(&mut intake, &entry.payload, received_at_ms, limits);
        let batch = parsed.ok().map(|parsed| Batch {
            sequence: record.sequence,
            schema: Arc::clone(&intake.schema),
            known: Arc::clone(&intake.known),
            received_at_ms: entry.received_at_ms,
            key: entry.idempotency_key,
            buffer: parsed.buffer,
            reply: parsed.reply,
            live: None,
        });
        (intake, batch)
    };
    Ok(shared.ingest_pool.spawn(PUSH_PRIORITY, work).await?)
}
