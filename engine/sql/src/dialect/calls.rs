//! Calls whose arguments are written with words: `TRIM(BOTH 'x' FROM y)` and the like, as plain calls.

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArguments, Ident,
    ObjectName, TrimWhereField,
};

use super::{Surroundings, tree};
use crate::functions;

/// Gives a call its name in lower case and arguments that are all expressions.
pub(super) fn prepare(function: &mut Function, around: &Surroundings) {
    let Some(name) = tree::name(function) else { return };
    let span = function.name.0[0].as_ident().map(|ident| ident.span);
    let approximate =
        name == "count" && is_distinct_of_one(function) && around.approximate_distinct;
    let name = match name.as_str() {
        _ if approximate => "approx_count_distinct".to_owned(),
        "earliest" | "latest" if by_time(function) => format!("{name}_by"),
        // What is called by another name the planner calls by both, with all that is in it, at each level anew.
        _ => functions::scalar(&name).map_or(name, |function| function.name().to_owned()),
    };
    let mut ident = Ident::new(name.as_str());
    ident.span = span.unwrap_or(ident.span);
    function.name = ObjectName::from(vec![ident]);
    if let FunctionArguments::Subquery(query) = &function.args {
        let subquery = Expr::Subquery(query.clone());
        if let Expr::Function(plain) = tree::call(&name, vec![subquery]) {
            function.args = plain.args;
        }
    }
    let FunctionArguments::List(list) = &mut function.args else { return };
    if approximate {
        list.duplicate_treatment = None;
    }
    if let Some(FunctionArgumentClause::JsonReturningClause(returning)) = list.clauses.first() {
        list.args.push(tree::argument(tree::text(returning.data_type.to_string())));
        list.clauses.clear();
    }
}

/// `EARLIEST(x)` is that by `__time`: the time is an argument, so that no rule leaves it out.
fn by_time(function: &mut Function) -> bool {
    let FunctionArguments::List(list) = &mut function.args else { return false };
    if list.args.is_empty() {
        return false;
    }
    let time = Expr::Identifier(Ident::with_quote('"', henge_types::TIME_COLUMN));
    list.args.insert(1, tree::argument(time));
    true
}

/// `COUNT(DISTINCT x)` that is not a window's.
fn is_distinct_of_one(function: &Function) -> bool {
    match &function.args {
        FunctionArguments::List(list) => {
            list.args.len() == 1
                && list.duplicate_treatment == Some(DuplicateTreatment::Distinct)
                && function.over.is_none()
        }
        _ => false,
    }
}

/// `TRIM([BOTH|LEADING|TRAILING] [c FROM] x)` as `trim`, `ltrim` or `rtrim(x[, c])`.
pub(super) fn trim(expr: &mut Expr) -> Option<Expr> {
    let Expr::Trim { trim_where, trim_what, expr, trim_characters } = expr else { return None };
    let name = match trim_where {
        Some(TrimWhereField::Leading) => "ltrim",
        Some(TrimWhereField::Trailing) => "rtrim",
        Some(TrimWhereField::Both) | None => "trim",
    };
    let mut args = vec![tree::take(expr)];
    args.extend(trim_what.take().map(|what| *what));
    args.extend(trim_characters.take().unwrap_or_default());
    Some(tree::call(name, args))
}

/// `SUBSTRING(x FROM a FOR b)` as `substring(x, a, b)`.
pub(super) fn substring(expr: &mut Expr) -> Option<Expr> {
    let Expr::Substring { expr, substring_from, substring_for, .. } = expr else { return None };
    let mut args = vec![tree::take(expr)];
    match (substring_from.take(), substring_for.take()) {
        (from, None) => args.extend(from.map(|from| *from)),
        (from, Some(length)) => {
            args.push(from.map_or_else(|| tree::number(1), |from| *from));
            args.push(*length);
        }
    }
    Some(tree::call("substring", args))
}
