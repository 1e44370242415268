//! How far announcements are, as bytes: a question without parts, and its answer.

use henge_platform::discovery::inventory::InventoryVersion;
use serde::{Deserialize, Serialize};

use super::WireError;
use super::frame::{Kind, decode_as, encode};

/// A version as it is written, here and in replies.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct At {
    incarnation: u64,
    version: u64,
}

impl From<InventoryVersion> for At {
    fn from(InventoryVersion { incarnation, version }: InventoryVersion) -> Self {
        Self { incarnation, version }
    }
}

impl From<At> for InventoryVersion {
    fn from(At { incarnation, version }: At) -> Self {
        Self { incarnation, version }
    }
}

/// Writes the question.
pub(super) fn encode_inventory() -> Vec<u8> {
    encode(Kind::Inventory, &[])
}

/// Writes the answer.
pub(super) fn encode_inventory_at(at: Option<InventoryVersion>) -> Vec<u8> {
    let at = serde_json::to_vec(&at.map(At::from)).unwrap_or_default();
    encode(Kind::InventoryAt, &[&at])
}

/// Reads the answer.
pub(super) fn decode_inventory_at(bytes: &[u8]) -> Result<Option<InventoryVersion>, WireError> {
    let (at, _) = decode_as(bytes, Kind::InventoryAt)?;
    let at: Option<At> =
        serde_json::from_slice(at).map_err(|error| WireError::part("version", &error))?;
    Ok(at.map(InventoryVersion::from))
}
