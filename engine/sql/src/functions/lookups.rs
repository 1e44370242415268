//! LOOKUP: a lookup's entries become a constant of the statement's plan, so that it is answered wherever the
//! expression is evaluated, with the entries of the moment it was planned.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, lit};
use datafusion::scalar::ScalarValue;
use serde_json::{Map, Value};

use super::call::NativeFunction;
use super::table::{Arguments, Function, Kind, Returns, written};
use crate::catalog::Catalog;

use Kind::Text;

/// What the function is called.
const NAME: &str = "lookup";
/// The argument that holds the entries.
const ENTRIES: usize = 3;

pub(super) const FUNCTIONS: &[Function] =
    &[written(NAME, &[Text, Text, Text, Text], Returns::Text, write).optional(2)];

fn write(arguments: &Arguments<'_>) -> Result<String, String> {
    let Some(entries) = arguments.texts.get(ENTRIES) else {
        return Err("LOOKUP of a table that is not constant has no native form".to_owned());
    };
    Ok(format!("lookup_in({},{entries},{})", arguments.texts[0], arguments.texts[2]))
}

/// Gives each LOOKUP its entries.
///
/// # Errors
/// When there is no lookup of the name, or the name is no literal.
pub(crate) fn inline(plan: LogicalPlan, catalog: &dyn Catalog) -> Result<LogicalPlan> {
    let inlined = plan.transform_up_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let inlined = expr.transform_up(|expr| inline_one(expr, catalog))?;
            Ok(inlined.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok(inlined.data)
}

fn inline_one(expr: Expr, catalog: &dyn Catalog) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(mut call) = expr else { return Ok(Transformed::no(expr)) };
    let is_lookup =
        call.func.inner().downcast_ref::<NativeFunction>().is_some() && call.func.name() == NAME;
    if !is_lookup || call.args.len() > ENTRIES || call.args.len() < 2 {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    let Expr::Literal(ScalarValue::Utf8(Some(name)), _) = &call.args[1] else {
        return plan_err!("the name of a lookup must be a literal");
    };
    let Some(entries) = catalog.lookup(name) else {
        return plan_err!("lookup '{name}' is not known");
    };
    let table: Map<String, Value> =
        entries.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    if call.args.len() < ENTRIES {
        call.args.push(lit(ScalarValue::Utf8(None)));
    }
    call.args.push(lit(Value::Object(table).to_string()));
    Ok(Transformed::yes(Expr::ScalarFunction(call)))
}
