//! All figures of a run as one table, beside the bandwidth of memory.
#![allow(clippy::print_stdout, reason = "figures are printed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use crate::memory;

/// One benchmark as criterion wrote it down.
#[derive(Debug, PartialEq)]
struct Figure {
    name: String,
    median_ns: f64,
    rows: Option<f64>,
    bytes: Option<f64>,
}

/// Prints what was measured since a moment: median, rows and bytes a second, and what part of the
/// memory's bandwidth these are. More than all of it is what stays in a cache, or is stored in
/// fewer bytes than it is counted as.
pub(crate) fn print(directory: &Path, since: SystemTime) {
    let mut figures = Vec::new();
    collect(directory, since, &mut figures);
    if figures.is_empty() {
        return;
    }
    figures.sort_by(|a, b| a.name.cmp(&b.name));
    let bandwidth = memory::read_bytes_per_second();
    println!("\none thread reads {:.1} GB/s from memory\n", bandwidth / 1e9);
    println!("| benchmark | µs | M rows/s | GB/s | of memory's |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    figures.iter().for_each(|figure| println!("{}", line(figure, bandwidth)));
}

fn line(figure: &Figure, bandwidth: f64) -> String {
    let a_second = |count: Option<f64>| count.map(|count| count * 1e9 / figure.median_ns);
    let cell = |value: Option<f64>, unit: f64, digits: usize| {
        value.map_or(String::new(), |value| format!("{:.digits$}", value / unit))
    };
    let bytes = a_second(figure.bytes);
    let share = bytes.map_or(String::new(), |bytes| format!("{:.0} %", 100.0 * bytes / bandwidth));
    format!(
        "| `{}` | {:.1} | {} | {} | {share} |",
        figure.name,
        figure.median_ns / 1e3,
        cell(a_second(figure.rows), 1e6, 0),
        cell(bytes, 1e9, 2),
    )
}

/// Finds the figures below a directory: criterion keeps those of the last run in folders `new`.
fn collect(directory: &Path, since: SystemTime, figures: &mut Vec<Figure>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        match path.ends_with("new") {
            true => figures.extend(read(&path, since)),
            false => collect(&path, since, figures),
        }
    }
}

fn read(directory: &Path, since: SystemTime) -> Option<Figure> {
    let path = directory.join("estimates.json");
    if fs::metadata(&path).ok()?.modified().ok()? < since {
        return None;
    }
    figure(&json(&directory.join("benchmark.json"))?, &json(&path)?)
}

fn figure(benchmark: &Value, estimates: &Value) -> Option<Figure> {
    let throughput = &benchmark["throughput"];
    let both = &throughput["ElementsAndBytes"];
    let number = |one: &str, of_both: &str| throughput[one].as_f64().or(both[of_both].as_f64());
    Some(Figure {
        name: benchmark["full_id"].as_str()?.to_owned(),
        median_ns: estimates["median"]["point_estimate"].as_f64()?,
        rows: number("Elements", "elements"),
        bytes: number("Bytes", "bytes"),
    })
}

fn json(path: &PathBuf) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_figure_is_read_as_criterion_writes_it() {
        let benchmark = json!({
            "full_id": "decode/packed",
            "throughput": {"ElementsAndBytes": {"elements": 65_536, "bytes": 524_288}},
        });
        let estimates = json!({"median": {"point_estimate": 32_768.0}});
        let figure = figure(&benchmark, &estimates).unwrap();
        assert_eq!(line(&figure, 1e10), "| `decode/packed` | 32.8 | 2000 | 16.00 | 160 % |");
        let rows = json!({"full_id": "filter/like", "throughput": {"Elements": 1_000}});
        let figure = super::figure(&rows, &estimates).unwrap();
        assert_eq!(line(&figure, 1e10), "| `filter/like` | 32.8 | 31 |  |  |");
    }
}
