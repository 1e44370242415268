//! What the metadata say of a node's log of a datasource, beside how much of it is published: which copy of
//! it counts, and which of its lives was taken over (ADR 31).

use std::sync::Arc;

use henge_platform::metadata::{Document, Fence, MetadataStore};
use henge_types::encode_path_component;
use serde::{Deserialize, Serialize};

use super::published::log_name;
use crate::error::{RealtimeError, Result};
use crate::repeat::{NextVersion, swap_until_known};

/// The logs of a node: documents of this kind, by datasource.
fn kind_of(node: &str) -> String {
    format!("push-log/{node}")
}

/// A log as the metadata know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogState {
    node: Arc<str>,
    pub(crate) datasource: Arc<str>,
    /// 0 when nothing was ever said of it.
    version: u64,
    pub(crate) body: LogBody,
}

/// What is said of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogBody {
    /// The life that the node writes to: 0 is the first; each time that one is taken over or given up
    /// the next begins, under a number that no other has.
    #[serde(default)]
    pub(crate) life: u64,
    /// The copy that has all records of that life that were answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) copy: Option<RecordedCopy>,
    /// Earlier lives that other nodes still publish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) taken: Vec<Taken>,
}

/// A copy that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordedCopy {
    /// The node that has it.
    pub(crate) follower: Arc<str>,
    /// Which of the attempts at one.
    pub(crate) attempt: u64,
}

/// An earlier life that another node goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Taken {
    /// Who.
    pub(crate) by: Arc<str>,
    /// From which copy.
    pub(crate) attempt: u64,
    /// The life.
    pub(crate) life: u64,
}

impl LogState {
    /// As the metadata have it.
    ///
    /// # Errors
    /// When they cannot be read, or were written by a newer version.
    pub(crate) async fn of(
        metadata: &dyn MetadataStore,
        datasource: &str,
        node: &str,
    ) -> Result<Self> {
        match metadata.get_document(&kind_of(node), datasource).await? {
            Some(document) => Self::read(node, document),
            None => Ok(Self {
                node: node.into(),
                datasource: datasource.into(),
                version: 0,
                body: LogBody::default(),
            }),
        }
    }

    /// All logs of a node of which anything was ever said.
    ///
    /// # Errors
    /// As [`LogState::of`].
    pub(crate) async fn all(metadata: &dyn MetadataStore, node: &str) -> Result<Vec<Self>> {
        let documents = metadata.list_documents(&kind_of(node)).await?;
        documents.into_iter().map(|document| Self::read(node, document)).collect()
    }

    fn read(node: &str, document: Document) -> Result<Self> {
        let Document { name, body_json, version, .. } = document;
        let body = serde_json::from_str(&body_json).map_err(|error| {
            RealtimeError::Unavailable(format!(
                "what the metadata say of the log of '{name}' at node '{node}' cannot be read ({error}): \
                 use the version that wrote it"
            ))
        })?;
        Ok(Self { node: node.into(), datasource: name.into(), version, body })
    }

    /// The name of the log in a life.
    #[must_use]
    pub(crate) fn name_in(&self, life: u64) -> String {
        match life {
            0 => log_name(&self.datasource, &self.node),
            // With the node's name also at the first node: names of lives are like no node's.
            life => format!("{}/{}/{life}", self.datasource, self.node),
        }
    }

    /// The name of the log that the node writes to.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        self.name_in(self.body.life)
    }

    /// Says something else of it, unless somebody did since it was read.
    ///
    /// # Errors
    /// When somebody did, or leads no more by the fence, or the metadata cannot be written.
    pub(crate) async fn change(
        &self,
        metadata: &dyn MetadataStore,
        body: LogBody,
        fence: &Fence,
    ) -> Result<Self> {
        let json = serde_json::to_string(&body).unwrap_or_default();
        let (kind, name, version) = (kind_of(&self.node), &self.datasource, self.version);
        let version = metadata.swap_document(&kind, name, version, &json, Some(fence)).await?;
        Ok(self.changed(version, body))
    }

    /// As [`change`](Self::change), and asks until it is known whether it happened.
    ///
    /// # Errors
    /// When it certainly did not.
    pub(crate) async fn change_until_known(
        &self,
        metadata: &dyn MetadataStore,
        body: LogBody,
        fence: &Fence,
    ) -> Result<Self> {
        let body_json = serde_json::to_string(&body).unwrap_or_default();
        let (kind, name, expected) = (kind_of(&self.node), &*self.datasource, self.version);
        let next = NextVersion { kind: &kind, name, expected, body_json: &body_json };
        let version = swap_until_known(metadata, next, fence).await?;
        Ok(self.changed(version, body))
    }

    fn changed(&self, version: u64, body: LogBody) -> Self {
        let (node, datasource) = (Arc::clone(&self.node), Arc::clone(&self.datasource));
        Self { node, datasource, version, body }
    }
}

/// The log that a node writes what is pushed into a datasource to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLog {
    /// Its name, by which the metadata know it.
    pub name: String,
    /// The name of its folder among the logs of the node.
    pub folder: String,
}

impl OwnLog {
    /// As the metadata have it.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn of(metadata: &dyn MetadataStore, datasource: &str, node: &str) -> Result<Self> {
        Ok(Self::in_state(&LogState::of(metadata, datasource, node).await?))
    }

    pub(crate) fn in_state(state: &LogState) -> Self {
        let folder = match state.body.life {
            0 => state.datasource.to_string(),
            life => format!("{}/{life}", state.datasource),
        };
        Self { name: state.name(), folder: encode_path_component(&folder) }
    }

    /// Whether a folder among the logs of a node is that of an earlier life of a datasource's log, which
    /// others went on with or an operator gave up. It is not read any more.
    #[must_use]
    pub fn is_earlier(&self, datasource: &str, folder: &str) -> bool {
        let first = encode_path_component(datasource);
        let later = encode_path_component(&format!("{datasource}/"));
        folder != self.folder && (folder == first || folder.starts_with(&later))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_document_of_a_log() {
        let body = LogBody {
            life: 7,
            copy: Some(RecordedCopy { follower: "b".into(), attempt: 3 }),
            taken: vec![Taken { by: "c".into(), attempt: 2, life: 0 }],
        };
        let json = r#"{"life":7,"copy":{"follower":"b","attempt":3},"taken":[{"by":"c","attempt":2,"life":0}]}"#;
        assert_eq!(serde_json::to_string(&body).unwrap(), json);
        assert_eq!(serde_json::from_str::<LogBody>(json).unwrap(), body);
        assert_eq!(serde_json::from_str::<LogBody>("{}").unwrap(), LogBody::default());
    }

    #[test]
    fn no_two_logs_share_a_name() {
        let state = |node: &str| LogState {
            node: node.into(),
            datasource: "d".into(),
            version: 0,
            body: LogBody::default(),
        };
        let names = [
            state("0").name_in(0),
            state("0").name_in(7),
            state("1").name_in(0),
            state("1").name_in(7),
        ];
        assert_eq!(names, ["d", "d/0/7", "d/1", "d/1/7"]);
    }
}
