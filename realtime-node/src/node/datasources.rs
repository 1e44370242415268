//! The datasources of a node: made, changed, opened.

use std::sync::Arc;

use henge_platform::metadata::{DATASOURCE, Document};
use henge_platform::wal::LogMark;
use henge_query::ingest::DataSchema;

use super::RealtimeNode;
use super::schema_change::{self, PutSchema};
use crate::error::Result;
use crate::ingest::schema::parse_schema;
use crate::priority::PUSH_PRIORITY;
use crate::push::PushDatasource;

impl RealtimeNode {
    /// Opens a datasource that the metadata know, with what they have `noted` of its log; what the
    /// log holds is queryable afterwards.
    pub(super) async fn open_datasource(
        &self,
        record: Document,
        noted: Option<LogMark>,
    ) -> Result<Arc<PushDatasource>> {
        let datasource = PushDatasource::open(Arc::clone(&self.shared), record, noted).await?;
        self.datasources.write().insert(datasource.name.to_string(), Arc::clone(&datasource));
        Ok(datasource)
    }

    /// Creates a datasource or changes its schema. Rows that are
    /// buffered under the old schema are handed off under it.
    ///
    /// # Errors
    /// When the schema cannot be used or the metadata store fails.
    pub async fn put_datasource(&self, schema: &DataSchema) -> Result<PutSchema> {
        // Fails before anything is stored when the parser cannot work with the schema.
        let asked = schema.clone();
        let write = move || asked.to_value().to_string();
        let json = self.shared.ingest_pool.spawn(PUSH_PRIORITY, write).await?;
        parse_schema(&self.shared, 0, &json).await?;
        let _one_at_a_time = self.creating.lock().await;
        let name = &schema.data_source;
        let version = self.shared.metadata.put_document(DATASOURCE, name, &json).await?;
        let existing = self.datasources.read().get(name).cloned();
        let mut warnings = Vec::new();
        match existing {
            Some(datasource) => {
                warnings = schema_change::warnings(&datasource.schema().data_schema, schema);
                datasource.change_schema(version, &json).await?;
            }
            None => {
                let (kind, name) = (DATASOURCE.to_owned(), name.clone());
                let record = Document { kind, name, body_json: json, version };
                let datasource = self.open_datasource(record, None).await?;
                self.note_log_mark(&datasource).await;
            }
        }
        Ok(PutSchema { version, warnings })
    }
}
