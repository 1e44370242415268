//! The columns that events brought to a datasource: with the schema, all that parsing depends on.

use henge_index::DimensionSchema;
use henge_ingest::{DiscoveredColumn, DiscoveredType, RowParser};
use serde::{Deserialize, Serialize};

/// What a parser knew after a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KnownColumns {
    /// The columns, in the order in which they came.
    pub discovered: Vec<DiscoveredColumn>,
    /// Their dimensions, to be added behind those of the schema.
    pub dimensions: Vec<DimensionSchema>,
}

impl KnownColumns {
    /// What a parser knows beyond the first `declared` dimensions, which its schema fixes.
    #[must_use]
    pub fn of(parser: &RowParser, declared: usize) -> Self {
        let dimensions = parser.dimensions().get(declared..).unwrap_or_default().to_vec();
        Self { discovered: parser.discovered(), dimensions }
    }

    /// As it is kept beside the committed position of the log: what reading on from there depends on.
    #[must_use]
    pub fn to_state(&self, schema_version: u64) -> String {
        let column =
            |column: &DiscoveredColumn| (column.name.clone(), column.discovered_type.code());
        let columns = self.discovered.iter().map(column).collect();
        serde_json::to_string(&State { schema_version, columns }).unwrap_or_default()
    }

    /// True when rows with these columns go where rows with the earlier ones are: the columns of
    /// both have the same types.
    #[must_use]
    pub fn extends(&self, earlier: &Self) -> bool {
        self.dimensions.starts_with(&earlier.dimensions)
    }
}

/// The stored form: types by their numbers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    schema_version: u64,
    columns: Vec<(String, u8)>,
}

/// The columns that a stored state tells for a version of the schema; none when it is of another
/// version, or was never written.
#[must_use]
pub fn columns_of_state(state: &str, schema_version: u64) -> Vec<DiscoveredColumn> {
    let state = serde_json::from_str::<State>(state).ok();
    let columns = state.filter(|state| state.schema_version == schema_version);
    let column = |(name, code)| {
        let discovered_type = DiscoveredType::from_code(code)?;
        Some(DiscoveredColumn { name, discovered_type })
    };
    columns.into_iter().flat_map(|state| state.columns).filter_map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_state_of_a_source() {
        let column =
            |name: &str, discovered_type| DiscoveredColumn { name: name.into(), discovered_type };
        let discovered =
            vec![column("a", DiscoveredType::Long), column("b\"", DiscoveredType::String)];
        let known = KnownColumns { discovered: discovered.clone(), dimensions: Vec::new() };
        let state = r#"{"schemaVersion":3,"columns":[["a",0],["b\"",3]]}"#;
        assert_eq!(known.to_state(3), state);
        assert_eq!(columns_of_state(state, 3), discovered);
        assert!(columns_of_state(state, 4).is_empty() && columns_of_state("", 0).is_empty());
    }
}
