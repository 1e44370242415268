//! Lookups of queries: reading and writing their content, and what a query takes along of them.
//!
//! A query has each lookup in the state that it had when the query was read, wherever it runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use henge_expr::{Expr, Lookup, Lookups};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_128;

use crate::datasource::DataSource;
use crate::filter::Filter;
use crate::having::Having;
use crate::post_aggregator::PostAggregator;
use crate::query::{GroupByQuery, Query};

/// Lookups by name.
#[derive(Debug, Default)]
pub struct LookupSet(BTreeMap<String, Arc<Lookup>>);

impl LookupSet {
    /// The same with one more.
    pub fn insert(&mut self, lookup: Arc<Lookup>) {
        self.0.insert(lookup.name.clone(), lookup);
    }
}

impl Lookups for LookupSet {
    fn find(&self, name: &str) -> Option<Arc<Lookup>> {
        self.0.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

/// A lookup of a JSON object; values that are no text are written as text, null ones are left out.
#[must_use]
pub fn lookup_of(name: &str, content: &Map<String, Value>) -> Lookup {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.as_str().into()),
        other => Some(other.to_string().into()),
    };
    let entries =
        content.iter().filter_map(|(key, value)| Some((key.as_str().into(), text(value)?)));
    let values: HashMap<Box<str>, Box<str>> = entries.collect();
    let sorted: BTreeMap<&str, &str> = values.iter().map(|(k, v)| (&**k, &**v)).collect();
    let fingerprint = xxh3_128(&serde_json::to_vec(&sorted).unwrap_or_default());
    Lookup::new(name, values, fingerprint)
}

impl Query {
    /// The lookups that its expressions read, those of sub-queries apart, by name.
    #[must_use]
    pub(crate) fn lookups(&self) -> BTreeMap<&str, &Arc<Lookup>> {
        let mut found = BTreeMap::new();
        self.for_each_expression(&mut |expression| {
            found.extend(expression.lookups().iter().map(|lookup| (lookup.name.as_str(), lookup)));
        });
        found
    }

    /// Visits the expressions of the query, those of its sub-queries apart.
    pub(crate) fn for_each_expression<'q>(&'q self, visit: &mut dyn FnMut(&'q Expr)) {
        let base = self.base();
        of_source(&base.data_source, visit);
        base.virtual_columns.iter().for_each(|column| visit(&column.expression));
        of_filter(base.filter.as_ref(), visit);
        if let Some(grouped) = self.grouped() {
            for spec in grouped.aggregations {
                spec.kind.expression().into_iter().for_each(&mut *visit);
                of_filter(spec.filter.as_ref(), visit);
            }
        }
        self.post_aggregations().iter().for_each(|post| of_post_aggregator(post, visit));
        if let Self::GroupBy(GroupByQuery { having: Some(having), .. }) = self {
            of_having(having, visit);
        }
    }
}

fn of_post_aggregator<'p>(post: &'p PostAggregator, visit: &mut dyn FnMut(&'p Expr)) {
    match post {
        PostAggregator::Expression { expression, .. } => visit(expression),
        PostAggregator::Arithmetic { fields, .. } | PostAggregator::Extreme { fields, .. } => {
            fields.iter().for_each(|field| of_post_aggregator(field, visit));
        }
        PostAggregator::SketchEstimate { field, .. }
        | PostAggregator::OfQuantiles { field, .. } => of_post_aggregator(field, visit),
        PostAggregator::Root { .. }
        | PostAggregator::FieldAccess { .. }
        | PostAggregator::FinalizingFieldAccess { .. }
        | PostAggregator::Constant { .. } => {}
    }
}

fn of_having<'h>(having: &'h Having, visit: &mut dyn FnMut(&'h Expr)) {
    match having {
        Having::Filter(filter) => of_filter(Some(filter), visit),
        Having::And(all) | Having::Or(all) => all.iter().for_each(|one| of_having(one, visit)),
        Having::Not(one) => of_having(one, visit),
        _ => {}
    }
}

fn of_filter<'f>(filter: Option<&'f Filter>, visit: &mut dyn FnMut(&'f Expr)) {
    if let Some(filter) = filter {
        filter.for_each_expression(visit);
    }
}

fn of_source<'d>(source: &'d DataSource, visit: &mut dyn FnMut(&'d Expr)) {
    match source {
        DataSource::Join(join) => {
            of_source(&join.left, visit);
            of_source(&join.right, visit);
            visit(&join.condition);
            of_filter(join.left_filter.as_ref(), visit);
        }
        DataSource::Unnest(unnest) => {
            of_source(&unnest.base, visit);
            visit(&unnest.column.expression);
            of_filter(unnest.filter.as_ref(), visit);
        }
        DataSource::Filtered(filtered) => {
            of_source(&filtered.base, visit);
            of_filter(Some(&filtered.filter), visit);
        }
        _ => {}
    }
}
