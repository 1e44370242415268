//! `/druid/coordinator/v1/loadstatus`: how much of what is used and to be loaded is served.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use henge_placement::rules::{RuleBook, Wanted};
use henge_platform::discovery::{DiscoverySnapshot, ServerKind};
use henge_platform::http::DruidError;
use henge_platform::metadata::PublishedSegment;
use henge_types::{Interval, SegmentId};
use serde_json::{Value, json};

use super::asked::Parameters;
use super::compute;
use super::served::{Segments, View, nothing};
use crate::Coordinator;
use crate::preview::{NodesByTier, copies, tier_name};

/// All datasources: percent that is served; segments that nobody serves with `?simple`; copies that tiers lack
/// with `?full`.
pub(super) async fn all(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Value>, DruidError> {
    let form = Form::of(&parameters);
    let status = Status::of(&coordinator).await?;
    compute(move || {
        let served = status.view.served(None);
        Json(status.shown(status.view.used.values(), &served, form))
    })
    .await
}

/// One datasource, the same; `?interval=` for the segments that share time with it.
pub(super) async fn one(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    let form = Form::of(&parameters);
    let within = parameters.interval("interval")?.unwrap_or(Interval::ETERNITY);
    let status = Status::of(&coordinator).await?;
    compute(move || {
        let used = crate::inventory::of_datasource(&status.view.used, &name);
        let used = used.map(|(_, segment)| segment);
        let mut asked = used.filter(|segment| segment.id.interval.overlaps(&within)).peekable();
        match asked.peek() {
            Some(_) => {
                let served = status.view.served(Some(&name));
                Json(status.shown(asked, &served, form)).into_response()
            }
            None => nothing(),
        }
    })
    .await
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Percent,
    Simple,
    Full { as_far_as_there_are_nodes: bool },
}

impl Form {
    fn of(parameters: &Parameters) -> Self {
        match () {
            () if parameters.has("simple") => Self::Simple,
            () if parameters.has("full") => {
                Self::Full { as_far_as_there_are_nodes: parameters.has("computeUsingClusterView") }
            }
            () => Self::Percent,
        }
    }
}

/// Of one datasource.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    to_be_loaded: u64,
    served_by_nobody: u64,
}

struct Status {
    view: View,
    book: RuleBook,
    nodes: NodesByTier,
    now_ms: i64,
}

impl Status {
    async fn of(coordinator: &Coordinator) -> Result<Self, DruidError> {
        let view = View::of(coordinator).await?;
        let book = coordinator.rules.book(coordinator.replicas()).await?.book;
        let nodes = nodes(&view.servers);
        Ok(Self { view, book, nodes, now_ms: coordinator.shared.clock.now_ms() })
    }

    fn shown<'s>(
        &self,
        used: impl Iterator<Item = &'s Arc<PublishedSegment>>,
        served: &Segments<'_>,
        form: Form,
    ) -> Value {
        match form {
            Form::Percent => {
                let percent = |counted: Counted| match counted.to_be_loaded {
                    0 => 100.0,
                    all => 100.0 * (all - counted.served_by_nobody) as f64 / all as f64,
                };
                let counted = self.counted(used, served).into_iter();
                json!(counted.map(|(name, of)| (name, percent(of))).collect::<BTreeMap<_, _>>())
            }
            Form::Simple => {
                let counted = self.counted(used, served).into_iter();
                let left = counted.map(|(name, of)| (name, of.served_by_nobody));
                json!(left.collect::<BTreeMap<_, _>>())
            }
            Form::Full { as_far_as_there_are_nodes } => {
                json!(self.missing(used, served, as_far_as_there_are_nodes))
            }
        }
    }

    fn wanted(&self, id: &SegmentId) -> Wanted {
        self.book.wanted(&id.datasource, id.interval, self.now_ms)
    }

    fn counted<'s>(
        &self,
        used: impl Iterator<Item = &'s Arc<PublishedSegment>>,
        served: &Segments<'_>,
    ) -> BTreeMap<Arc<str>, Counted> {
        let mut counted: BTreeMap<Arc<str>, Counted> = BTreeMap::new();
        for segment in used {
            let id = &segment.id;
            let of = counted.entry(Arc::clone(&id.datasource)).or_default();
            if copies(&self.wanted(id), &self.nodes).is_empty() {
                continue;
            }
            of.to_be_loaded += 1;
            of.served_by_nobody += u64::from(!served.contains_key(id));
        }
        counted
    }

    /// Copies that are asked for and not there, by tier and datasource.
    fn missing<'s>(
        &self,
        used: impl Iterator<Item = &'s Arc<PublishedSegment>>,
        served: &Segments<'_>,
        as_far_as_there_are_nodes: bool,
    ) -> BTreeMap<Arc<str>, BTreeMap<Arc<str>, u64>> {
        let mut missing: BTreeMap<Arc<str>, BTreeMap<Arc<str>, u64>> = BTreeMap::new();
        for segment in used {
            let id = &segment.id;
            for (tier, mut asked) in copies(&self.wanted(id), &self.nodes) {
                if as_far_as_there_are_nodes {
                    asked = asked.min(self.nodes.get(&tier).copied().unwrap_or(0));
                }
                let holders = served.get(id).into_iter().flat_map(|segment| &segment.holders);
                let of_tier = holders.filter(|holder| holder.is_historical && holder.tier == tier);
                let there = of_tier.count() as u64;
                let of_tier = missing.entry(tier).or_default();
                let lacks = of_tier.entry(Arc::clone(&id.datasource)).or_default();
                *lacks += u64::from(asked).saturating_sub(there);
            }
        }
        missing
    }
}

/// Historical nodes by tier.
fn nodes(view: &DiscoverySnapshot) -> NodesByTier {
    let mut nodes = NodesByTier::new();
    for server in view.servers.values() {
        if server.description.kind == ServerKind::Historical {
            *nodes.entry(tier_name(&server.description.tier)).or_default() += 1;
        }
    }
    nodes
}
