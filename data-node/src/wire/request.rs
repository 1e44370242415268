//! Requests as bytes: the header as JSON, then the query in its normal form.

use std::sync::Arc;
use std::time::Duration;

use henge_exec::{Extent, RankCut};
use henge_query::Query;
use henge_types::{Interval, SegmentId};
use serde::{Deserialize, Serialize};

use super::WireError;
use super::frame::{Kind, decode_as, encode};
use super::rank::Rank;
use crate::request::{QueryBudget, SegmentDescriptor, SegmentQuery};
use crate::running::QueryKey;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    cluster: String,
    query_id: String,
    query_number: u64,
    timeout_ms: u64,
    priority: i32,
    lane: Option<String>,
    memory_bytes: u64,
    disk_bytes: u64,
    buckets: u64,
    is_whole: bool,
    /// Brokers of earlier builds do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rank: Option<Rank>,
    segments: Vec<Segment>,
}

/// A segment and its visible part.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Segment {
    id: SegmentId,
    visible_start_ms: i64,
    visible_end_ms: i64,
}

impl From<&SegmentDescriptor> for Segment {
    fn from(descriptor: &SegmentDescriptor) -> Self {
        let SegmentDescriptor { id, visible } = descriptor;
        Self { id: id.clone(), visible_start_ms: visible.start_ms, visible_end_ms: visible.end_ms }
    }
}

impl From<Segment> for SegmentDescriptor {
    fn from(segment: Segment) -> Self {
        let Segment { id, visible_start_ms: start_ms, visible_end_ms: end_ms } = segment;
        Self { id, visible: Interval { start_ms, end_ms } }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancel {
    query_id: String,
}

/// Writes a request.
pub(super) fn encode_run(request: &SegmentQuery) -> Vec<u8> {
    let SegmentQuery {
        cluster,
        key: QueryKey { id, number },
        query,
        segments,
        timeout,
        priority,
        lane,
        budget: QueryBudget { memory_bytes, disk_bytes, buckets },
        extent,
        rank,
    } = request;
    let header = Header {
        cluster: cluster.to_string(),
        query_id: id.to_string(),
        query_number: *number,
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        priority: *priority,
        lane: lane.as_deref().map(str::to_owned),
        memory_bytes: *memory_bytes as u64,
        disk_bytes: *disk_bytes,
        buckets: *buckets as u64,
        is_whole: extent.is_whole(),
        rank: rank.as_ref().map(Rank::from),
        segments: segments.iter().map(Segment::from).collect(),
    };
    let header = serde_json::to_vec(&header).unwrap_or_default();
    encode(Kind::Run, &[&header, query.to_value().to_string().as_bytes()])
}

/// Reads a request.
pub(super) fn decode_run(bytes: &[u8]) -> Result<SegmentQuery, WireError> {
    let (header, rest) = decode_as(bytes, Kind::Run)?;
    let Header {
        cluster,
        query_id,
        query_number,
        timeout_ms,
        priority,
        lane,
        memory_bytes,
        disk_bytes,
        buckets,
        is_whole,
        rank,
        segments,
    } = serde_json::from_slice(header).map_err(|error| WireError::part("header", &error))?;
    let [query] = rest[..] else { return Err(WireError::Unexpected(Kind::Run)) };
    let query = Query::decode(query).map_err(|error| WireError::part("query", &error))?;
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok(SegmentQuery {
        cluster: cluster.into(),
        key: QueryKey { id: query_id.into(), number: query_number },
        query: Arc::new(query),
        segments: segments.into_iter().map(SegmentDescriptor::from).collect(),
        timeout: Duration::from_millis(timeout_ms),
        priority,
        lane: lane.map(Arc::from),
        budget: QueryBudget {
            memory_bytes: size(memory_bytes),
            disk_bytes,
            buckets: size(buckets),
        },
        extent: Extent::whole_if(is_whole),
        rank: rank.map(RankCut::from),
    })
}

/// Writes a cancellation.
pub(super) fn encode_cancel(query_id: &str) -> Vec<u8> {
    let cancel = Cancel { query_id: query_id.to_owned() };
    encode(Kind::Cancel, &[&serde_json::to_vec(&cancel).unwrap_or_default()])
}

/// Reads a cancellation: the query's id.
pub(super) fn decode_cancel(bytes: &[u8]) -> Result<String, WireError> {
    let (cancel, _) = decode_as(bytes, Kind::Cancel)?;
    let cancel: Cancel =
        serde_json::from_slice(cancel).map_err(|error| WireError::part("header", &error))?;
    Ok(cancel.query_id)
}
