//! The datasources of a node: made, changed, opened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::metadata::{DATASOURCE, Document};
use henge_platform::wal::LogMark;
use henge_query::ingest::DataSchema;

use super::RealtimeNode;
use super::schema_change::{self, PutSchema};
use crate::error::Result;
use crate::ingest::schema::parse_schema;
use crate::priority::PUSH_PRIORITY;
use crate::push::PushDatasource;

/// How long other nodes are waited for to take note of a schema. They look by themselves as often.
const PATIENCE: Duration = Duration::from_secs(1);

impl RealtimeNode {
    /// Opens a datasource that the metadata know, with what they have `noted` of the logs; what its log
    /// holds is queryable afterwards.
    pub(super) async fn open_datasource(
        &self,
        record: Document,
        noted: &BTreeMap<String, LogMark>,
    ) -> Result<Arc<PushDatasource>> {
        let datasource = PushDatasource::open(Arc::clone(&self.shared), record, noted).await?;
        self.datasources.write().insert(datasource.name.to_string(), Arc::clone(&datasource));
        Ok(datasource)
    }

    /// Creates a datasource or changes its schema. Rows that are buffered under the old schema are handed
    /// off under it. Other nodes take note before this returns, those that do not answer within a second
    /// soon after by themselves.
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
        let existing = self.known(name);
        let mut warnings = Vec::new();
        match existing {
            Some(datasource) => {
                warnings = schema_change::warnings(&datasource.schema().data_schema, schema);
                datasource.change_schema(version, &json).await?;
            }
            None => {
                let (kind, name) = (DATASOURCE.to_owned(), name.clone());
                let record = Document { kind, name, body_json: json, version };
                self.take_note(record).await?;
            }
        }
        self.tell_others().await;
        Ok(PutSchema { version, warnings })
    }

    async fn tell_others(&self) {
        let peers = &self.shared.peers;
        let others = peers.live().into_iter().filter(|peer| peer.node != self.shared.options.node);
        let ways = others.filter_map(|other| Some((peers.reach(&other.node)?, other.node)));
        let told = ways.map(|(peer, node)| async move {
            let told = tokio::time::timeout(PATIENCE, peer.refresh()).await;
            let error = match told {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("it did not answer within {} s", PATIENCE.as_secs()),
            };
            tracing::warn!(%node, %error, "a node was not told of a schema, and looks for it by itself");
        });
        futures::future::join_all(told).await;
    }
}
