//! Functions of time. What depends on a zone takes the session's unless it is given one.

use datafusion::arrow::datatypes::DataType;
use henge_types::zone::local_to_instant;
use henge_types::{Interval, parse_time_zone};

use super::table::{Arguments, Function, Kind, Native, Returns, function, written};
use super::{literal, types};

use Kind::{Any, Long, Text, Time, TimeOrDay};

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "time_floor",
        &[Time, Text, Any, Text],
        Returns::Time,
        Native::Zoned("timestamp_floor", 3),
    )
    .optional(2),
    function(
        "time_ceil",
        &[Time, Text, Any, Text],
        Returns::Time,
        Native::Zoned("timestamp_ceil", 3),
    )
    .optional(2),
    function(
        "time_shift",
        &[Time, Text, Long, Text],
        Returns::Time,
        Native::Zoned("timestamp_shift", 3),
    )
    .optional(1),
    written("time_moved", &[TimeOrDay, Text, Long, Text], Returns::First, moved).optional(1),
    written("time_extract", &[Time, Text, Text], Returns::Long, extract).optional(1),
    written("date_part", &[Text, Time], Returns::Long, |a| unit_of(a, 1, 0)),
    function("time_parse", &[Text, Text, Text], Returns::Time, Native::Zoned("timestamp_parse", 2))
        .optional(2),
    function(
        "time_format",
        &[Time, Text, Text],
        Returns::Text,
        Native::Zoned("timestamp_format", 2),
    )
    .optional(2),
    written("date_trunc", &[Text, Time], Returns::Time, date_trunc),
    written("time_in_interval", &[Time, Text], Returns::Boolean, in_interval),
    written("millis_to_timestamp", &[Long], Returns::Time, |a| Ok(a.texts[0].clone())),
    written("timestamp_to_millis", &[Time], Returns::Long, |a| Ok(a.texts[0].clone())),
    written("timestampdiff", &[Text, Time, Time, Text], Returns::Long, difference).optional(1),
    written("timestampadd", &[Text, Long, Time], Returns::Time, add),
    written("time_floor_to", &[Any, Text], Returns::First, |a| to_unit("timestamp_floor", a)),
    written("time_ceil_to", &[Any, Text], Returns::First, |a| to_unit("timestamp_ceil", a)),
];

/// The period of a unit.
fn period(unit: &str) -> Option<&'static str> {
    Some(match unit.to_ascii_uppercase().as_str() {
        "MILLISECOND" | "MILLISECONDS" => "PT0.001S",
        "SECOND" | "SECONDS" => "PT1S",
        "MINUTE" | "MINUTES" => "PT1M",
        "HOUR" | "HOURS" => "PT1H",
        "DAY" | "DAYS" => "P1D",
        "WEEK" | "WEEKS" => "P1W",
        "MONTH" | "MONTHS" => "P1M",
        "QUARTER" | "QUARTERS" => "P3M",
        "YEAR" | "YEARS" => "P1Y",
        "DECADE" => "P10Y",
        "CENTURY" => "P100Y",
        "MILLENNIUM" => "P1000Y",
        _ => return None,
    })
}

fn unknown(unit: &str) -> String {
    format!(
        "'{unit}' is no unit of time: use SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER or YEAR"
    )
}

/// `,null,'zone'` unless it is UTC.
fn zone_after(arguments: &Arguments<'_>, between: &str) -> String {
    match arguments.zone {
        "UTC" => String::new(),
        zone => format!("{between},{}", literal::text(zone)),
    }
}

fn floor(native: &str, time: &str, period: &str, arguments: &Arguments<'_>) -> String {
    format!("{native}({time},'{period}'{})", zone_after(arguments, ",null"))
}

/// A time moved in the zone, a day as it is.
fn moved(arguments: &Arguments<'_>) -> Result<String, String> {
    let [value, period, step, ..] = arguments.texts else {
        return Err("a time is moved by a period and a number of them".to_owned());
    };
    let zone = match (arguments.texts.get(3), &arguments.types[0]) {
        (_, DataType::Date32) => String::new(),
        (Some(zone), _) => format!(",{zone}"),
        (None, _) => zone_after(arguments, ""),
    };
    Ok(format!("timestamp_shift({value},{period},{step}{zone})"))
}

