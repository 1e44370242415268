//! `sys.queries`: the statements of this broker that are at work.

use std::sync::Arc;

use serde_json::Value;

use super::{BrokerSource, Column, long, text};
use crate::sql::statements::Statement;

/// A row a statement, the one that asks among them.
pub(super) fn queries(source: &BrokerSource) -> Vec<Column> {
    let statements = source.broker.statements.list();
    let now_ms = source.clock.now_ms();
    let each = || statements.iter();
    let none = || each().map(|_| None::<String>);
    let running_ms =
        |statement: &Arc<Statement>| now_ms.saturating_sub(statement.created_ms).max(0);
    let lane =
        |statement: &Arc<Statement>| statement.context.get("lane")?.as_str().map(str::to_owned);
    let priority =
        |statement: &Arc<Statement>| statement.context.get("priority").and_then(Value::as_i64);
    vec![
        text("id", each().map(|statement| Some(&*statement.id))),
        text("sql_id", each().map(|statement| Some(&*statement.id))),
        text("query_type", each().map(|_| Some("sql"))),
        text("datasource", none()),
        text("state", each().map(|_| Some("RUNNING"))),
        text("lane", each().map(lane)),
        long("priority", each().map(|statement| Some(priority(statement).unwrap_or(0)))),
        long("running_ms", each().map(|statement| Some(running_ms(statement)))),
        text("identity", none()),
        text("query", each().map(|statement| Some(&*statement.text))),
    ]
}
