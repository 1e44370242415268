//! What is served, by segment: announcements of all data nodes, joined with what the metadata say.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use henge_platform::discovery::{AnnouncedSegment, DiscoverySnapshot, ServerId, ServerKind};
use henge_platform::http::DruidError;
use henge_platform::metadata::PublishedSegment;
use henge_types::SegmentId;
use serde::Serialize;

use super::compute;
use super::data_segment::{DataSegment, Writer};
use crate::Coordinator;
use crate::inventory::Used;
use crate::preview::tier_name;

/// All data nodes and the used segments, at one moment.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub servers: DiscoverySnapshot,
    pub used: Arc<Used>,
}

impl View {
    pub(super) async fn of(coordinator: &Coordinator) -> Result<Self, DruidError> {
        let used = coordinator.used_now().await?;
        Ok(Self { servers: coordinator.discovery.snapshot(), used })
    }

    /// The segments that some node serves, of one datasource or of all.
    pub(super) fn served(&self, datasource: Option<&str>) -> Segments<'_> {
        let mut served = Segments::new();
        for (name, server) in &self.servers.servers {
            let segments = server.segments.iter();
            let asked = segments.filter(|(id, _)| datasource.is_none_or(|d| *id.datasource == *d));
            for (id, announced) in asked {
                let holder = Holder {
                    server: name,
                    tier: tier_name(&server.description.tier),
                    is_historical: server.description.kind == ServerKind::Historical,
                };
                let segment = served.entry(id).or_insert_with(|| Served {
                    announced,
                    published: self.used.get(id),
                    holders: Vec::new(),
                });
                segment.holders.push(holder);
            }
        }
        served
    }
}

/// What is served, by segment.
pub(super) type Segments<'v> = BTreeMap<&'v SegmentId, Served<'v>>;

/// Shows what is served of a datasource, computed off the network's threads; nothing where nobody serves any.
pub(super) async fn of_datasource(
    coordinator: &Coordinator,
    name: String,
    show: impl FnOnce(&Segments<'_>) -> Result<Response, DruidError> + Send + 'static,
) -> Result<Response, DruidError> {
    let view = View::of(coordinator).await?;
    compute(move || {
        let served = view.served(Some(&name));
        if served.is_empty() { Ok(nothing()) } else { show(&served) }
    })
    .await?
}

/// Druid's answer about a datasource that nobody serves.
pub(super) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// A node that serves a segment.
#[derive(Debug, Clone)]
pub(super) struct Holder<'v> {
    pub server: &'v ServerId,
    pub tier: Arc<str>,
    pub is_historical: bool,
}

/// A segment that is served.
#[derive(Debug, Clone)]
pub(super) struct Served<'v> {
    announced: &'v AnnouncedSegment,
    /// `None` for what is not published, or not used any more.
    published: Option<&'v Arc<PublishedSegment>>,
    pub holders: Vec<Holder<'v>>,
}

impl Served<'_> {
    /// In deep storage, else on the node.
    pub(super) fn size_bytes(&self) -> u64 {
        self.published.map_or(self.announced.size_bytes, |segment| segment.size_bytes)
    }

    pub(super) fn written_by(&self, writer: &mut Writer) -> DataSegment {
        match self.published {
            Some(segment) => writer.published(segment),
            None => writer.announced(self.announced),
        }
    }

    pub(super) fn server_names(&self) -> Vec<ServerId> {
        self.holders.iter().map(|holder| Arc::clone(holder.server)).collect()
    }

    /// With the nodes that serve it.
    pub(super) fn with_servers(&self, writer: &mut Writer) -> Located {
        Located { metadata: self.written_by(writer), servers: self.server_names() }
    }
}

/// A segment and who serves it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Located {
    metadata: DataSegment,
    servers: Vec<ServerId>,
}

/// Bytes and segments of some part of the data.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Extent {
    size: u64,
    count: u64,
}

impl Extent {
    pub(super) fn add(&mut self, segment: &Served<'_>) {
        self.size += segment.size_bytes();
        self.count += 1;
    }
}
