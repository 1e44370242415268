//! Functions of time. Instants are LONG milliseconds; zones default to UTC.

use henge_types::{Granularity, Period, parse_time_zone};
use jiff::tz::TimeZone;

use super::{Function, LONG, STRING, argument, plain, prepared};
use crate::error::{ExprError, Result};
use crate::joda::JodaPattern;
use crate::node::Callable;
use crate::time::{Civil, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, parse_iso};
use crate::types::as_index;
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    prepared("timestamp", 1, 2, LONG, |l| prepare_parse("timestamp", l)),
    prepared("unix_timestamp", 1, 2, LONG, |l| {
        let parse = prepare_parse("unix_timestamp", l)?;
        Ok(Box::new(move |arguments, budget| {
            Ok(parse(arguments, budget)?.as_long().map(|ms| ms.div_euclid(1000)).into())
        }))
    }),
    prepared("timestamp_parse", 1, 3, LONG, |l| prepare_parse("timestamp_parse", l)),
    prepared("timestamp_format", 1, 3, STRING, |l| {
        prepare("timestamp_format", l, format_setup, format_run)
    }),
    prepared("timestamp_floor", 2, 4, LONG, |l| {
        prepare("timestamp_floor", l, granularity, |granularity, a| {
            Ok(a[0].as_long().map(|ms| granularity.bucket_start(ms)).into())
        })
    }),
    prepared("timestamp_ceil", 2, 4, LONG, |l| {
        prepare("timestamp_ceil", l, granularity, |granularity, a| {
            Ok(a[0].as_long().map(|ms| ceil(granularity, ms)).into())
        })
    }),
    prepared("timestamp_shift", 3, 4, LONG, |l| {
        prepare("timestamp_shift", l, shift_setup, |(period, zone), a| {
            Ok(match (a[0].as_long(), as_index(&a[2])) {
                (Some(ms), Some(times)) => period.checked_add(ms, times, zone).into(),
                _ => ExprValue::Null,
            })
        })
    }),
    prepared("timestamp_extract", 2, 3, LONG, |l| {
        prepare("timestamp_extract", l, extract_setup, |(unit, zone), a| {
            Ok(a[0].as_long().map(|ms| unit(ms, &Civil::new(ms, zone))).into())
        })
    }),
    plain("subtract_months", 2, 3, LONG, subtract_months),
];

/// Steps that reading a period, a zone and a pattern counts as.
const SETUP_STEPS: u64 = 100;

/// Prepares from the constant arguments once when all that matter (those after the first) are
/// constant, else for every call. Null where a period, unit or pattern belongs is refused.
fn prepare<S: Send + Sync + 'static>(
    function: &'static str,
    literals: &[Option<&ExprValue>],
    setup: fn(&'static str, &[ExprValue]) -> Result<S>,
    run: fn(&S, &[ExprValue]) -> Result<ExprValue>,
) -> Result<Callable> {
    // The number of shifts may vary without costing the preparation.
    let matters = |index: usize| index > 0 && !(function == "timestamp_shift" && index == 2);
    let all_constant = literals.iter().enumerate().all(|(i, l)| !matters(i) || l.is_some());
    if all_constant {
        let known: Vec<ExprValue> =
            literals.iter().map(|literal| literal.cloned().unwrap_or_default()).collect();
        let state = setup(function, &known)?;
        return Ok(Box::new(move |arguments, _| run(&state, arguments)));
    }
    Ok(Box::new(move |arguments, budget| {
        budget.step(SETUP_STEPS)?;
        run(&setup(function, arguments)?, arguments)
    }))
}

fn time_zone(function: &'static str, value: &ExprValue) -> Result<TimeZone> {
    match value.as_text() {
        None => Ok(TimeZone::UTC),
        Some(name) if name.is_empty() => Ok(TimeZone::UTC),
        Some(name) => {
            parse_time_zone(&name).map_err(|e| ExprError::argument(function, e.to_string()))
        }
    }
}

