//! What of a request the cache knows, what need not be read, and what is.

use std::sync::Arc;

use henge_exec::{DerivedKeys, ExecContext, ExecError, Partial, SharedItem};
use henge_platform::runtime::mapped_damages;
use henge_query::Query;
use henge_segment::SegmentView;
use henge_types::Interval;

use super::DescriptorViews;
use crate::cache::{PartialCache, PartialCaching};
use crate::reply::ReplyStats;
use crate::request::SegmentQuery;

/// Segments by what is to be done about them.
#[derive(Default)]
pub(super) struct Sorted {
    /// What the cache knew.
    pub(super) known: Vec<Partial>,
    /// What is to be read.
    pub(super) items: Vec<SharedItem>,
    /// What that took.
    pub(super) stats: ReplyStats,
}

impl Sorted {
    /// Keys of the query that follow from others, in all that is to be read. What the cache knew may
    /// be of columns of other types.
    pub(super) fn derived_keys(&self, query: &Query) -> Result<Option<DerivedKeys>, ExecError> {
        if !self.known.is_empty() {
            return Ok(None);
        }
        let views: Vec<_> = self.items.iter().map(|item| item.view.as_ref()).collect();
        DerivedKeys::of(query, &views)
    }

    /// The same without these keys.
    pub(super) fn without(mut self, derived: &DerivedKeys) -> Self {
        for item in &mut self.items {
            item.query = derived.without(&item.query);
            item.whole = item.whole.take().map(|whole| {
                let derived = derived.clone();
                Box::new(move |partial: &Partial| {
                    // What cannot be completed fails when it is answered with.
                    if let Ok(all) = derived.complete(partial.clone(), &ExecContext::default()) {
                        whole(&all);
                    }
                }) as _
            });
        }
        self
    }
}

/// Looks up what is known and leaves out what the query does not meet.
pub(super) fn sort(
    partials: Option<&Arc<dyn PartialCache>>,
    request: &SegmentQuery,
    found: Vec<DescriptorViews>,
) -> Sorted {
    let mut sorted = Sorted::default();
    let caching = PartialCaching::of(partials, &request.query).map(Arc::new);
    let damages = mapped_damages();
    for (descriptor, views) in found {
        if let Some(partial) = caching.as_ref().and_then(|caching| caching.get(&descriptor)) {
            sorted.known.push(partial);
            sorted.stats.segments_cached += 1;
            continue;
        }
        let query = descriptor.restrict(&request.query);
        for view in views {
            if is_outside(&query, view.as_ref()) {
                sorted.stats.segments_pruned += 1;
                continue;
            }
            let whole = caching.as_ref().map(|caching| {
                let (caching, descriptor) = (Arc::clone(caching), descriptor.clone());
                Box::new(move |partial: &Partial| {
                    if mapped_damages() == damages {
                        caching.put(&descriptor, partial);
                    }
                }) as _
            });
            sorted.items.push(SharedItem { query: Arc::clone(&query), view, whole });
        }
    }
    sorted
}

/// True when no row of the view can lie in the query's intervals. Metadata queries say of segments,
/// not of rows, what they say.
fn is_outside(query: &Query, view: &dyn SegmentView) -> bool {
    if matches!(query, Query::SegmentMetadata(_) | Query::DataSourceMetadata(_)) {
        return false;
    }
    let Some((first_ms, last_ms)) = view.time_range() else { return true };
    let meets = |i: &Interval| i.start_ms <= last_ms && first_ms < i.end_ms;
    !query.base().intervals.iter().any(meets)
}
