//! The columns that events brought to a datasource: with the schema, all that parsing depends on.

use henge_index::DimensionSchema;
use henge_ingest::{DiscoveredColumn, RowParser};

/// What a parser knew after a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownColumns {
    /// The columns, in the order in which they came.
    pub(crate) discovered: Vec<DiscoveredColumn>,
    /// Their dimensions, to be added behind those of the schema.
    pub(crate) dimensions: Vec<DimensionSchema>,
}

impl KnownColumns {
    /// What a parser knows beyond the first `declared` dimensions, which its schema fixes.
    #[must_use]
    pub(crate) fn of(parser: &RowParser, declared: usize) -> Self {
        let dimensions = parser.dimensions().get(declared..).unwrap_or_default().to_vec();
        Self { discovered: parser.discovered(), dimensions }
    }

    /// True when rows with these columns go where rows with the earlier ones are: the columns of
    /// both have the same types.
    #[must_use]
    pub(crate) fn extends(&self, earlier: &Self) -> bool {
        self.dimensions.starts_with(&earlier.dimensions)
    }
}
