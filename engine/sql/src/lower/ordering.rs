//! ORDER BY, LIMIT and OFFSET taken into a draft.

use datafusion::logical_expr::{ExprSchemable, FetchType, Limit, SkipType, Sort, SortExpr};

use super::Lowering;
use super::draft::{Draft, OrderKey};
use crate::functions::expression::Refusal;
use crate::functions::types;

impl Draft {
    /// Orders its rows.
    ///
    /// # Errors
    /// When native queries do not order so. The draft is as before then.
    pub(super) fn sort(&mut self, sort: &Sort, lowering: &Lowering<'_>) -> Result<(), Refusal> {
        if self.is_cut() {
            return Err(Refusal::new("an order of what a limit leaves"));
        }
        let mut trial = self.clone();
        let keys = sort.expr.iter().map(|key| trial_key(&mut trial, key, lowering));
        trial.order = keys.collect::<Result<Vec<_>, _>>()?;
        if let Some(fetch) = sort.fetch {
            trial.cut(0, Some(fetch))?;
        }
        *self = trial;
        Ok(())
    }

    /// Cuts off rows.
    ///
    /// # Errors
    /// When the numbers are no constants. The draft is as before then.
    pub(super) fn limit(&mut self, limit: &Limit) -> Result<(), Refusal> {
        let no_constant = || Refusal::new("LIMIT and OFFSET that are no constants");
        let skip = match limit.get_skip_type() {
            Ok(SkipType::Literal(skip)) => skip,
            _ => return Err(no_constant()),
        };
        let fetch = match limit.get_fetch_type() {
            Ok(FetchType::Literal(fetch)) => fetch,
            _ => return Err(no_constant()),
        };
        self.cut(skip, fetch)
    }

    fn cut(&mut self, skip: usize, fetch: Option<usize>) -> Result<(), Refusal> {
        let is_one_row = |groups: &super::draft::Groups| groups.dimensions.is_empty();
        if skip > 0 && self.groups.as_ref().is_some_and(is_one_row) {
            return Err(Refusal::new("an OFFSET of the one row of all aggregates"));
        }
        let left = self.limit.map(|limit| limit.saturating_sub(skip));
        let limit = match (left, fetch) {
            (Some(left), Some(fetch)) => Some(left.min(fetch)),
            (left, fetch) => left.or(fetch),
        };
        if limit == Some(0) {
            return Err(Refusal::new("a LIMIT that leaves nothing"));
        }
        (self.offset, self.limit) = (self.offset + skip, limit);
        Ok(())
    }
}

fn trial_key(
    draft: &mut Draft,
    key: &SortExpr,
    lowering: &Lowering<'_>,
) -> Result<OrderKey, Refusal> {
    if key.nulls_first != key.asc {
        return Err(Refusal::new("nulls that are not ordered as the least"));
    }
    let scope = draft.scope(lowering);
    let output = scope.computed(&key.expr)?;
    let (_, field) =
        key.expr.to_field(scope.schema).map_err(|error| Refusal::new(error.strip_backtrace()))?;
    let is_list = types::is_array(field.data_type())
        || (draft.groups.is_none() && field.metadata().contains_key(types::MULTI_VALUE));
    if is_list {
        return Err(Refusal::new("an order of lists"));
    }
    if field.metadata().contains_key(types::DRUID_TYPE) {
        return Err(Refusal::new("an order of objects"));
    }
    if output.is_missing() {
        return Err(Refusal::new("an order of a column that native queries do not give"));
    }
    let output_type = types::native_name(field.data_type());
    let column = draft.column_of(&output, output_type)?;
    Ok(OrderKey { column, descending: !key.asc, is_text: output_type == "STRING" })
}
