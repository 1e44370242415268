//! What there is to query, in a few numbers for people.

use henge_types::Interval;

use crate::Broker;
use crate::error::Result;
use crate::view::TableView;

/// How much there is of a datasource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Its name.
    pub datasource: String,
    /// Published segments that are used.
    pub segments: usize,
    /// Segments whose rows are buffered.
    pub buffered: usize,
    /// Bytes of the published ones that somebody serves, each counted once.
    pub size_bytes: u64,
    /// The time of all of it.
    pub interval: Interval,
}

impl Broker {
    /// The datasources that have data, by name.
    ///
    /// # Errors
    /// When the metadata were never read.
    pub async fn holdings(&self) -> Result<Vec<Holding>> {
        let view = self.views.current().await?;
        let with_data = view.tables.iter().filter_map(|(name, table)| {
            let interval = table.span()?;
            let (segments, buffered) = (table.used.len(), table.buffered.len());
            let (datasource, size_bytes) = (name.to_string(), served_bytes(table));
            Some(Holding { datasource, segments, buffered, size_bytes, interval })
        });
        Ok(with_data.collect())
    }
}

fn served_bytes(table: &TableView) -> u64 {
    let replicas = table.used.keys().filter_map(|id| table.replicas.get(id));
    replicas.filter_map(|of| of.iter().map(|replica| replica.segment.size_bytes).max()).sum()
}
