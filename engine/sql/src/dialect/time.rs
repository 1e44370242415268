//! Time: units as periods, the session's zone as an argument, the clock as a literal.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CeilFloorKind, DataType, DateTimeField, Expr, Function, FunctionArguments,
    Interval,
};

use super::{Surroundings, tree, units};
use crate::error::{Result, SqlError};

const DAY_MS: i64 = 86_400_000;

/// `FLOOR(x TO unit)` and `FLOOR(x)`, and the same of CEIL.
///
/// # Errors
/// When the unit is no length of time.
pub(super) fn floor(
    expr: &mut Expr,
    kind: &CeilFloorKind,
    name: &str,
    around: &Surroundings,
) -> Result<Expr> {
    let expr = tree::take(expr);
    match kind {
        CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => Ok(tree::call(name, vec![expr])),
        CeilFloorKind::DateTimeField(unit) => {
            let period = period_of(&unit.to_string(), name)?;
            let args = vec![expr, tree::text(period)];
            Ok(tree::call(&format!("time_{name}"), with_zone(args, 4, around)))
        }
        CeilFloorKind::Scale(scale) => Ok(tree::call(name, vec![expr, Expr::Value(scale.clone())])),
    }
}

fn period_of(unit: &str, name: &str) -> Result<&'static str> {
    units::period(&unit.to_ascii_uppercase()).ok_or_else(|| {
        SqlError::invalid(format!(
            "{} to {unit} is not known; units are SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER \
             and YEAR",
            name.to_ascii_uppercase()
        ))
    })
}

/// `EXTRACT(unit FROM x)`
pub(super) fn extract(unit: &str, expr: &mut Expr, around: &Surroundings) -> Expr {
    let unit = unit.trim_matches('\'').to_ascii_uppercase();
    tree::call("time_extract", with_zone(vec![tree::take(expr), tree::text(unit)], 3, around))
}

/// `x ± INTERVAL '…' unit`, as a shift.
///
/// # Errors
/// When the interval is none.
pub(super) fn shifted(
    left: &mut Expr,
    op: &BinaryOperator,
    right: &mut Expr,
    around: &Surroundings,
) -> Result<Option<Expr>> {
    let (time, interval, step) = match (op, &mut *left, &mut *right) {
        (BinaryOperator::Plus, time, Expr::Interval(interval)) => (time, interval, 1),
        (BinaryOperator::Plus, Expr::Interval(interval), time) => (time, interval, 1),
        (BinaryOperator::Minus, time, Expr::Interval(interval)) => (time, interval, -1),
        (BinaryOperator::Modulo, left, right) => {
            return Ok(Some(tree::call("mod", vec![tree::take(left), tree::take(right)])));
        }
        _ => return Ok(None),
    };
    if matches!(time, Expr::Interval(_)) {
        return Ok(None);
    }
    let period = length(interval)?;
    // A DATE moved by days or months is a DATE.
    let name = if is_of_days(&period) { "time_moved" } else { "time_shift" };
    let args = vec![tree::take(time), tree::text(period), tree::number(step)];
    Ok(Some(tree::call(name, with_zone(args, 4, around))))
}

/// Whether a period that [`length`] wrote is of months or whole days.
fn is_of_days(period: &str) -> bool {
    let seconds = period.strip_prefix("PT").and_then(|rest| rest.strip_suffix('S'));
    seconds.is_none_or(|seconds| seconds.parse::<i64>().is_ok_and(|s| s % (DAY_MS / 1000) == 0))
}

/// The length of an interval as a period: months, or exact seconds.
fn length(interval: &Interval) -> Result<String> {
    let text = match interval.value.as_ref() {
        Expr::Value(value) => value.value.clone().into_string(),
        _ => None,
    };
    let unit = interval.leading_field.as_ref().map(ToString::to_string).unwrap_or_default();
    let unit = unit.to_ascii_uppercase();
    let wrong = || {
        SqlError::invalid(format!(
            "{interval} is no interval; write INTERVAL '2' MONTH or INTERVAL '1 10:00:00' DAY TO SECOND"
        ))
    };
    let text = match (&text, interval.value.as_ref()) {
        (Some(text), _) => text.trim().to_owned(),
        (None, Expr::Value(value)) => value.value.to_string(),
        (None, _) => return Err(wrong()),
    };
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.to_owned()),
        None => (false, text),
    };
    let sign = if negative { "-" } else { "" };
    if let Some(months) = units::months(&unit) {
        let months = months_of(&text, months).ok_or_else(wrong)?;
        return Ok(format!("P{sign}{months}M"));
    }
    let (seconds, ms) = seconds_of(&text, &unit).ok_or_else(wrong)?;
    let fraction = if ms == 0 { String::new() } else { format!(".{ms:03}") };
    Ok(format!("PT{sign}{seconds}{fraction}S"))
}

