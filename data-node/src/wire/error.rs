//! Errors as bytes: the code of their class, the message, and what it names.

use henge_types::{ErrorClass, SegmentId};
use serde::{Deserialize, Serialize};

use super::WireError;
use super::frame::{Kind, decode_as, encode};
use crate::error::{DamagedPlace, NodeError};

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Shown {
    Failed {
        code: String,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        segment: Option<SegmentId>,
        /// Of the segment; nodes of earlier builds do not say them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        column: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        block: Option<u64>,
    },
    Unavailable {
        server: String,
        reason: String,
    },
}

/// Writes an error.
pub(super) fn encode_error(error: &NodeError) -> Vec<u8> {
    let shown = match error.clone() {
        NodeError::Failed { class, message, place } => {
            let (segment, column, block) = match place.map(|place| *place) {
                Some(DamagedPlace { segment, column, block }) => (Some(segment), column, block),
                None => (None, None, None),
            };
            Shown::Failed { code: class.code().to_owned(), message, segment, column, block }
        }
        NodeError::Unavailable { server, reason } => Shown::Unavailable { server, reason },
    };
    encode(Kind::Error, &[&serde_json::to_vec(&shown).unwrap_or_default()])
}

/// Reads an error. A class that this build does not know is an internal one.
pub(super) fn decode_error(bytes: &[u8]) -> Result<NodeError, WireError> {
    let (shown, _) = decode_as(bytes, Kind::Error)?;
    let shown = serde_json::from_slice(shown).map_err(|error| WireError::part("error", &error))?;
    Ok(match shown {
        Shown::Failed { code, message, segment, column, block } => {
            let class = ErrorClass::of_code(&code).unwrap_or(ErrorClass::Internal);
            let place = segment.map(|segment| Box::new(DamagedPlace { segment, column, block }));
            NodeError::Failed { class, message, place }
        }
        Shown::Unavailable { server, reason } => NodeError::Unavailable { server, reason },
    })
}
