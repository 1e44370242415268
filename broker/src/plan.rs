//! Planning a query on one view: what it reads, who can answer, and what nobody can.

use std::collections::HashSet;
use std::sync::Arc;

use henge_data_node::SegmentDescriptor;
use henge_platform::discovery::Followed;
use henge_query::Query;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::Broker;
use crate::error::{BrokerError, Result};
use crate::results::AnswerId;
use crate::route;
use crate::running::Running;
use crate::uncovered::Uncovered;
use crate::view::{ClusterView, Unavailable};

/// What a view of the cluster has for a query.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) view: Arc<ClusterView>,
    /// How far other processes were followed at least when the view was taken.
    pub(crate) followed: Arc<Followed>,
    /// What is read: some server has each.
    pub(crate) segments: Vec<SegmentDescriptor>,
    /// What nobody serves: an answer lacks it that may be partial.
    pub(crate) missing: Vec<SegmentDescriptor>,
    /// Intervals without data, as far as they were asked for.
    pub(crate) uncovered: Uncovered,
    /// Names the answer when it is whole and over immutable data.
    pub(crate) id: Option<AnswerId>,
}

impl Plan {
    /// True when the query reads other segments on a newer view, or its answer would be marked on it.
    pub(crate) fn is_outdated_by(&self, query: &Query, view: &ClusterView) -> bool {
        if view.metadata.away.is_some() && self.view.metadata.away.is_none() {
            return true;
        }
        let is_same = |name: &&str| match (self.view.tables.get(*name), view.tables.get(*name)) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        let names = query.base().data_source.table_names();
        // Most often something else has changed.
        !names.iter().all(is_same) && read_by(query, &self.view) != read_by(query, view)
    }

    /// What the answer says of itself, without `unreached` either: nothing when it is whole and up to
    /// date, and the query asks nothing more.
    pub(crate) fn response_context(&self, unreached: &[SegmentDescriptor]) -> Map<String, Value> {
        let mut context = Map::new();
        let missing = [&self.missing[..], unreached].concat();
        if !missing.is_empty()
            && let Value::Object(missing) = Unavailable::of(&missing).to_json()
        {
            context.extend(missing);
        }
        context.extend(self.uncovered.to_json());
        if let Some(away) = &self.view.metadata.away {
            let age_ms = u64::try_from(away.since.elapsed().as_millis()).unwrap_or(u64::MAX);
            context.insert("metadataAway".into(), json!({ "sinceMs": age_ms }));
        }
        context
    }
}

impl Broker {
    /// Plans a query on the current view. What nobody serves is waited for as long as it is expected
    /// any moment: it was just published, or just lost its last server.
    ///
    /// # Errors
    /// `SegmentsUnavailable` when nobody serves what the query wants, unless it may be partial.
    pub(crate) async fn plan(&self, running: &Running, wants_id: bool) -> Result<Plan> {
        let followed = self.views.followed();
        let mut view = self.views.current().await?;
        if self.readiness.awaits_somebody() || view.lacks_a_holder() {
            view = self.views.as_of(running.arrived).await?;
        }
        self.nodes.keep(&view);
        let mut has_asked = false;
        loop {
            let (segments, missing) = wanted(running, &view);
            if missing.is_empty() {
                return Ok(self.whole(running, view, followed, segments, wants_id));
            }
            if !has_asked {
                view = self.views.as_of(Instant::now()).await?;
                has_asked = true;
                continue;
            }
            let deadline = awaited_until(&view, &missing);
            if self.views.is_outdated_before(&view, deadline).await {
                view = self.views.current().await?;
                continue;
            }
            if !running.query.base().context.return_partial_results {
                let unavailable = Unavailable::of(&missing).explained(|id| self.views.trouble(id));
                return Err(BrokerError::SegmentsUnavailable(unavailable));
            }
            let uncovered = Uncovered::of(&running.query, &view);
            return Ok(Plan { view, followed, segments, missing, uncovered, id: None });
        }
    }

    fn whole(
        &self,
        running: &Running,
        view: Arc<ClusterView>,
        followed: Arc<Followed>,
        segments: Vec<SegmentDescriptor>,
        wants_id: bool,
    ) -> Plan {
        let context = &running.query.base().context;
        let wants_id =
            wants_id || context.use_result_level_cache || context.populate_result_level_cache;
        // What is joined is no part of an id.
        let is_stored = running.query.base().data_source.is_stored();
        let wants_id = wants_id && is_stored && view.metadata.away.is_none();
        let id = wants_id
            .then(|| AnswerId::of(&running.query, running.shape, &view, &segments))
            .flatten();
        let uncovered = Uncovered::of(&running.query, &view);
        Plan { view, followed, segments, missing: Vec::new(), uncovered, id }
    }
}

/// What the query reads: what some server has, and what none has.
fn wanted(
    running: &Running,
    view: &ClusterView,
) -> (Vec<SegmentDescriptor>, Vec<SegmentDescriptor>) {
    let (mut served, mut missing) = (Vec::new(), Vec::new());
    for name in running.query.base().data_source.table_names() {
        let Some(table) = view.tables.get(name) else { continue };
        let segments = route::segments_of(&running.query, table);
        if table.lost.is_empty() {
            served.extend(segments);
            continue;
        }
        for segment in segments {
            let side = if table.is_served(&segment.id) { &mut served } else { &mut missing };
            side.push(segment);
        }
    }
    (served, missing)
}

/// The segments that the query reads on a view, whoever serves them.
fn read_by(query: &Query, view: &ClusterView) -> HashSet<SegmentDescriptor> {
    let names = query.base().data_source.table_names().into_iter();
    let tables = names.filter_map(|name| view.tables.get(name));
    tables.flat_map(|table| route::segments_of(query, table)).collect()
}

fn awaited_until(view: &ClusterView, missing: &[SegmentDescriptor]) -> Instant {
    let awaited = missing.iter().filter_map(|segment| {
        view.tables.get(&segment.id.datasource)?.lost.get(&segment.id).copied()
    });
    awaited.max().unwrap_or_else(Instant::now)
}
