//! Giving up records that a log lost, in the metadata.

use henge_platform::metadata::{MetadataStore, PublishRequest, SourceAdvance};
use henge_platform::runtime::random;

use crate::error::Result;
use crate::push::PushDatasource;
use crate::push::published::PublishedLog;

/// Forgets what was published of records behind the log's end: their sequences are given out again,
/// and new records would be taken for published. Only whoever gives the lost records up may do that.
///
/// # Errors
/// When the metadata cannot be read or written.
pub async fn forget_lost_records(
    metadata: &dyn MetadataStore,
    datasource: &str,
    last_record: u64,
) -> Result<()> {
    let source_id = PushDatasource::source_id(datasource);
    let source = metadata.source(&source_id).await?;
    let published = PublishedLog::read(source.map(|source| source.mark()).unwrap_or_default())?;
    let lost = published.last_record();
    if lost <= last_record {
        return Ok(());
    }
    let mut ahead = published.ahead().clone();
    ahead.forget_after(last_record);
    let kept = published.with_ahead(ahead);
    let request = PublishRequest {
        transaction_id: format!("{source_id}:lost:{lost}:{:x}", random::<u64>()),
        source: Some(SourceAdvance {
            source_id,
            expected: published.mark().clone(),
            next: kept.mark().clone(),
        }),
        ..PublishRequest::default()
    };
    metadata.publish(&request).await?;
    Ok(())
}