fn period(function: &'static str, value: &ExprValue) -> Result<Period> {
    let Some(text) = value.as_text() else {
        return Err(ExprError::argument(function, "the period must not be null"));
    };
    Period::parse(&text).map_err(|error| ExprError::argument(function, error.to_string()))
}

fn granularity(function: &'static str, arguments: &[ExprValue]) -> Result<Granularity> {
    let period = period(function, &arguments[1])?;
    let zone = time_zone(function, argument(arguments, 3))?;
    let origin = match argument(arguments, 2) {
        ExprValue::String(text) => match parse_iso(text, &zone) {
            Some(ms) => Some(ms),
            None => return Err(ExprError::argument(function, "the origin is no timestamp")),
        },
        other => other.as_long(),
    };
    Granularity::period(period, zone, origin)
        .map_err(|error| ExprError::argument(function, error.to_string()))
}

/// The zone and the unit of the local clock within which calls of `timestamp_extract` and
/// `timestamp_format` with these constant arguments give the same; `None` when it is below a second.
pub(crate) fn clock_unit(name: &str, arguments: &[ExprValue]) -> Option<(TimeZone, i64)> {
    if name == "timestamp_format" {
        let (pattern, zone) = format_setup("timestamp_format", arguments).ok()?;
        return Some((zone, pattern?.unit_ms()?));
    }
    let (_, zone) = extract_setup("timestamp_extract", arguments).ok()?;
    let unit_ms = match arguments.get(1)?.as_text()?.to_ascii_uppercase().as_str() {
        "MICROSECOND" | "MILLISECOND" => return None,
        "EPOCH" | "SECOND" => SECOND_MS,
        "MINUTE" => MINUTE_MS,
        "HOUR" => HOUR_MS,
        _ => DAY_MS,
    };
    Some((zone, unit_ms))
}

/// How far `timestamp_shift` with these constant arguments moves every instant, when it is equally
/// far.
pub(crate) fn fixed_shift_ms(arguments: &[ExprValue]) -> Option<i64> {
    let (period, zone) = shift_setup("timestamp_shift", arguments).ok()?;
    let days_are_fixed = period.total_days() == 0 || zone == TimeZone::UTC;
    let length_ms = period.fixed_length_ms().filter(|_| days_are_fixed)?;
    length_ms.checked_mul(as_index(arguments.get(2)?)?)
}

/// The buckets that the constant arguments of `timestamp_floor` describe.
pub(crate) fn time_buckets(arguments: &[ExprValue]) -> Result<Granularity> {
    match arguments.len() {
        2..=4 => granularity("timestamp_floor", arguments),
        _ => Err(ExprError::argument("timestamp_floor", "it takes two to four arguments")),
    }
}

fn ceil(granularity: &Granularity, ms: i64) -> i64 {
    let start = granularity.bucket_start(ms);
    if start == ms { ms } else { granularity.next_bucket(start) }
}

fn shift_setup(function: &'static str, arguments: &[ExprValue]) -> Result<(Period, TimeZone)> {
    let period = period(function, &arguments[1])?;
    Ok((period, time_zone(function, argument(arguments, 3))?))
}

/// `subtract_months(later, earlier[, zone])`: the whole months from the second time to the first.
fn subtract_months(arguments: &[ExprValue]) -> Result<ExprValue> {
    let zone = time_zone("subtract_months", argument(arguments, 2))?;
    Ok(match (arguments[0].as_long(), arguments[1].as_long()) {
        (Some(later), Some(earlier)) => months_between(earlier, later, &zone).into(),
        _ => ExprValue::Null,
    })
}

