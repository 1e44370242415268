//! Whose data folder it is: the node's name and a number that no other folder has. With the same number a
//! node that starts again has its lease at once; with another one its disk is a new one, and it waits until
//! the lease ran out.

use std::io::Read;
use std::path::Path;

use henge_platform::runtime::files::{RegularFile, create_dir_durably, write_atomically};
use henge_platform::runtime::random;
use serde::{Deserialize, Serialize};

use crate::error::{RealtimeError, Result};

const FILE: &str = "realtime-node.json";

/// What a data folder says of the node that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    node: String,
    folder: String,
}

impl Identity {
    /// That of a folder, which gets one when it has none. Blocks.
    ///
    /// # Errors
    /// When it is another node's, or cannot be read or written.
    pub(super) fn of(data_dir: &Path, node: &str) -> Result<Self> {
        if node.is_empty() || node.contains('/') {
            return Err(RealtimeError::Invalid(format!(
                "'{node}' cannot be the name of a node: use letters, digits, - and _"
            )));
        }
        let path = data_dir.join(FILE);
        let io_error = |error| RealtimeError::io(&path)(error);
        if !path.exists() {
            let made = Self { node: node.to_owned(), folder: format!("{:016x}", random::<u64>()) };
            create_dir_durably(data_dir).map_err(io_error)?;
            let json = serde_json::to_vec(&made).unwrap_or_default();
            write_atomically(&path, &json).map_err(io_error)?;
            return Ok(made);
        }
        let known = Self::read(&path)?;
        if known.node != node {
            return Err(RealtimeError::Invalid(format!(
                "the folder '{}' is that of the realtime node '{}', not of '{node}': give each node a \
                 folder of its own, and let it keep its name",
                data_dir.display(),
                known.node
            )));
        }
        Ok(known)
    }

    fn read(path: &Path) -> Result<Self> {
        let mut json = Vec::new();
        let mut file = RegularFile::open(path).map_err(RealtimeError::io(path))?;
        file.read_to_end(&mut json).map_err(RealtimeError::io(path))?;
        serde_json::from_slice(&json).map_err(|error| {
            RealtimeError::Unavailable(format!("'{}' cannot be read: {error}", path.display()))
        })
    }

    /// The name under which the node asks for leases.
    pub(super) fn holder(&self) -> String {
        format!("{}#{}", self.node, self.folder)
    }
}

/// The name of the realtime node that a data folder is of; `None` when it is of none so far. Blocks.
///
/// # Errors
/// When the folder says so in a way that cannot be read.
pub fn node_of_folder(data_dir: &Path) -> Result<Option<String>> {
    let path = data_dir.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(Identity::read(&path)?.node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_34_a_folder_keeps_its_node_and_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        assert_eq!(node_of_folder(&data_dir).unwrap(), None);
        let first = Identity::of(&data_dir, "a").unwrap();
        assert_eq!(node_of_folder(&data_dir).unwrap().as_deref(), Some("a"));
        assert_eq!(Identity::of(&data_dir, "a").unwrap().holder(), first.holder());
        let error = Identity::of(&data_dir, "b").unwrap_err().to_string();
        assert!(error.contains("realtime node 'a', not of 'b'"), "{error}");
        let other = Identity::of(&folder.path().join("other"), "a").unwrap();
        assert_ne!(other.holder(), first.holder());
    }
}
