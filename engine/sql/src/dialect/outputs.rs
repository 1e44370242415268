//! The names of what a SELECT gives: `EXPR$0` for what has none, `dim10` for a second `dim1`.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{Expr, Ident, SelectItem};

/// Gives each output a name of its own. What a `*` stands for is not known here: a column beside it counts as its
/// second.
pub(super) fn name(projection: &mut [SelectItem]) {
    let has_wildcard = projection.iter().any(is_wildcard);
    let mut taken: HashSet<String> = HashSet::new();
    for (at, item) in projection.iter_mut().enumerate() {
        match item {
            SelectItem::ExprWithAlias { alias, .. } if !taken.insert(alias.value.clone()) => {
                alias.value = another(&alias.value, &taken);
                taken.insert(alias.value.clone());
            }
            SelectItem::UnnamedExpr(expr) => {
                let column = column_name(expr);
                let named = match &column {
                    Some(name) if !has_wildcard && !taken.contains(name) => {
                        taken.insert(name.clone());
                        continue;
                    }
                    Some(name) => another(name, &taken),
                    None => format!("EXPR${at}"),
                };
                taken.insert(named.clone());
                let expr = expr.clone();
                *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', named) };
            }
            _ => {}
        }
    }
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

/// The name of a column that stands alone.
fn column_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.clone()),
        Expr::Nested(inner) => column_name(inner),
        _ => None,
    }
}

/// The name with the first number behind it that is not taken.
pub(crate) fn another(name: &str, taken: &HashSet<String>) -> String {
    let numbered = (0..).map(|number| format!("{name}{number}"));
    numbered.into_iter().find(|candidate| !taken.contains(candidate)).unwrap_or_default()
}
