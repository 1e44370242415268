//! How much of a datasource's log is published, as the metadata keep it: the position up to which all
//! is, what reading on from there depends on, and what is published beyond it.

use henge_ingest::{DiscoveredColumn, DiscoveredType};
use henge_platform::metadata::SourceMark;
use serde::{Deserialize, Serialize};

use crate::error::{RealtimeError, Result};
use crate::push::ahead::Ahead;
use crate::push::known::KnownColumns;

/// How much of a log is published.
#[derive(Debug, Clone, Default)]
pub struct PublishedLog {
    mark: SourceMark,
    state: State,
}

/// The stored form: types by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    /// The schema that the columns belong to.
    schema_version: u64,
    /// The columns that events had brought at the position.
    columns: Vec<(String, u8)>,
    #[serde(default, skip_serializing_if = "Ahead::is_empty")]
    ahead: Ahead,
}

impl PublishedLog {
    /// As the metadata have it.
    ///
    /// # Errors
    /// When it cannot be read: which rows are published already would not be known.
    pub fn read(mark: SourceMark) -> Result<Self> {
        if mark.state.is_empty() {
            return Ok(Self { mark, state: State::default() });
        }
        match serde_json::from_str(&mark.state) {
            Ok(state) => Ok(Self { mark, state }),
            Err(error) => Err(RealtimeError::Unavailable(format!(
                "what the metadata say of a log cannot be read ({error}): use the version that wrote it"
            ))),
        }
    }

    /// As the metadata have it.
    #[must_use]
    pub(crate) fn mark(&self) -> &SourceMark {
        &self.mark
    }

    /// All rows of records up to here are published.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.mark.position
    }

    /// The last record of which anything is published.
    #[must_use]
    pub fn last_record(&self) -> u64 {
        self.state.ahead.last_record().unwrap_or(0).max(self.mark.position)
    }

    /// What is published beyond the position.
    #[must_use]
    pub(crate) fn ahead(&self) -> &Ahead {
        &self.state.ahead
    }

    /// The columns that events had brought at the position to a version of the schema; none when
    /// they belong to another one.
    #[must_use]
    pub(crate) fn columns(&self, schema_version: u64) -> Vec<DiscoveredColumn> {
        let column = |(name, code): &(String, u8)| {
            let discovered_type = DiscoveredType::from_code(*code)?;
            Some(DiscoveredColumn { name: name.clone(), discovered_type })
        };
        let columns = self.state.columns.iter().filter_map(column);
        if self.state.schema_version == schema_version { columns.collect() } else { Vec::new() }
    }

    /// The same position, with something else beyond it.
    #[must_use]
    pub(crate) fn with_ahead(&self, ahead: Ahead) -> Self {
        Self::new(self.mark.position, State { ahead, ..self.state.clone() })
    }

    /// All is published up to a position, where these columns are known.
    #[must_use]
    pub(crate) fn at(
        position: u64,
        schema_version: u64,
        known: &KnownColumns,
        mut ahead: Ahead,
    ) -> Self {
        ahead.forget_up_to(position);
        let column =
            |column: &DiscoveredColumn| (column.name.clone(), column.discovered_type.code());
        let columns = known.discovered.iter().map(column).collect();
        Self::new(position, State { schema_version, columns, ahead })
    }

    fn new(position: u64, state: State) -> Self {
        let text = serde_json::to_string(&state).unwrap_or_default();
        Self { mark: SourceMark { position, state: text }, state }
    }
}

#[cfg(test)]
mod tests {
    use henge_types::Interval;

    use super::*;

    #[test]
    fn golden_state_of_a_log() {
        let column =
            |name: &str, discovered_type| DiscoveredColumn { name: name.into(), discovered_type };
        let discovered =
            vec![column("a", DiscoveredType::Long), column("b\"", DiscoveredType::String)];
        let known = KnownColumns { discovered: discovered.clone(), dimensions: Vec::new() };
        let published = PublishedLog::at(9, 3, &known, Ahead::default());
        let state = r#"{"schemaVersion":3,"columns":[["a",0],["b\"",3]]}"#;
        assert_eq!((published.position(), &*published.mark().state), (9, state));
        let mut ahead = Ahead::default();
        ahead.settle(9, 20, &[Interval { start_ms: -5, end_ms: 7 }]);
        let published = published.with_ahead(ahead.clone());
        let state =
            r#"{"schemaVersion":3,"columns":[["a",0],["b\"",3]],"ahead":[[9,20,[[-5,7]]]]}"#;
        assert_eq!((published.position(), &*published.mark().state), (9, state));
        let read = PublishedLog::read(published.mark().clone()).unwrap();
        assert_eq!((read.ahead(), read.columns(3)), (&ahead, discovered));
        assert!(read.columns(4).is_empty());
        assert!(PublishedLog::default().columns(0).is_empty());
        let broken = SourceMark { position: 1, state: state[1..].into() };
        assert!(PublishedLog::read(broken).is_err());
    }
}
