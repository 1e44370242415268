//! [`Simplify`]: DataFusion's simplifications, but those of IN lists, which forget null.
//!
//! Of two lists that one expression is looked up in it makes one, as if nothing were null: their intersection, or
//! what is in the one and not in the other. Where nothing is left it says FALSE, or TRUE of `NOT IN`, also of a null
//! expression; and an item that is null is dropped, although it leaves unknown what else is not found. So
//! `x IN (1, 2) AND x NOT IN (1, 2)` was FALSE where it is unknown, and its negation TRUE.
//!
//! Of two conditions that might become lists side by side one therefore stands in a call that simplifying does not
//! look through. Afterwards it is taken out again: whoever comes later sees lists. That OR puts lists together is right
//! of null too, and goes on.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{
    Transformed, TransformedResult, TreeNode, TreeNodeRecursion, TreeNodeRewriter,
};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, and,
};
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Simplifies expressions.
#[derive(Debug, Default)]
pub(super) struct Simplify(SimplifyExpressions);

impl OptimizerRule for Simplify {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let mut may_meet = false;
        plan.apply_expressions(|expr| {
            may_meet = may_meet || has_lists(expr, 2);
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !may_meet {
            return self.0.rewrite(plan, config);
        }
        let was_aggregate = matches!(plan, LogicalPlan::Aggregate(_));
        let simplified = self.0.rewrite(parted(plan)?, config)?;
        simplified.map_data(|plan| match joined(plan)? {
            // What computes with aggregates was put above them.
            LogicalPlan::Projection(above) if was_aggregate => LogicalPlan::Projection(above)
                .map_children(|input| joined(input).map(Transformed::yes))
                .data(),
            plan => Ok(plan),
        })
    }
}

/// True when an expression holds so many conditions that are lists, or may become lists: `x = 1 OR x = 2`.
fn has_lists(expr: &Expr, mut count: usize) -> bool {
    let reached = expr.exists(|part| {
        let is_list = match part {
            Expr::InList(_) => true,
            Expr::BinaryExpr(binary) => binary.op == Operator::Or,
            _ => false,
        };
        count -= usize::from(is_list);
        Ok(count == 0)
    });
    reached.unwrap_or(true)
}

/// The plan with lists that could meet kept apart.
fn parted(plan: LogicalPlan) -> Result<LogicalPlan> {
    let names = NamePreserver::new(&plan);
    let mut part = |expr: Expr| -> Result<Transformed<Expr>> {
        let name = names.save(&expr);
        let parted = expr.rewrite(&mut Parting::default())?;
        Ok(parted.update_data(|expr| name.restore(expr)))
    };
    plan.map_expressions(|expr| match expr {
        // Sets have no names, what they hold has.
        Expr::GroupingSet(_) => expr.map_children(&mut part),
        _ => part(expr),
    })
    .data()
}

/// The plan as it was meant.
fn joined(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.map_expressions(|expr| {
        expr.transform_up(|part| match part {
            Expr::ScalarFunction(mut call) if is_apart(&call) => {
                Ok(Transformed::yes(call.args.swap_remove(0)))
            }
            other => Ok(Transformed::no(other)),
        })
    })
    .data()
}

/// What a condition may become.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    /// A list, or several.
    lists: bool,
    /// Such as `NOT IN`.
    negated: bool,
}

/// Keeps lists apart, from the leaves up: of all that AND puts together, and of all that OR does when something in it
/// is negated, at most one stands for itself.
#[derive(Debug, Default)]
struct Parting {
    /// What was found below each node on the way to the root.
    below: Vec<Vec<Found>>,
}

impl TreeNodeRewriter for Parting {
    type Node = Expr;

    fn f_down(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        self.below.push(Vec::new());
        Ok(Transformed::no(expr))
    }

    fn f_up(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        let below = self.below.pop().unwrap_or_default();
        let lists = below.iter().filter(|found| found.lists).count();
        let negated = below.iter().any(|found| found.negated);
        let (parted, found) = match expr {
            Expr::InList(list) => {
                let found = Found { lists: true, negated: list.negated };
                (Transformed::no(Expr::InList(list)), found)
            }
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: op @ (Operator::And | Operator::Or),
                right,
            }) => {
                let meet = lists == 2 && (op == Operator::And || negated);
                let right = if meet { Box::new(each_apart(*right)) } else { right };
                let whole = Expr::BinaryExpr(BinaryExpr { left, op, right });
                let found = Found { lists: lists > 0 || op == Operator::Or, negated };
                (Transformed::new_transformed(whole, meet), found)
            }
            // What else has conditions in it may turn them around, as NOT does.
            other => {
                let found = Found { lists: lists > 0, negated: lists > 0 };
                (if lists > 1 { branches_apart(other) } else { Transformed::no(other) }, found)
            }
        };
        if let Some(around) = self.below.last_mut() {
            around.push(found);
        }
        Ok(parted)
    }
}

/// Each condition with lists, of those that AND puts together, in a call of its own: what two sides of an OR have in
/// common is still found.
fn each_apart(expr: Expr) -> Expr {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            and(each_apart(*left), each_apart(*right))
        }
        Expr::ScalarFunction(call) if is_apart(&call) => Expr::ScalarFunction(call),
        other if has_lists(&other, 1) => apart(other),
        other => other,
    }
}

/// A CASE of conditions becomes a chain of AND and OR of them.
fn branches_apart(expr: Expr) -> Transformed<Expr> {
    let case = match expr {
        Expr::Case(case) if case.expr.is_none() => case,
        other => return Transformed::no(other),
    };
    let one = |branch: Box<Expr>| Box::new(each_apart(*branch));
    let branches = case.when_then_expr.into_iter().map(|(when, then)| (one(when), one(then)));
    let branches = branches.collect();
    Transformed::yes(Expr::Case(Case::new(None, branches, case.else_expr.map(one))))
}

static APART: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(Apart::default())));

fn apart(expr: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&APART), vec![expr]))
}

fn is_apart(call: &ScalarFunction) -> bool {
    call.func.inner().downcast_ref::<Apart>().is_some() && call.args.len() == 1
}

/// The call: it gives what it is given, under the same name, and is folded when that is a constant.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Apart {
    signature: Signature,
}

impl Default for Apart {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Apart {
    fn name(&self) -> &str {
        "apart"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(names.join(","))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [one] => Ok(one.clone()),
            _ => exec_err!("apart takes one argument"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [one] => Ok(Arc::clone(one)),
            _ => exec_err!("apart takes one argument"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(one) => Ok(one),
            None => exec_err!("apart takes one argument"),
        }
    }
}
