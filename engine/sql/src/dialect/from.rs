//! FROM with UNNEST: DataFusion's own UNNEST sees no columns, so each becomes a pair of what stands before it and
//! itself, which `plan::relation` plans.

use datafusion::sql::sqlparser::ast::{
    FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, TableFactor, TableWithJoins,
};

/// Puts whatever an UNNEST may refer to into parentheses with it:
/// `a, b CROSS JOIN UNNEST(..)` becomes `((a CROSS JOIN b) CROSS JOIN UNNEST(..))`.
pub(super) fn nest_unnests(from: &mut Vec<TableWithJoins>) {
    for table in from.iter_mut() {
        read_as_unnest(&mut table.relation);
        table.joins.iter_mut().for_each(|join| read_as_unnest(&mut join.relation));
    }
    let joins = from.iter().flat_map(|table| &table.joins);
    let any_join = joins.into_iter().any(|join| is_unnest(&join.relation));
    if !any_join && !from.iter().skip(1).any(|table| is_unnest(&table.relation)) {
        return;
    }
    let mut tables: Vec<TableWithJoins> = Vec::new();
    for TableWithJoins { relation, joins } in std::mem::take(from) {
        let before = is_unnest(&relation).then(|| crossed(std::mem::take(&mut tables))).flatten();
        let mut current = match before {
            Some(before) => paired(before, cross_join(relation)),
            None => TableWithJoins { relation, joins: Vec::new() },
        };
        for join in joins {
            if is_unnest(&join.relation) {
                current = paired(current, join);
            } else {
                current.joins.push(join);
            }
        }
        tables.push(current);
    }
    *from = tables;
}

/// The parser takes `UNNEST(x)` for a table with arguments.
fn read_as_unnest(factor: &mut TableFactor) {
    let TableFactor::Table { name, alias, args: Some(args), .. } = factor else { return };
    let plain = |argument: FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    };
    if !name.to_string().eq_ignore_ascii_case("unnest") {
        return;
    }
    let array_exprs = std::mem::take(&mut args.args).into_iter().filter_map(plain).collect();
    *factor = TableFactor::UNNEST {
        alias: alias.take(),
        array_exprs,
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    };
}

fn is_unnest(factor: &TableFactor) -> bool {
    matches!(factor, TableFactor::UNNEST { .. })
}

fn cross_join(relation: TableFactor) -> Join {
    let join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
    Join { relation, global: false, join_operator }
}

fn crossed(tables: Vec<TableWithJoins>) -> Option<TableWithJoins> {
    let mut tables = tables.into_iter();
    let relation = in_parentheses(tables.next()?);
    let joins = tables.map(|table| cross_join(in_parentheses(table))).collect();
    Some(TableWithJoins { relation, joins })
}

/// The table and an UNNEST over it, as one.
fn paired(table: TableWithJoins, unnest: Join) -> TableWithJoins {
    let pair = TableWithJoins { relation: in_parentheses(table), joins: vec![unnest] };
    let table_with_joins = Box::new(pair);
    TableWithJoins {
        relation: TableFactor::NestedJoin { table_with_joins, alias: None },
        joins: Vec::new(),
    }
}

fn in_parentheses(table: TableWithJoins) -> TableFactor {
    if table.joins.is_empty() {
        return table.relation;
    }
    TableFactor::NestedJoin { table_with_joins: Box::new(table), alias: None }
}
