//! Datasources that other nodes make or change.
//!
//! The metadata are asked for them once a second, and when somebody pushes into a datasource that is not
//! known. So a schema that was put at another node holds here a second later at the latest, as long as the
//! metadata answer; who cannot wait calls [`RealtimeNode::refresh`] before the push.

use std::sync::{Arc, Weak};
use std::time::Duration;

use henge_platform::metadata::{DATASOURCE, Document};

use super::RealtimeNode;
use crate::error::{RealtimeError, Result};
use crate::push::PushDatasource;

/// How often the metadata are asked.
const PERIOD: Duration = Duration::from_secs(1);

impl RealtimeNode {
    /// Takes note of all datasources as the metadata have them now: pushes that begin afterwards are read
    /// under these schemas or newer ones.
    ///
    /// # Errors
    /// When the metadata cannot be read, or a log cannot be opened.
    pub async fn refresh(&self) -> Result<()> {
        let _one_at_a_time = self.creating.lock().await;
        for record in self.shared.metadata.list_documents(DATASOURCE).await? {
            self.take_note(record).await?;
        }
        Ok(())
    }

    /// A datasource that takes pushes, also one that another node just made.
    ///
    /// # Errors
    /// `NotFound` when there is none; else as [`RealtimeNode::refresh`].
    pub(crate) async fn datasource(&self, name: &str) -> Result<Arc<PushDatasource>> {
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let _one_at_a_time = self.creating.lock().await;
        match self.shared.metadata.get_document(DATASOURCE, name).await? {
            Some(record) => self.take_note(record).await,
            None => Err(RealtimeError::NotFound(format!(
                "datasource '{}' takes no pushes: create it with PUT /v1/datasources/NAME and a \
                 dataSchema first",
                name.escape_debug()
            ))),
        }
    }

    /// A datasource as it is known here.
    pub(crate) fn known(&self, name: &str) -> Option<Arc<PushDatasource>> {
        self.datasources.read().get(name).cloned()
    }

    /// Opens a datasource or changes its schema; under the lock of those who make some.
    pub(super) async fn take_note(&self, record: Document) -> Result<Arc<PushDatasource>> {
        if let Some(known) = self.known(&record.name) {
            if known.schema().version < record.version {
                known.change_schema(record.version, &record.body_json).await?;
            }
            return Ok(known);
        }
        let noted = self.shared.metadata.log_marks().await?;
        let opened = self.open_datasource(record, &noted).await?;
        self.note_log_mark(&opened).await;
        Ok(opened)
    }
}

/// Takes note of what others do for as long as the node lives.
pub(super) async fn keep_fresh(node: Weak<RealtimeNode>) {
    let mut said = None;
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(node) = node.upgrade() else { return };
        let failure = node.refresh().await.err().map(|error| error.to_string());
        if failure != said
            && let Some(error) = &failure
        {
            tracing::warn!(%error, "datasources may have changed elsewhere, will look again");
        }
        said = failure;
    }
}
