//! `henge segment inspect`: segments as tables, or as JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use henge_segment::{ColumnReport, InspectReport};

use super::{InspectArgs, find_segments, open, totals};
use crate::cmd::output::{Align, TextTable, counted, grouped, say, size};

pub(super) fn run(args: &InspectArgs) -> Result<ExitCode> {
    let paths = find_segments(&args.paths)?;
    let mut reports = Vec::with_capacity(paths.len());
    for path in &paths {
        let report = inspect(path)?;
        if args.json && !args.columns {
            say(json(&report)?)?;
        }
        reports.push(report);
    }
    match (args.columns, args.json) {
        (true, true) => totals::add_up(&reports).iter().try_for_each(|all| Ok(say(json(all)?)?)),
        (true, false) => totals::add_up(&reports).iter().try_for_each(|all| {
            say(all.heading())?;
            say(all.table())?;
            Ok(say("")?)
        }),
        (false, true) => Ok(()),
        (false, false) => show(&reports),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn json(report: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(report).context("write JSON")
}

/// One segment with all that is known of its columns, several as a list.
fn show(reports: &[InspectReport]) -> Result<()> {
    if let [report] = reports {
        say(heading(report))?;
        say(columns(report))?;
        if !report.projections.is_empty() {
            say(projections(report))?;
        }
        return Ok(());
    }
    say(summary(reports))?;
    say(sums(reports))?;
    say("--columns adds up the columns of all.")?;
    Ok(())
}

fn inspect(path: &Path) -> Result<InspectReport> {
    let inspect = || Ok::<_, anyhow::Error>(open(path)?.inspect()?);
    inspect().with_context(|| format!("inspect {}", path.display()))
}

fn heading(report: &InspectReport) -> String {
    let time = match (&report.min_time, &report.max_time) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        _ => "no rows".to_owned(),
    };
    let order = match (report.before_time.as_slice(), report.time_sorted) {
        ([], true) => "sorted by time".to_owned(),
        ([], false) => "not sorted by time".to_owned(),
        (dimensions, _) => format!("sorted by {}, __time", dimensions.join(", ")),
    };
    let rollup = if report.rollup { "rolled up" } else { "not rolled up" };
    format!(
        "{}\n{}, {}, {:.1} bytes a row, format {}, footer {}\n{time}, {order}, {rollup}",
        report.id,
        counted(report.row_count as u64, "row"),
        size(report.size_bytes),
        report.bytes_per_row,
        report.format_version,
        size(report.footer_bytes as u64),
    )
}

fn columns(report: &InspectReport) -> TextTable {
    let mut table = TextTable::new(&[
        ("column", Align::Left),
        ("type", Align::Left),
        ("role", Align::Left),
        ("values", Align::Left),
        ("encodings (blocks)", Align::Left),
        ("codecs (pieces)", Align::Left),
        ("data", Align::Right),
        ("dictionary", Align::Right),
        ("bitmaps", Align::Right),
        ("bytes/row", Align::Right),
    ]);
    let rows = report.row_count.max(1) as f64;
    for column in &report.columns {
        table.row([
            column.name.clone(),
            column_type(column),
            column.role.clone(),
            values(column),
            counts(&column.encodings),
            counts(&column.codecs),
            bytes(column.data_bytes + column.null_bytes),
            bytes(column.dictionary_bytes),
            bytes(column.bitmap_bytes),
            format!("{:.2}", stored_bytes(column) as f64 / rows),
        ]);
    }
    let sum = |part: fn(&ColumnReport) -> u64| report.columns.iter().map(part).sum::<u64>();
    let none = String::new;
    table.row([
        format!("{} in all", report.columns.len()),
        none(),
        none(),
        none(),
        none(),
        none(),
        bytes(sum(|column| column.data_bytes + column.null_bytes)),
        bytes(sum(|column| column.dictionary_bytes)),
        bytes(sum(|column| column.bitmap_bytes)),
        format!("{:.2}", sum(stored_bytes) as f64 / rows),
    ]);
    table
}

fn projections(report: &InspectReport) -> TextTable {
    let mut table = TextTable::new(&[
        ("projection", Align::Left),
        ("grouped by", Align::Left),
        ("aggregates", Align::Left),
        ("rows", Align::Right),
        ("size", Align::Right),
    ]);
    for projection in &report.projections {
        let definition = &projection.definition;
        let grouping: Vec<&str> =
            definition.grouping_columns.iter().map(|column| column.name.as_str()).collect();
        let aggregates: Vec<&str> =
            definition.aggregators.iter().map(|stored| stored.name.as_str()).collect();
        table.row([
            definition.name.clone(),
            grouping.join(", "),
            aggregates.join(", "),
            grouped(projection.segment.row_count as u64),
            size(projection.segment.size_bytes),
        ]);
    }
    table
}

fn column_type(column: &ColumnReport) -> String {
    match column.multi_value {
        true => format!("{}, multi-value", column.column_type),
        false => column.column_type.clone(),
    }
}

/// What is known of the values without reading them.
fn values(column: &ColumnReport) -> String {
    let mut parts = Vec::new();
    if let Some(cardinality) = column.cardinality {
        parts.push(format!("{} distinct", grouped(cardinality.into())));
    }
    if let (Some(min), Some(max)) = (&column.min, &column.max) {
        parts.push(format!("{min} to {max}"));
    }
    match column.null_count {
        Some(nulls) if nulls > 0 => parts.push(counted(nulls, "null")),
        None if column.has_nulls => parts.push("nulls".to_owned()),
        _ => {}
    }
    parts.join(", ")
}

fn counts(counts: &BTreeMap<String, usize>) -> String {
    let shown: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    shown.join(", ")
}

fn stored_bytes(column: &ColumnReport) -> u64 {
    column.data_bytes + column.null_bytes + column.dictionary_bytes + column.bitmap_bytes
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0 => "-".to_owned(),
        bytes => size(bytes),
    }
}

fn summary(reports: &[InspectReport]) -> TextTable {
    let mut table = TextTable::new(&[
        ("segment", Align::Left),
        ("rows", Align::Right),
        ("size", Align::Right),
        ("bytes/row", Align::Right),
        ("columns", Align::Right),
        ("first", Align::Left),
        ("last", Align::Left),
    ]);
    for report in reports {
        table.row([
            report.id.clone(),
            grouped(report.row_count as u64),
            size(report.size_bytes),
            format!("{:.1}", report.bytes_per_row),
            report.columns.len().to_string(),
            report.min_time.clone().unwrap_or_default(),
            report.max_time.clone().unwrap_or_default(),
        ]);
    }
    table
}

fn sums(reports: &[InspectReport]) -> String {
    let rows: u64 = reports.iter().map(|report| report.row_count as u64).sum();
    let size_bytes: u64 = reports.iter().map(|report| report.size_bytes).sum();
    format!(
        "{}, {}, {}, {:.1} bytes a row",
        counted(reports.len() as u64, "segment"),
        counted(rows, "row"),
        size(size_bytes),
        size_bytes as f64 / rows.max(1) as f64
    )
}
