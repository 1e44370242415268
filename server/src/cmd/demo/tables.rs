//! Answers as tables.

use std::time::Instant;

use anyhow::{Context, Result};
use henge_types::Interval;
use serde_json::Value;

use super::queries;
use crate::cmd::http::Client;
use crate::cmd::output::{Align, TextTable, duration, grouped, say};

/// A column: where its values are in a row of the answer, and how they are shown.
struct Column {
    header: &'static str,
    field: &'static str,
    show: fn(&Value) -> String,
    align: Align,
}

const fn text(header: &'static str, field: &'static str) -> Column {
    Column { header, field, show: shown_text, align: Align::Left }
}

const fn number(header: &'static str, field: &'static str) -> Column {
    Column { header, field, show: shown_number, align: Align::Right }
}

const fn money(header: &'static str, field: &'static str) -> Column {
    Column { header, field, show: shown_money, align: Align::Right }
}

/// Asks all questions and prints the answers.
///
/// # Errors
/// When a query fails.
pub(super) fn print_all(client: &Client, interval: Interval, now_ms: i64) -> Result<()> {
    let pages = [
        text("page", "uri"),
        number("views", "views"),
        number("visitors", "visitors"),
        number("mean duration (ms)", "mean_duration_ms"),
    ];
    let query = queries::top_pages(interval);
    print(client, "Top pages (topN)", &query, &pages, |answer| rows_of(&answer[0]["result"]))?;
    let hours = [
        text("hour", "timestamp"),
        number("events", "events"),
        number("views", "views"),
        number("visitors", "visitors"),
        number("purchases", "purchases"),
        money("revenue", "revenue"),
    ];
    let query = queries::views_per_hour(interval);
    print(client, "Views per hour (timeseries)", &query, &hours, with_timestamps)?;
    let active = [number("visitors", "visitors"), number("events", "events")];
    let query = queries::active_visitors(now_ms);
    let title = "Active visitors, last 5 minutes (timeseries, HLL sketch)";
    print(client, title, &query, &active, with_timestamps)?;
    let revenue = [
        text("country", "country"),
        text("device", "device"),
        number("purchases", "purchases"),
        money("revenue", "revenue"),
    ];
    let query = queries::revenue(interval);
    print(client, "Revenue by country and device (groupBy)", &query, &revenue, |answer| {
        rows_of(answer).into_iter().map(|row| row["event"].clone()).collect()
    })
}

fn print(
    client: &Client,
    title: &str,
    query: &Value,
    columns: &[Column],
    rows: impl Fn(&Value) -> Vec<Value>,
) -> Result<()> {
    let started = Instant::now();
    let answer = client.query(query).with_context(|| format!("ask for '{title}'"))?;
    let elapsed = started.elapsed();
    say(format!("\n{title}, {}", duration(elapsed)))?;
    say(table(columns, &rows(&answer)))?;
    Ok(())
}

fn table(columns: &[Column], rows: &[Value]) -> TextTable {
    let header: Vec<_> = columns.iter().map(|column| (column.header, column.align)).collect();
    let mut table = TextTable::new(&header);
    for row in rows {
        table.row(columns.iter().map(|column| (column.show)(&row[column.field])));
    }
    table
}

fn rows_of(list: &Value) -> Vec<Value> {
    list.as_array().cloned().unwrap_or_default()
}

/// The results of a timeseries, each with its timestamp.
fn with_timestamps(answer: &Value) -> Vec<Value> {
    let with_timestamp = |entry: Value| {
        let mut row = entry["result"].clone();
        if let Some(fields) = row.as_object_mut() {
            fields.insert("timestamp".to_owned(), entry["timestamp"].clone());
        }
        row
    };
    rows_of(answer).into_iter().map(with_timestamp).collect()
}

fn shown_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn shown_number(value: &Value) -> String {
    match (value.as_u64(), value.as_f64()) {
        (Some(whole), _) => grouped(whole),
        (None, Some(number)) => grouped(number.round() as u64),
        (None, None) => value.to_string(),
    }
}

fn shown_money(value: &Value) -> String {
    let cents = (value.as_f64().unwrap_or(0.0) * 100.0).round() as u64;
    format!("${}.{:02}", grouped(cents / 100), cents % 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_for_people() {
        assert_eq!(shown_number(&json!(12_345)), "12,345");
        assert_eq!(shown_number(&json!(1_999.6)), "2,000");
        assert_eq!(shown_money(&json!(1_234.5)), "$1,234.50");
        assert_eq!(shown_text(&Value::Null), "null");
    }

    #[test]
    fn timeseries_become_rows() {
        let answer = json!([{ "timestamp": "t", "result": { "views": 2 } }]);
        let rows = with_timestamps(&answer);
        let shown = table(&[text("hour", "timestamp"), number("views", "views")], &rows);
        assert!(shown.to_string().contains("│ t    ┆     2 │"), "{shown}");
    }
}
