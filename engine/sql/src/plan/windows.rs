//! Window functions that count give BIGINT, where DataFusion's give unsigned numbers.

use arrow_schema::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawWindowExpr};
use datafusion::logical_expr::{Expr, cast};

/// Those that count.
const COUNTING: [&str; 4] = ["row_number", "rank", "dense_rank", "ntile"];

/// Casts what they give.
#[derive(Debug)]
pub(super) struct CountsAreLong;

impl ExprPlanner for CountsAreLong {
    fn plan_window(&self, raw: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if !COUNTING.contains(&raw.func_def.name()) {
            return Ok(PlannerResult::Original(raw));
        }
        let window = WindowFunction {
            fun: raw.func_def,
            params: WindowFunctionParams {
                args: raw.args,
                partition_by: raw.partition_by,
                order_by: raw.order_by,
                window_frame: raw.window_frame,
                filter: raw.filter,
                null_treatment: raw.null_treatment,
                distinct: raw.distinct,
            },
        };
        let counted = Expr::WindowFunction(Box::new(window));
        Ok(PlannerResult::Planned(cast(counted, DataType::Int64)))
    }
}