fn months_between(from_ms: i64, to_ms: i64, zone: &TimeZone) -> Option<i64> {
    let month = Period { months: 1, ..Period::default() };
    let (from, to) = (Civil::new(from_ms, zone), Civil::new(to_ms, zone));
    let months = (to.year - from.year) * 12 + i64::from(to.month) - i64::from(from.month);
    // A month that is not whole does not count, whichever way time goes.
    let reached = month.checked_add(from_ms, months, zone)?;
    Some(match to_ms >= from_ms {
        true if reached > to_ms => months - 1,
        false if reached < to_ms => months + 1,
        _ => months,
    })
}

/// A unit of `timestamp_extract`.
type Unit = fn(i64, &Civil) -> i64;

fn extract_setup(function: &'static str, arguments: &[ExprValue]) -> Result<(Unit, TimeZone)> {
    let name = arguments[1].as_text().unwrap_or_default().to_ascii_uppercase();
    let unit: Unit = match name.as_str() {
        "EPOCH" => |ms, _| ms.div_euclid(1000),
        "MICROSECOND" => |_, civil| civil.millis * 1000,
        "MILLISECOND" => |_, civil| civil.millis,
        "SECOND" => |_, civil| civil.second,
        "MINUTE" => |_, civil| civil.minute,
        "HOUR" => |_, civil| civil.hour,
        "DAY" => |_, civil| i64::from(civil.day),
        "DOW" | "ISODOW" => |_, civil| civil.day_of_week(),
        "DOY" => |_, civil| civil.day_of_year(),
        "WEEK" => |_, civil| civil.iso_week().1,
        "MONTH" => |_, civil| i64::from(civil.month),
        "QUARTER" => |_, civil| i64::from(civil.month - 1) / 3 + 1,
        "YEAR" => |_, civil| civil.year,
        "ISOYEAR" => |_, civil| civil.iso_week().0,
        "DECADE" => |_, civil| civil.year.div_euclid(10),
        "CENTURY" => |_, civil| (civil.year - 1).div_euclid(100) + 1,
        "MILLENNIUM" => |_, civil| (civil.year - 1).div_euclid(1000) + 1,
        _ => {
            let message = format!(
                "unknown unit '{name}': use EPOCH, MICROSECOND, MILLISECOND, SECOND, MINUTE, HOUR, \
                 DAY, DOW, ISODOW, DOY, WEEK, MONTH, QUARTER, YEAR, ISOYEAR, DECADE, CENTURY or \
                 MILLENNIUM"
            );
            return Err(ExprError::argument(function, message));
        }
    };
    Ok((unit, time_zone(function, argument(arguments, 2))?))
}

/// A pattern (`None`: ISO) and the zone of texts without one.
type Format = (Option<JodaPattern>, TimeZone);

fn format_setup(function: &'static str, arguments: &[ExprValue]) -> Result<Format> {
    let pattern = match argument(arguments, 1).as_text() {
        None => None,
        Some(text) => Some(
            JodaPattern::parse(&text).map_err(|message| ExprError::argument(function, message))?,
        ),
    };
    Ok((pattern, time_zone(function, argument(arguments, 2))?))
}

fn format_run((pattern, zone): &Format, arguments: &[ExprValue]) -> Result<ExprValue> {
    let Some(ms) = arguments[0].as_long() else { return Ok(ExprValue::Null) };
    Ok(match pattern {
        Some(pattern) => pattern.format(ms, zone).into(),
        None => henge_types::format_timestamp_in_zone(ms, zone).into(),
    })
}

/// Text to milliseconds, null when it does not parse. Numbers are instants already.
fn prepare_parse(function: &'static str, literals: &[Option<&ExprValue>]) -> Result<Callable> {
    prepare(function, literals, format_setup, |(pattern, zone), arguments| {
        Ok(match (&arguments[0], pattern) {
            (ExprValue::Long(ms), _) => ExprValue::Long(*ms),
            (ExprValue::String(text), Some(pattern)) => pattern.read(text.trim(), zone).into(),
            (ExprValue::String(text), None) => parse_iso(text, zone).into(),
            _ => ExprValue::Null,
        })
    })
}
