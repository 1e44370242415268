//! Which columns the parts of a query read, and keys that say when two parts mean the same.

use std::collections::BTreeMap;

use henge_expr::Expr;
use serde_json::{Value, json};

use crate::aggregate::AggregatorSpec;
use crate::filter::{Filter, Parts};
use crate::virtual_column::VirtualColumn;

impl Filter {
    /// Visits the names of the columns it reads, stored or virtual, perhaps some more than once.
    pub fn for_each_column(&self, visit: &mut dyn FnMut(&str)) {
        match self.parts() {
            Parts::Nothing => {}
            Parts::Fields(fields) => fields.iter().for_each(|field| field.for_each_column(visit)),
            Parts::Column(column) => visit(column),
            Parts::Expression(expression) => visit_all(expression, visit),
        }
    }

    /// Visits the expressions in it.
    pub(crate) fn for_each_expression<'f>(&'f self, visit: &mut dyn FnMut(&'f Expr)) {
        match self.parts() {
            Parts::Nothing | Parts::Column(_) => {}
            Parts::Fields(fields) => {
                fields.iter().for_each(|field| field.for_each_expression(visit));
            }
            Parts::Expression(expression) => visit(expression),
        }
    }

    /// The filters that must all hold: those of nested conjunctions, or the filter itself.
    #[must_use]
    pub fn conjuncts(&self) -> Vec<&Self> {
        match self {
            Self::And(fields) => fields.iter().flat_map(Self::conjuncts).collect(),
            other => vec![other],
        }
    }

    /// Filters with the same key select the same rows. The virtual columns they read are part of it.
    #[must_use]
    pub fn key(&self, virtual_columns: &[VirtualColumn]) -> String {
        key(&self.to_value(), virtual_columns, |visit| self.for_each_column(visit))
    }
}

impl AggregatorSpec {
    /// Visits the names of the columns it aggregates, without those of its filter.
    pub fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        self.kind.for_each_input(visit);
    }

    /// Aggregators with the same key have the same states over the same rows, whatever they are
    /// called and however their states are finalised.
    #[must_use]
    pub fn state_key(&self, virtual_columns: &[VirtualColumn]) -> String {
        let filter = self.filter.as_ref().map(Filter::to_value);
        let state = json!({"aggregator": self.state_value(), "filter": filter});
        key(&state, virtual_columns, |visit| {
            self.for_each_input(visit);
            if let Some(filter) = &self.filter {
                filter.for_each_column(visit);
            }
        })
    }
}

fn visit_all(expression: &Expr, visit: &mut dyn FnMut(&str)) {
    expression.identifiers().iter().for_each(|name| visit(name));
}

/// The text of a value and of all virtual columns that its meaning depends on.
fn key(
    value: &Value,
    virtual_columns: &[VirtualColumn],
    columns: impl FnOnce(&mut dyn FnMut(&str)),
) -> String {
    if virtual_columns.is_empty() {
        return value.to_string();
    }
    let mut found: BTreeMap<&str, &VirtualColumn> = BTreeMap::new();
    let mut pending: Vec<&VirtualColumn> = Vec::new();
    let named = |name: &str| virtual_columns.iter().find(|column| column.name == name);
    columns(&mut |name| pending.extend(named(name)));
    while let Some(column) = pending.pop() {
        if found.insert(&column.name, column).is_none() {
            pending.extend(column.expression.identifiers().iter().filter_map(|name| named(name)));
        }
    }
    if found.is_empty() {
        return value.to_string();
    }
    let found = found
        .values()
        .map(|column| json!([column.name, column.expression.text(), column.output_type]));
    json!({"of": value, "virtualColumns": found.collect::<Vec<_>>()}).to_string()
}
