//! Statements in parts by time. A statement whose plan is one scan of one table and nothing else gives the same rows
//! in several runs, each over a part of its intervals: a row has one time, and so lies in one part. Limits, offsets
//! and orders are of all rows together, and so are groups, joins and whatever DataFusion does above a scan. What can
//! be divided is told by the plan's shape, never by the statement's text.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use henge_types::Interval;
use serde_json::Value;

use super::StatementPlan;
use crate::cache::Ready;
use crate::error::{Result, SqlError};
use crate::native::NativeNode;

/// Fields of a native scan that are of all of its rows together.
const OF_ALL_ROWS: [&str; 3] = ["limit", "offset", "orderBy"];

/// What a statement scans that can be divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DivisibleScan {
    /// The datasource.
    pub table: String,
    /// The times that it scans, ascending.
    pub intervals: Vec<Interval>,
}

impl StatementPlan {
    /// What the statement scans; `None` when it is more, or less, than one scan whose rows are as they are.
    #[must_use]
    pub fn divisible_scan(&self) -> Option<DivisibleScan> {
        let Self(ready) = self;
        divisible(ready).map(|(_, scan)| scan)
    }

    /// The part of the statement whose rows lie in an interval.
    ///
    /// # Errors
    /// When it has no parts: see [`StatementPlan::divisible_scan`].
    pub fn within(&self, part: Interval) -> Result<Self> {
        let Self(ready) = self;
        let (node, scan) = divisible(ready).ok_or_else(has_no_parts)?;
        let cut = scan.intervals.iter().filter_map(|interval| interval.intersect(&part));
        let intervals: Vec<String> = cut.map(|interval| interval.to_string()).collect();
        let mut query = Value::clone(node.query());
        query["intervals"] = intervals.into();
        let plan = node.with_query(query).into_plan();
        Ok(Self(Arc::new(Ready { plan, ..Ready::clone(ready) })))
    }
}

fn has_no_parts() -> SqlError {
    SqlError::invalid(
        "a part of the statement is asked for, but only one scan of one table without LIMIT, OFFSET and ORDER BY has \
         parts: ask for the whole statement",
    )
}

fn divisible(ready: &Ready) -> Option<(&NativeNode, DivisibleScan)> {
    if ready.explain {
        return None;
    }
    let node = NativeNode::of(&ready.plan).filter(|node| node.is_leaf())?;
    let query = node.query();
    let is_plain = OF_ALL_ROWS.iter().all(|field| query.get(*field).is_none());
    if query["queryType"] != "scan" || !is_plain {
        return None;
    }
    // Tables that are put together are an object.
    let table = query["dataSource"].as_str()?.to_owned();
    let intervals = query["intervals"].as_array()?.iter();
    let intervals = intervals.map(|text| Interval::parse(text.as_str()?).ok());
    Some((node, DivisibleScan { table, intervals: intervals.collect::<Option<_>>()? }))
}