/// `'14' MONTH` and `'1-2' YEAR TO MONTH`.
fn months_of(text: &str, months: i64) -> Option<i64> {
    match text.split_once('-') {
        Some((years, rest)) => {
            years.parse::<i64>().ok()?.checked_mul(12)?.checked_add(rest.parse().ok()?)
        }
        None => text.parse::<i64>().ok()?.checked_mul(months),
    }
}

/// `'90.5' SECOND`, `'1 10:00:00' DAY TO SECOND`, `'10:30' HOUR TO MINUTE`: seconds and ms.
fn seconds_of(text: &str, unit: &str) -> Option<(i64, i64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let ms = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    let mut unit = units::seconds(unit)?;
    let mut seconds: i64 = 0;
    for part in whole.split([' ', ':']) {
        seconds = seconds.checked_add(part.parse::<i64>().ok()?.checked_mul(unit)?)?;
        unit = if unit == 86_400 { 3_600 } else { unit / 60 };
    }
    Some((seconds, ms))
}

/// CURRENT_TIMESTAMP and CURRENT_DATE as literals; `None` for other calls.
///
/// # Errors
/// When the day is beyond what a DATE holds.
pub(super) fn clock(function: &Function, around: &Surroundings) -> Result<Option<Expr>> {
    let name = tree::name(function).unwrap_or_default();
    match name.as_str() {
        "current_timestamp" | "localtimestamp" | "now" => {
            Ok(Some(tree::timestamp(rounded(around.now_ms, function))))
        }
        "current_date" => {
            let offset = around
                .zone
                .as_ref()
                .map_or(0, |zone| henge_types::zone::offset_ms_at(&zone.rules, around.now_ms));
            let day_ms = (around.now_ms + offset).div_euclid(DAY_MS) * DAY_MS;
            let text = henge_types::format_timestamp(day_ms);
            let day = text.split('T').next().unwrap_or_default();
            Ok(Some(tree::cast(tree::text(day), DataType::Date)))
        }
        _ => Ok(None),
    }
}

/// `CURRENT_TIMESTAMP(1)` has tenths of seconds.
fn rounded(now_ms: i64, function: &Function) -> i64 {
    let digits = match tree::arguments(function).as_deref() {
        Some([Expr::Value(digits)]) => digits.value.to_string().parse::<u32>().unwrap_or(3),
        _ => 3,
    };
    let unit_ms = 10_i64.pow(3 - digits.min(3));
    now_ms.div_euclid(unit_ms) * unit_ms
}

/// Functions of time with the session's zone as an argument, and their forms with units.
///
/// # Errors
/// When a unit is not known.
pub(super) fn call(function: &mut Function, around: &Surroundings) -> Result<Option<Expr>> {
    let name = tree::name(function).unwrap_or_default();
    let Some(args) = tree::arguments(function) else { return Ok(None) };
    match (name.as_str(), args.as_slice()) {
        ("date_trunc", [unit, x]) => {
            let unit = tree::as_text(unit).unwrap_or_default().to_ascii_uppercase();
            Ok(units::period(&unit).map(|period| {
                let args = vec![(*x).clone(), tree::text(period)];
                tree::call("time_floor", with_zone(args, 4, around))
            }))
        }
        ("timestampadd", [unit, count, x]) => {
            let period = period_of(&unit_name(unit), &name)?;
            let args = vec![(*x).clone(), tree::text(period), (*count).clone()];
            Ok(Some(tree::call("time_shift", with_zone(args, 4, around))))
        }
        ("timestampdiff", [unit @ Expr::Identifier(_), a, b]) => {
            let args = vec![tree::text(unit_name(unit)), (*a).clone(), (*b).clone()];
            Ok(Some(tree::call("timestampdiff", with_zone(args, 4, around))))
        }
        ("time_floor" | "time_ceil" | "time_shift", _) => Ok(add_zone(function, 4, around)),
        ("time_extract" | "time_format" | "time_parse", _) => Ok(add_zone(function, 3, around)),
        _ => Ok(None),
    }
}

fn unit_name(unit: &Expr) -> String {
    match unit {
        Expr::Identifier(ident) => ident.value.to_ascii_uppercase(),
        other => tree::as_text(other).unwrap_or_default().to_ascii_uppercase(),
    }
}

/// Adds the zone to a call that has none, in place.
fn add_zone(function: &mut Function, places: usize, around: &Surroundings) -> Option<Expr> {
    let FunctionArguments::List(list) = &mut function.args else { return None };
    let zone = around.zone.as_ref()?;
    if list.args.len() < places {
        list.args.resize(places - 1, tree::argument(tree::null()));
        list.args.push(tree::argument(tree::text(&zone.name)));
    }
    None
}

/// The arguments with the zone as the last of so many.
fn with_zone(mut args: Vec<Expr>, places: usize, around: &Surroundings) -> Vec<Expr> {
    if let Some(zone) = &around.zone {
        args.resize(places - 1, tree::null());
        args.push(tree::text(&zone.name));
    }
    args
}
