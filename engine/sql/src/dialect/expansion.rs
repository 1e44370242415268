//! What a statement becomes once each name of a WITH stands for what it names: a line that names the one before
//! twice doubles the plan, and planning asks nobody whether it may go on.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, Visit, Visitor, visit_relations};
use henge_types::ErrorClass;

use crate::error::{Result, SqlError};

/// Tables of a statement, each counted as often as it is planned.
const MAX_TABLES: u64 = 1_000;

/// Refuses statements that grow beyond what is planned.
pub(super) fn check(query: &Query) -> Result<()> {
    let mut named = Named::default();
    let _ = query.visit(&mut named);
    let tables = named.all_of(&relations_of(query));
    if tables <= MAX_TABLES {
        return Ok(());
    }
    Err(SqlError::new(
        ErrorClass::ResourceLimit,
        format!(
            "the statement reads {tables} tables once the names of its WITH are written out, at most \
             {MAX_TABLES} are planned; name each of them less often"
        ),
    ))
}

fn relations_of(query: &Query) -> Vec<String> {
    let mut found = Vec::new();
    let _ = visit_relations(query, |name| {
        found.push(name.to_string());
        ControlFlow::<()>::Continue(())
    });
    found
}

/// What each name of a WITH reads, and how many tables that are.
#[derive(Default)]
struct Named {
    reads: HashMap<String, Vec<String>>,
    tables: HashMap<String, u64>,
}

impl Visitor for Named {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for entry in query.with.iter().flat_map(|with| &with.cte_tables) {
            let reads = self.reads.entry(entry.alias.name.to_string()).or_default();
            reads.extend(relations_of(&entry.query));
        }
        ControlFlow::Continue(())
    }
}

impl Named {
    fn all_of(&mut self, relations: &[String]) -> u64 {
        relations.iter().fold(0, |sum: u64, name| sum.saturating_add(self.tables_of(name)))
    }

    fn tables_of(&mut self, name: &str) -> u64 {
        if let Some(tables) = self.tables.get(name) {
            return *tables;
        }
        let Some(reads) = self.reads.get(name).cloned() else { return 1 };
        // What reads itself is refused by the planner.
        self.tables.insert(name.to_owned(), 1);
        let tables = self.all_of(&reads).max(1);
        self.tables.insert(name.to_owned(), tables);
        tables
    }
}
