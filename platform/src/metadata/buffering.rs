//! Which servers may buffer rows (ADR 35). Each says so here before it takes the first, and goes on once no
//! broker answers that read the metadata before. Brokers that do not hear of such a server otherwise read
//! the metadata for every query, as its rows are noted there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Document, MetadataStore, Result};

/// The kind of the documents that say it, by the names of servers in discovery.
pub const BUFFERING_SERVER: &str = "buffering-server";
/// Brokers plan no query with what they read of the metadata longer ago than this.
pub const READ_WITHIN: Duration = Duration::from_secs(3);

/// Whether a server may buffer rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Buffering {
    /// It will: brokers may not have read so yet.
    Begins,
    /// All brokers have read that it may.
    Known,
    /// It does not, until it says so again.
    #[default]
    Ended,
}

/// What is said of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferingBody {
    /// Whether it may buffer rows.
    pub buffering: Buffering,
}

impl BufferingBody {
    /// What a document says. What a later version writes there counts as a server that may.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        serde_json::from_str(&document.body_json).unwrap_or(Self { buffering: Buffering::Known })
    }

    /// As the body of a document.
    #[must_use]
    pub fn to_json(self) -> String {
        serde_json::to_string(&self).unwrap_or_default()
    }
}

/// The names of all servers that may buffer rows.
///
/// # Errors
/// When the store cannot be read.
pub async fn buffering_servers(store: &dyn MetadataStore) -> Result<Vec<String>> {
    let documents = store.list_documents(BUFFERING_SERVER).await?;
    let may = |document: &Document| BufferingBody::of(document).buffering != Buffering::Ended;
    Ok(documents.into_iter().filter(may).map(|document| document.name).collect())
}

#[cfg(test)]
mod tests {
    use super::super::MemoryMetadataStore;
    use super::*;

    #[test]
    fn golden_documents_of_buffering_servers() {
        let all = [Buffering::Begins, Buffering::Known, Buffering::Ended];
        let json = all.map(|buffering| BufferingBody { buffering }.to_json());
        let golden =
            ["begins", "known", "ended"].map(|said| format!(r#"{{"buffering":"{said}"}}"#));
        assert_eq!(json, golden);
    }

    #[tokio::test]
    async fn servers_that_said_so_may_buffer_until_they_end_it() {
        let store = MemoryMetadataStore::default();
        for (name, body) in [
            ("realtime-a", r#"{"buffering":"begins"}"#),
            ("realtime-b", r#"{"buffering":"known"}"#),
            ("realtime-c", r#"{"buffering":"ended"}"#),
            ("realtime-d", r#"{"buffering":"of a later version"}"#),
        ] {
            store.put_document(BUFFERING_SERVER, name, body).await.unwrap();
        }
        let may = buffering_servers(&store).await.unwrap();
        assert_eq!(may, ["realtime-a", "realtime-b", "realtime-d"]);
    }
}
