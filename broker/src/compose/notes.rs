//! What is to be known of sub-queries beside their rows: which segments they lack, and whether all were
//! answered of one state of the cluster.

use std::sync::Arc;

use henge_data_node::SegmentDescriptor;
use henge_query::Query;
use serde_json::{Map, Value};

use super::limits::SubqueryLimits;
use crate::plan::Plan;
use crate::view::ClusterView;

/// Of all sub-queries that read segments.
#[derive(Debug)]
pub(super) struct Notes {
    pub(super) limits: SubqueryLimits,
    plans: Vec<(Arc<Query>, Plan)>,
    context: Map<String, Value>,
}

impl Notes {
    pub(super) fn new(limits: SubqueryLimits) -> Self {
        Self { limits, plans: Vec::new(), context: Map::new() }
    }

    /// A sub-query was answered by a plan, without some segments.
    pub(super) fn add(&mut self, query: Arc<Query>, plan: Plan, unreached: &[SegmentDescriptor]) {
        merge(&mut self.context, plan.response_context(unreached));
        self.plans.push((query, plan));
    }

    /// True when all sub-queries, and the query itself when it read segments after them, saw the same: what
    /// they read is still so on a later view.
    pub(super) fn is_of_one_time(&self, is_stored: bool, later: &ClusterView) -> bool {
        let readers = self.plans.len() + usize::from(is_stored);
        readers < 2 || !self.plans.iter().any(|(query, plan)| plan.is_outdated_by(query, later))
    }

    /// Adds what is to be told to what the answer says of itself.
    pub(super) fn tell(self, context: &mut Map<String, Value>) {
        merge(context, self.context);
    }
}

/// Lists become one, counts are added up.
fn merge(into: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        let sum = match (into.get_mut(&name), &value) {
            (Some(Value::Array(list)), Value::Array(others)) => {
                let is_new = |other: &&Value| !list.contains(*other);
                let more: Vec<Value> = others.iter().filter(is_new).cloned().collect();
                list.extend(more);
                continue;
            }
            (Some(Value::Number(one)), Value::Number(other)) => {
                one.as_u64().zip(other.as_u64()).map(|(one, other)| one + other)
            }
            _ => None,
        };
        into.insert(name, sum.map_or(value, Value::from));
    }
}
