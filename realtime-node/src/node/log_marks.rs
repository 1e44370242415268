//! How far the logs are durable, noted in the metadata as well: a data folder put back from an older copy
//! beside them has older marks, too.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use henge_platform::metadata::MetadataStore;
use henge_platform::wal::LogMark;

use super::RealtimeNode;
use crate::push::PushDatasource;

/// How often the marks are noted. What was pushed since then and not published is missing without a
/// word when logs and marks are put back together.
const PERIOD: Duration = Duration::from_secs(60);

impl RealtimeNode {
    /// Notes the marks of all logs in the metadata: now and then, and before an orderly end.
    pub async fn note_log_marks(&self) {
        let datasources: Vec<_> = self.datasources.read().values().cloned().collect();
        let marks = datasources.iter().filter_map(|datasource| datasource.mark());
        note(&*self.shared.metadata, marks.collect()).await;
    }

    /// Notes the mark of a log that was just made: one that is gone later is missed for certain.
    pub(crate) async fn note_log_mark(&self, datasource: &PushDatasource) {
        note(&*self.shared.metadata, datasource.mark().into_iter().collect()).await;
    }
}

impl PushDatasource {
    fn mark(&self) -> Option<(String, LogMark)> {
        Some((self.log.to_string(), self.wal.wal.mark()?))
    }
}

async fn note(metadata: &dyn MetadataStore, marks: BTreeMap<String, LogMark>) {
    if let Err(error) = metadata.note_log_marks(&marks).await {
        tracing::warn!(%error, "failed to note how far the logs are, will try again");
    }
}

/// Notes the marks for as long as the node lives.
pub(crate) async fn keep_noted(node: Weak<RealtimeNode>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(node) = node.upgrade() else { return };
        node.note_log_marks().await;
    }
}
