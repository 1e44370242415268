//! Small changes to grouped partials while finishing them: groups over nothing, copies of groups.

use henge_aggregate::function;
use henge_query::AggregatorSpec;
use henge_scan::Result;
use henge_vector::Column;

use crate::partial::GroupedPartial;

/// The time of a group that has none: the grand total.
pub(crate) const NO_TIME_MS: i64 = i64::MIN;

/// Appends groups over no rows: counts and estimates are 0, everything else is null. Partials of
/// queries without dimensions only.
pub(crate) fn push_identities(
    partial: &mut GroupedPartial,
    aggregations: &[AggregatorSpec],
    bucket_starts_ms: &[i64],
) -> Result<()> {
    bucket_starts_ms.iter().for_each(|start_ms| partial.bucket_starts.push(*start_ms));
    for (state, spec) in partial.states.iter_mut().zip(aggregations) {
        let identities = match function(&spec.kind).is_zero_over_nothing() {
            true => Column::longs(vec![0; bucket_starts_ms.len()], None),
            false => state.nulls_like(bucket_starts_ms.len()),
        };
        state.append(&identities)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finalise::testing::{count, long_sum, longs, nullable_longs, partial};
    use crate::partial::copies;

    #[test]
    fn over_nothing_counts_are_zero_and_sums_are_null() {
        let mut groups = partial(&[0], vec![], vec![longs(&[3]), longs(&[4])]);
        push_identities(&mut groups, &[count("n"), long_sum("s", "x")], &[5, 6]).unwrap();
        assert_eq!(groups.bucket_starts.at(), [0, 5, 6]);
        let values = |state: &Column| (0..3).map(|row| state.long(row)).collect::<Vec<_>>();
        assert_eq!(values(&groups.states[0]), [Some(3), Some(0), Some(0)]);
        assert_eq!(values(&groups.states[1]), [Some(4), None, None]);
    }

    #[test]
    fn copies_keep_nulls() {
        let from = nullable_longs(&[Some(1), None]);
        let copied = copies(&[from], &[1, 0], 2);
        let values: Vec<_> = (0..4).map(|row| copied[0].long(row)).collect();
        assert_eq!(values, [None, Some(1), None, Some(1)]);
    }
}
