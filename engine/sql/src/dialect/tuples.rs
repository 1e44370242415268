//! IN over rows of several values, which DataFusion has no form for.

use std::collections::VecDeque;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Query, Select, SelectFlavor, SelectItem, SetExpr,
    TableAliasColumnDef, TableFactor, TableWithJoins, UnaryOperator,
};

use super::{chains, tree};

const NAME: &str = "EXPR$IN";

/// `(a, b) IN ((1, 2), (3, 4))` as `a = 1 AND b = 2 OR a = 3 AND b = 4`; `None` for other expressions.
pub(super) fn in_list(expr: &Expr) -> Option<Expr> {
    let Expr::InList { expr, list, negated } = expr else { return None };
    let Expr::Tuple(parts) = expr.as_ref() else { return None };
    let row = |row: &Expr| match row {
        Expr::Tuple(values) if values.len() == parts.len() => {
            joined(parts.iter().cloned().zip(values.iter().cloned()))
        }
        _ => None,
    };
    let rows = list.iter().map(row).collect::<Option<VecDeque<_>>>()?;
    let any = Expr::Nested(Box::new(chains::joined(rows, &BinaryOperator::Or)));
    let not = |expr| Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) };
    Some(if *negated { not(any) } else { any })
}

/// All pairs equal.
fn joined(pairs: impl Iterator<Item = (Expr, Expr)>) -> Option<Expr> {
    let equal = |(left, right): (Expr, Expr)| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::Eq,
        right: Box::new(right),
    };
    pairs.map(equal).reduce(|a, b| Expr::BinaryOp {
        left: Box::new(a),
        op: BinaryOperator::And,
        right: Box::new(b),
    })
}

/// EXISTS for an IN over a row of several values; `None` for other expressions.
pub(super) fn in_subquery(expr: &mut Expr) -> Option<Expr> {
    let Expr::InSubquery { expr, subquery, negated } = expr else { return None };
    let Expr::Tuple(parts) = expr.as_mut() else { return None };
    let parts = std::mem::take(parts);
    let columns: Vec<Ident> =
        (0..parts.len()).map(|at| Ident::with_quote('"', format!("EXPR${at}"))).collect();
    let mut alias = tree::table_alias(NAME);
    alias.columns = columns
        .iter()
        .map(|name| TableAliasColumnDef { name: name.clone(), data_type: None })
        .collect();
    let column = |column| Expr::CompoundIdentifier(vec![Ident::with_quote('"', NAME), column]);
    let condition = joined(columns.into_iter().map(column).zip(parts))?;
    let rows = TableFactor::Derived {
        lateral: false,
        subquery: subquery.clone(),
        alias: Some(alias),
        sample: None,
    };
    Some(Expr::Exists { subquery: Box::new(one_where(rows, condition)), negated: *negated })
}

/// `SELECT 1 FROM rows WHERE condition`
fn one_where(rows: TableFactor, condition: Expr) -> Query {
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::UnnamedExpr(tree::number(1))],
        exclude: None,
        into: None,
        from: vec![TableWithJoins { relation: rows, joins: Vec::new() }],
        lateral_views: Vec::new(),
        prewhere: None,
        selection: Some(condition),
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