fn date_trunc(arguments: &Arguments<'_>) -> Result<String, String> {
    let unit = arguments.text(0, "the unit of DATE_TRUNC")?;
    let period = period(unit).ok_or_else(|| unknown(unit))?;
    if period == "PT0.001S" {
        return Ok(arguments.texts[1].clone());
    }
    Ok(floor("timestamp_floor", &arguments.texts[1], period, arguments))
}

/// `FLOOR(x TO unit)` and `CEIL(x TO unit)`, of times and days.
fn to_unit(native: &str, arguments: &Arguments<'_>) -> Result<String, String> {
    if !types::is_time(&arguments.types[0]) {
        return Err("FLOOR and CEIL to a unit take a time".to_owned());
    }
    let unit = arguments.text(1, "the unit")?;
    let period = period(unit).ok_or_else(|| unknown(unit))?;
    if arguments.types[0] == DataType::Date32 {
        return Ok(format!("{native}({},'{period}')", arguments.texts[0]));
    }
    Ok(floor(native, &arguments.texts[0], period, arguments))
}

fn extract(arguments: &Arguments<'_>) -> Result<String, String> {
    if arguments.texts.len() == 3 {
        return Ok(arguments.call("timestamp_extract"));
    }
    unit_of(arguments, 0, 1)
}

fn unit_of(arguments: &Arguments<'_>, time: usize, unit: usize) -> Result<String, String> {
    let unit = arguments.text(unit, "the unit")?.to_ascii_uppercase();
    let time = &arguments.texts[time];
    Ok(format!("timestamp_extract({time},{}{})", literal::text(&unit), zone_after(arguments, "")))
}

fn in_interval(arguments: &Arguments<'_>) -> Result<String, String> {
    let text = arguments.text(1, "the interval")?;
    let interval = Interval::parse(text).map_err(|error| error.to_string())?;
    let zone = parse_time_zone(arguments.zone).map_err(|error| error.to_string())?;
    // Ends without a zone of their own are local times.
    let is_local = !text.contains('Z');
    let end = |ms: i64| if is_local { local_to_instant(&zone, ms) } else { ms };
    let time = &arguments.texts[0];
    let (start_ms, end_ms) = (end(interval.start_ms), end(interval.end_ms));
    Ok(format!("(({time} >= {start_ms}) && ({time} < {end_ms}))"))
}

/// Whole units from the first time to the second; months and what is made of them are those of the zone.
fn difference(arguments: &Arguments<'_>) -> Result<String, String> {
    let unit = arguments.text(0, "the unit of TIMESTAMPDIFF")?;
    let (from, to) = (&arguments.texts[1], &arguments.texts[2]);
    let session = || literal::text(arguments.zone);
    let zone = arguments.texts.get(3).cloned().unwrap_or_else(session);
    let months = |count: i64| Ok(format!("(subtract_months({to},{from},{zone}) / {count})"));
    let millis = |count: i64| Ok(format!("(({to} - {from}) / {count})"));
    match unit.to_ascii_uppercase().trim_start_matches("SQL_TSI_") {
        "MICROSECOND" => Ok(format!("(({to} - {from}) * 1000)")),
        "MILLISECOND" => millis(1),
        "SECOND" => millis(1000),
        "MINUTE" => millis(60_000),
        "HOUR" => millis(3_600_000),
        "DAY" => millis(86_400_000),
        "WEEK" => millis(604_800_000),
        "MONTH" => months(1),
        "QUARTER" => months(3),
        "YEAR" => months(12),
        other => Err(unknown(other)),
    }
}

/// Months in the session's zone; what is shorter by its milliseconds.
fn add(arguments: &Arguments<'_>) -> Result<String, String> {
    let unit = arguments.text(0, "the unit of TIMESTAMPADD")?.to_ascii_uppercase();
    let (count, time) = (&arguments.texts[1], &arguments.texts[2]);
    let millis = |ms: i64| Ok(format!("({time} + ({count} * {ms}))"));
    match unit.trim_start_matches("SQL_TSI_") {
        "MILLISECOND" => millis(1),
        "SECOND" => millis(1000),
        "MINUTE" => millis(60_000),
        "HOUR" => millis(3_600_000),
        "DAY" => millis(86_400_000),
        "WEEK" => millis(604_800_000),
        unit => {
            let period = period(unit).ok_or_else(|| unknown(unit))?;
            Ok(format!("timestamp_shift({time},'{period}',{count}{})", zone_after(arguments, "")))
        }
    }
}
