//! A row for each element of a value.

use henge_exec::{ExecContext, Result};
use henge_expr::ExprValue;
use henge_query::Unnest;
use henge_segment::SegmentView;
use henge_types::Interval;
use henge_types::narrow::narrow;

use super::needs::Needs;
use super::scan::scan;
use crate::build::{Kind, of_values};
use crate::segment::InlineSegment;

/// The name under which the value is computed before it is taken apart: no column's.
const WHOLE: &str = "\u{1}unnested";

/// Rows with each element in the place of the value; a value of none has no row. `needs` is of the result.
pub(super) fn unnest(
    rows: &InlineSegment,
    unnest: &Unnest,
    needs: &Needs,
    context: &ExecContext,
) -> Result<InlineSegment> {
    let whole = henge_query::VirtualColumn { name: WHOLE.to_owned(), ..unnest.column.clone() };
    let mut below = needs.clone();
    below.remove(&unnest.column.name);
    let mut after = below.clone();
    if let Some(filter) = &unnest.filter {
        filter.for_each_column(&mut |name| {
            if name != unnest.column.name {
                below.insert(name);
            }
        });
    }
    let all = || vec![Interval::ETERNITY];
    let computed = scan(rows, &below, None, vec![whole], all(), context)?;
    let (mut from, mut elements): (Vec<u32>, Vec<ExprValue>) = (Vec::new(), Vec::new());
    if let Some(values) = computed.values(WHOLE) {
        for row in 0..computed.row_count() {
            let place: u32 = narrow(row);
            match values.expr_value(row) {
                ExprValue::Null => {}
                ExprValue::Array(items) => {
                    from.extend(std::iter::repeat_n(place, items.len()));
                    elements.extend(items.iter().cloned());
                }
                single => {
                    from.push(place);
                    elements.push(single);
                }
            }
        }
    }
    context.cancel.check()?;
    let found = elements.iter().filter_map(Kind::of_value).reduce(Kind::or);
    let declared = unnest
        .column
        .output_type
        .map(|t| Kind::of_type(&henge_query::InlineType::Stored(t.into())));
    let kind = declared.or(found).unwrap_or(Kind::Text);
    let own = unnest.column.name.as_str();
    let shown = computed.shown().filter(|(name, _)| *name != WHOLE && *name != own);
    let mut columns: Vec<_> =
        shown.map(|(name, values)| (name.to_owned(), values.gather(&from))).collect();
    columns.push((own.to_owned(), of_values(kind, elements.into_iter())));
    let multiplied = InlineSegment::new(columns, from.len(), Some(&context.memory))?;
    match &unnest.filter {
        None => Ok(multiplied),
        Some(filter) => {
            after.insert(own);
            scan(&multiplied, &after, Some(filter.clone()), Vec::new(), all(), context)
        }
    }
}
