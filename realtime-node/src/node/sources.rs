//! Sources that are read into the datasources of a node, beside what is pushed.

use std::sync::Arc;

use super::RealtimeNode;
use crate::error::Result;
use crate::ingest::reader::SourceReader;
use crate::ingest::source::Source;

impl RealtimeNode {
    /// Reads a source into a datasource, behind what is published of it.
    ///
    /// # Errors
    /// `NotFound` without the datasource; `SourceRewound` when the source is not the one that was read;
    /// else when the metadata or the source cannot be reached.
    pub async fn read_source(
        &self,
        datasource: &str,
        source: Arc<dyn Source>,
    ) -> Result<SourceReader> {
        let known = self.datasource(datasource).await?;
        let (name, newest) = (Arc::clone(&known.name), Arc::clone(&known.newest));
        SourceReader::start(name, Arc::clone(&self.shared), source, newest).await
    }
}
