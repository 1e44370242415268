//! The dial as a picture: how much is in memory, and what queries pay for it.

use super::dial::{Readings, millis};
use crate::cmd::output::{bar, percent};

/// Letters of the bar that says what is in memory.
const WIDTH: usize = 25;
/// Letters that a time ten times as long is longer by.
const STEP: f64 = 5.0;
/// The time that has no length.
const SHORTEST_MS: f64 = 0.1;
/// Letters of the longest bar of times: a hundred seconds are longer than it, and cut.
const LONGEST: usize = 30;

/// A line for each tier and datasource.
pub(super) fn plot(readings: &Readings) -> String {
    let name = |(tier, datasource): &(String, String), of_tier: usize| {
        format!("{tier:of_tier$}  {datasource}")
    };
    let of_tier = readings.keys().map(|(tier, _)| tier.chars().count()).max().unwrap_or(0);
    let names: Vec<String> = readings.keys().map(|key| name(key, of_tier)).collect();
    let of_name = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let times: Vec<String> = readings.values().map(|reading| length(reading.p99_ms)).collect();
    let of_time = times.iter().map(|time| time.chars().count()).max().unwrap_or(0).max(23);
    let title = "p99, each step ten times as long";
    let mut lines = vec![format!("{:of_name$}  {:WIDTH$}         {title}", "", "in memory")];
    for ((name, reading), time) in names.iter().zip(readings.values()).zip(&times) {
        let share = reading.bytes_resident as f64 / reading.bytes_mapped as f64;
        let in_percent = percent(reading.bytes_resident, reading.bytes_mapped);
        let p99 = reading.p99_ms.map(millis).unwrap_or_default();
        let shares = format!("{}  {in_percent:>5}", bar(share, WIDTH));
        let line = format!("{name:of_name$}  {shares}  {time:of_time$} {p99:>7}");
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn length(ms: Option<f64>) -> String {
    let steps = ms.map_or(0.0, |ms| (ms.max(SHORTEST_MS) / SHORTEST_MS).log10() * STEP);
    "█".repeat((steps.round() as usize).min(LONGEST))
}
