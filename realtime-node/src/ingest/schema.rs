//! One version of a datasource's schema, in the forms that the parts of ingestion need.

use std::sync::Arc;

use henge_index::IndexSchema;
use henge_ingest::{ParseLimits, RowParser, index_schema};
use henge_query::ingest::DataSchema;

use crate::error::Result;
use crate::priority::PUSH_PRIORITY;
use crate::shared::Shared;

/// One version of a datasource's schema.
#[derive(Debug)]
pub(crate) struct DatasourceSchema {
    /// Counts the schemas of the datasource, from 1.
    pub(crate) version: u64,
    /// The schema.
    pub(crate) data_schema: Arc<DataSchema>,
    /// The columns of its indexes; discovered dimensions come on top.
    pub(crate) index_schema: IndexSchema,
}

impl DatasourceSchema {
    /// Parses a stored schema.
    ///
    /// # Errors
    /// When the stored schema is not valid (any more).
    pub(crate) fn parse(version: u64, schema_json: &str) -> Result<Self> {
        let data_schema = DataSchema::parse_stored(schema_json.as_bytes())?;
        let data_schema = Arc::new(data_schema);
        let parser = RowParser::new(Arc::clone(&data_schema), ParseLimits::default())?;
        let index_schema = index_schema(&data_schema, parser.dimensions());
        Ok(Self { version, data_schema, index_schema })
    }
}

/// A schema may have megabytes: it is parsed on a CPU thread.
pub(crate) async fn parse_schema(
    shared: &Shared,
    version: u64,
    json: &str,
) -> Result<Arc<DatasourceSchema>> {
    let json = json.to_owned();
    let work = move || DatasourceSchema::parse(version, &json);
    Ok(Arc::new(shared.ingest_pool.spawn(PUSH_PRIORITY, work).await??))
}
