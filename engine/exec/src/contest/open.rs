//! Groups that may be in the answer and of which not all is known: they are asked for by their keys.

use henge_query::limits::MAX_TOP_N_THRESHOLD;
use henge_query::{DimensionSpec, Filter, Query};
use henge_scan::{ExecError, Result};

use super::picked;
use crate::context::ExecContext;
use crate::merge::numbers_of;
use crate::partial::{GroupedPartial, Partial};

/// Some groups, without what they are worth.
#[derive(Debug, Clone)]
pub struct OpenGroups {
    keys: Vec<GroupedPartial>,
}

impl OpenGroups {
    /// Each group once.
    pub(super) fn of(keys: Vec<GroupedPartial>) -> Self {
        Self { keys }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.iter().map(GroupedPartial::group_count).sum()
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.keys.iter().map(GroupedPartial::memory_bytes).sum()
    }

    /// The query for all of these groups, and perhaps others: the same keys and states, of the rows that a
    /// filter on the keys finds. See [`are_keys_findable`](crate::are_keys_findable).
    #[must_use]
    pub fn narrowed(&self, query: &Query) -> Query {
        let mut narrowed = query.clone();
        match &mut narrowed {
            Query::TopN(top) => {
                // No group is to be left out for another.
                top.threshold = MAX_TOP_N_THRESHOLD.unsigned_abs();
                top.post_aggregations.clear();
            }
            Query::GroupBy(groups) => {
                (groups.limit_spec, groups.having) = (None, None);
                groups.post_aggregations.clear();
            }
            _other_queries => {}
        }
        let dimensions = query.grouped().map_or(&[][..], |grouped| grouped.dimensions);
        let base = narrowed.base_mut();
        // Nobody asks the same once more.
        base.context.populate_cache = false;
        let found = dimensions.iter().enumerate().map(|(at, spec)| self.filter(at, spec));
        let filters: Vec<Filter> = base.filter.take().into_iter().chain(found).collect();
        base.filter = Some(Filter::And(filters));
        narrowed
    }

    fn filter(&self, at: usize, spec: &DimensionSpec) -> Filter {
        let of_part = |part: &GroupedPartial| {
            let text = |row: usize| {
                part.keys.get(at).and_then(|keys| keys.text(row)).map(std::borrow::Cow::into_owned)
            };
            (0..part.group_count()).map(text).collect::<Vec<Option<String>>>()
        };
        let mut values: Vec<Option<String>> = self.keys.iter().flat_map(of_part).collect();
        values.sort_unstable();
        values.dedup();
        Filter::In { column: spec.dimension.clone(), values }
    }

    /// Of what was found these groups alone.
    ///
    /// # Errors
    /// Cancellation, partials that are not of groups, and keys of other types.
    pub fn only(&self, found: Vec<Partial>, ctx: &ExecContext) -> Result<Vec<Partial>> {
        let mut all = self.keys.clone();
        for partial in found {
            let Partial::Grouped(groups) = partial else {
                return Err(ExecError::Internal("groups became something else".to_owned()));
            };
            all.push(groups);
        }
        let (numbers, limit) = numbers_of(&all, ctx)?;
        let mut is_wanted = vec![false; limit];
        let own = numbers.iter().take(self.keys.len()).flatten();
        own.for_each(|number| is_wanted[*number as usize] = true);
        let found = all.iter().zip(&numbers).skip(self.keys.len());
        let only = found.map(|(groups, numbers)| {
            Partial::Grouped(picked(groups, numbers, |number| is_wanted[number as usize]))
        });
        Ok(only.collect())
    }
}
