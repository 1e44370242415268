//! The queries that return values instead of aggregates: scan and search.

use henge_types::{Granularity, TIME_COLUMN};

use super::dimension::dimension;
use super::intervals::granularity;
use super::ordering::ordering;
use super::search_match::search_match;
use super::{WithoutIntervals, base, bounded_list};
use crate::error::Result;
use crate::filter::Ordering;
use crate::limit::Direction;
use crate::node::{Node, excerpt};
use crate::query::{ResultFormat, ScanKey, ScanQuery, SearchMatch, SearchQuery, SearchSort};

pub(super) fn scan(root: &Node<'_>) -> Result<ScanQuery> {
    if root.boolean_or("legacy", false)? {
        root.refuse("legacy", "the legacy format was removed from Druid; leave the field out")?;
    }
    let plain = ScanQuery::new(base(root, WithoutIntervals::Refuse)?);
    Ok(ScanQuery {
        columns: bounded_list(root, "columns", |node| node.name())?,
        result_format: result_format(root)?,
        batch_size: match root.get("batchSize") {
            None => plain.batch_size,
            Some(size) => size.within(1, i64::from(i32::MAX))?,
        },
        // Druid takes 0 for no limit here.
        limit: root.optional_unsigned("limit")?.filter(|limit| *limit > 0),
        offset: root.optional_unsigned("offset")?.unwrap_or(0),
        order_by: scan_order(root)?,
        ..plain
    })
}

fn result_format(root: &Node<'_>) -> Result<ResultFormat> {
    let Some(node) = root.get("resultFormat") else { return Ok(ResultFormat::List) };
    match node.text()? {
        "list" => Ok(ResultFormat::List),
        "compactedList" => Ok(ResultFormat::CompactedList),
        "valueVector" => {
            Err(node.unsupported("valueVector is not supported; use list or compactedList"))
        }
        other => Err(node.invalid(format!(
            "unknown result format \"{}\"; use list or compactedList",
            excerpt(other)
        ))),
    }
}

/// `orderBy`, or the older `order`, which is of time.
fn scan_order(root: &Node<'_>) -> Result<Vec<ScanKey>> {
    let by_time = match root.get("order") {
        Some(node) => named_order(&node)?,
        None => None,
    };
    let by_time: Vec<ScanKey> = by_time
        .map(|direction| ScanKey { column: TIME_COLUMN.to_owned(), direction })
        .into_iter()
        .collect();
    let keys = bounded_list(root, "orderBy", scan_key)?;
    match root.get("orderBy") {
        Some(list) if !keys.is_empty() => {
            if !by_time.is_empty() && by_time != keys {
                return Err(list.invalid("says something else than order; leave order out"));
            }
            Ok(keys)
        }
        _ => Ok(by_time),
    }
}

fn scan_key(item: &Node<'_>) -> Result<ScanKey> {
    let column = item.require("columnName", "name the column to order by")?.name()?;
    let direction = match item.get("order") {
        None => Direction::Ascending,
        Some(node) => named_order(&node)?
            .ok_or_else(|| node.invalid("leave the column out; use ascending or descending"))?,
    };
    Ok(ScanKey { column, direction })
}

/// `None` is any order.
fn named_order(node: &Node<'_>) -> Result<Option<Direction>> {
    match node.text()?.to_ascii_lowercase().as_str() {
        "none" => Ok(None),
        "ascending" => Ok(Some(Direction::Ascending)),
        "descending" => Ok(Some(Direction::Descending)),
        other => Err(node.invalid(format!(
            "unknown order \"{}\"; use none, ascending or descending",
            excerpt(other)
        ))),
    }
}

pub(super) fn search(root: &Node<'_>) -> Result<SearchQuery> {
    let search_dimensions = match root.get("searchDimensions") {
        Some(node) if node.value().is_string() => vec![dimension(&node)?],
        _ => bounded_list(root, "searchDimensions", dimension)?,
    };
    let sort = match root.get("sort") {
        Some(node) => ordering(&node)?,
        None => Ordering::Lexicographic,
    };
    let query = root.get("query").map_or(Ok(SearchMatch::All), |node| search_match(&node))?;
    let plain = SearchQuery::new(base(root, WithoutIntervals::Refuse)?, query);
    Ok(SearchQuery {
        granularity: granularity(root, "granularity")?.unwrap_or(Granularity::All),
        search_dimensions,
        sort: SearchSort(sort),
        limit: match root.optional_unsigned("limit")? {
            None | Some(0) => plain.limit,
            Some(limit) => limit,
        },
        ..plain
    })
}
