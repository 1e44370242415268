//! How much of a log is published, in the numbers of its records.

use std::cmp::Ordering;

use henge_platform::metadata::{MetadataStore, Position, PublishRequest};
use henge_platform::runtime::random;

use crate::error::Result;
use crate::ingest::published::Published;
use crate::ingest::source::Positions;
use crate::options::FIRST_NODE;

/// The name of the log in which a node keeps what is pushed into a datasource: that of the datasource for the
/// first node, which was the only one once. Names of datasources hold no slash, so no two logs share one.
#[must_use]
pub(super) fn log_name(datasource: &str, node: &str) -> String {
    match node {
        FIRST_NODE => datasource.to_owned(),
        node => format!("{datasource}/{node}"),
    }
}

/// How much of a log, by its name, is published.
#[derive(Debug, Clone)]
pub struct PublishedLog {
    source_id: String,
    published: Published,
}

/// How the numbers of records compare.
pub(super) fn compare_records(a: &Position, b: &Position) -> Ordering {
    a.as_u64().cmp(&b.as_u64())
}

impl PublishedLog {
    /// A log has one partition.
    pub(super) const PARTITION: &str = "";

    /// The name under which a log's position is kept.
    pub(super) fn source_id(log: &str) -> String {
        format!("push:{log}")
    }

    /// The record that positions are at; 0 when nothing is published.
    pub(super) fn record_at(positions: &Positions) -> u64 {
        positions.get(Self::PARTITION).and_then(Position::as_u64).unwrap_or(0)
    }

    /// As the metadata have it.
    ///
    /// # Errors
    /// When the metadata fail, or what they say cannot be read: which rows are published already would
    /// not be known.
    pub async fn of(metadata: &dyn MetadataStore, log: &str) -> Result<Self> {
        let source_id = Self::source_id(log);
        let published = Published::read(compare_records, &metadata.source(&source_id).await?)?;
        Ok(Self { source_id, published })
    }

    /// All rows of records up to here are published.
    #[must_use]
    pub fn position(&self) -> u64 {
        Self::record_at(&self.published.positions())
    }

    /// The last record of which anything is published.
    #[must_use]
    pub fn last_record(&self) -> u64 {
        self.published.last(Self::PARTITION).and_then(Position::as_u64).unwrap_or(0)
    }

    pub(super) fn published(&self) -> &Published {
        &self.published
    }

    /// Forgets what was published of records behind the log's end: their sequences are given out again,
    /// and new records would be taken for published. Only whoever gives the lost records up may do that.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub async fn forget_after(&self, metadata: &dyn MetadataStore, last_record: u64) -> Result<()> {
        let lost = self.last_record();
        if lost <= last_record {
            return Ok(());
        }
        let mut kept = self.published.clone();
        kept.forget_after(Self::PARTITION, &last_record.into());
        let source_id = &self.source_id;
        let request = PublishRequest {
            transaction_id: format!("{source_id}:lost:{lost}:{:x}", random::<u64>()),
            source: self.published.advance(source_id, &kept)?,
            ..PublishRequest::default()
        };
        metadata.publish(&request).await?;
        Ok(())
    }
}
