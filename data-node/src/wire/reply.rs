//! Replies as bytes: the header as JSON, then partial results.

use henge_exec::{GroupedPartial, LeftOut, Partial};
use henge_platform::discovery::inventory::InventoryVersion;
use serde::{Deserialize, Serialize};

use super::WireError;
use super::frame::{Kind, decode_as, encode};
use super::inventory::At;
use super::rank::Bounds;
use super::request::Segment;
use crate::error::NodeError;
use crate::reply::{ReplyStats, SegmentReply};
use crate::request::SegmentDescriptor;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    missing: Vec<Segment>,
    /// Nodes of earlier builds do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answered: Option<u64>,
    /// Nodes of earlier builds do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inventory: Option<At>,
    /// Only where it was asked which groups are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_out: Option<Bounds>,
    stats: Stats,
    /// Partitions of groups follow in messages of their own.
    has_partitions: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    segments_scanned: u64,
    segments_cached: u64,
    segments_pruned: u64,
    rows_scanned: u64,
    spilled_bytes: u64,
    cpu_time_us: u64,
    queue_time_us: u64,
}

/// A reply that was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) partials: Vec<Partial>,
    pub(super) missing: Vec<SegmentDescriptor>,
    pub(super) answered_segments: Option<u64>,
    pub(super) inventory: Option<InventoryVersion>,
    pub(super) left_out: Option<LeftOut>,
    pub(super) stats: ReplyStats,
    pub(super) has_partitions: bool,
}

/// Writes a reply, but for its partitions.
///
/// # Errors
/// When a partial result still means something in its segment alone, which is a bug.
pub(super) fn encode_reply(reply: &SegmentReply) -> Result<Vec<u8>, NodeError> {
    let ReplyStats {
        segments_scanned,
        segments_cached,
        segments_pruned,
        rows_scanned,
        spilled_bytes,
        cpu_time_us,
        queue_time_us,
    } = reply.stats;
    let header = Header {
        missing: reply.missing.iter().map(Segment::from).collect(),
        answered: reply.answered_segments,
        inventory: reply.inventory.map(At::from),
        left_out: reply.left_out.map(Bounds::from),
        stats: Stats {
            segments_scanned,
            segments_cached,
            segments_pruned,
            rows_scanned,
            spilled_bytes,
            cpu_time_us,
            queue_time_us,
        },
        has_partitions: reply.partitions.is_some(),
    };
    let header = serde_json::to_vec(&header).unwrap_or_default();
    let partials: Vec<Vec<u8>> =
        reply.partials.iter().map(Partial::encode).collect::<Result<_, _>>()?;
    let parts: Vec<&[u8]> =
        std::iter::once(&header[..]).chain(partials.iter().map(Vec::as_slice)).collect();
    Ok(encode(Kind::Reply, &parts))
}

/// Reads a reply.
pub(super) fn decode_reply(bytes: &[u8]) -> Result<Read, WireError> {
    let (header, partials) = decode_as(bytes, Kind::Reply)?;
    let Header { missing, answered, inventory, left_out, stats, has_partitions } =
        serde_json::from_slice(header).map_err(|error| WireError::part("header", &error))?;
    let Stats {
        segments_scanned,
        segments_cached,
        segments_pruned,
        rows_scanned,
        spilled_bytes,
        cpu_time_us,
        queue_time_us,
    } = stats;
    let read = |bytes: &[u8]| {
        Partial::decode(bytes).map_err(|error| WireError::part("partial result", &error))
    };
    Ok(Read {
        partials: partials.into_iter().map(read).collect::<Result<_, _>>()?,
        missing: missing.into_iter().map(SegmentDescriptor::from).collect(),
        answered_segments: answered,
        inventory: inventory.map(InventoryVersion::from),
        left_out: left_out.map(LeftOut::from),
        stats: ReplyStats {
            segments_scanned,
            segments_cached,
            segments_pruned,
            rows_scanned,
            spilled_bytes,
            cpu_time_us,
            queue_time_us,
        },
        has_partitions,
    })
}

/// Writes a partition.
///
/// # Errors
/// As [`encode_reply`].
pub(super) fn encode_partition(groups: &GroupedPartial) -> Result<Vec<u8>, NodeError> {
    Ok(encode(Kind::Partition, &[&groups.encode()?]))
}

/// Reads a partition.
pub(super) fn decode_partition(bytes: &[u8]) -> Result<GroupedPartial, WireError> {
    let (groups, _) = decode_as(bytes, Kind::Partition)?;
    GroupedPartial::decode(groups).map_err(|error| WireError::part("partition", &error))
}

/// Says that nothing follows.
pub(super) fn encode_done() -> Vec<u8> {
    encode(Kind::Done, &[])
}
