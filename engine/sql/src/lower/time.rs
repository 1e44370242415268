//! The times at which a condition can hold, read from its native text: there each of the many ways to write a
//! range of time has one of few forms.

use henge_expr::{Ast, BinaryOp, Expr, ExprValue, UnaryOp};
use henge_types::zone::local_to_instant;
use henge_types::{Granularity, Period, TIME_COLUMN, days_from_civil, parse_time_zone};
use jiff::tz::TimeZone;

use super::time_set::TimeSet;

const DAY_MS: i64 = 86_400_000;
/// Beyond these years a condition stays a filter.
const YEARS: std::ops::RangeInclusive<i64> = -9_998..=9_998;

/// The times of a condition. Only `__time` is looked at.
pub(super) fn times(condition: &Expr) -> TimeSet {
    of(condition.ast())
}

/// The buckets that `timestamp_floor(__time, ..)` cuts time into.
pub(super) fn buckets(text: &str) -> Option<Granularity> {
    match Expr::parse(text).ok()?.as_time_floor()? {
        (TIME_COLUMN, granularity) => Some(granularity),
        _ => None,
    }
}

fn of(condition: &Ast) -> TimeSet {
    match condition {
        Ast::Literal(ExprValue::Long(value)) => TimeSet::constant(*value > 0),
        Ast::Unary(UnaryOp::Not, inner) => of(inner).not(),
        Ast::Chain { first, rest } => match rest.as_slice() {
            [(op, right)] if is_comparison(*op) => {
                comparison(first, *op, right).unwrap_or_else(TimeSet::unknown)
            }
            _ => chain(first, rest),
        },
        Ast::Call { name, arguments } => match (name.as_str(), arguments.as_slice()) {
            ("istrue" | "notfalse", [inner]) => of(inner),
            ("isfalse" | "nottrue", [inner]) => of(inner).not(),
            ("scalar_in_array", [value, Ast::Literal(ExprValue::Array(times))]) => {
                one_of(value, times).unwrap_or_else(TimeSet::unknown)
            }
            _ => TimeSet::unknown(),
        },
        _ => TimeSet::unknown(),
    }
}

fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    matches!(op, Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual)
}

/// ANDs and ORs, applied from the left.
fn chain(first: &Ast, rest: &[(BinaryOp, Ast)]) -> TimeSet {
    let mut either = vec![of(first)];
    for (op, next) in rest {
        match op {
            BinaryOp::Or => either.push(of(next)),
            BinaryOp::And => either = vec![TimeSet::any(either).and(&of(next))],
            _ => return TimeSet::unknown(),
        }
    }
    TimeSet::any(either)
}

fn one_of(value: &Ast, times: &[ExprValue]) -> Option<TimeSet> {
    let value = TimeValue::of(value)?;
    let at = |time: &ExprValue| match time {
        ExprValue::Long(ms) => value.compare(BinaryOp::Equal, *ms),
        _ => None,
    };
    times.iter().map(at).collect::<Option<Vec<_>>>().map(TimeSet::any)
}

fn comparison(left: &Ast, op: BinaryOp, right: &Ast) -> Option<TimeSet> {
    match (constant(left), constant(right)) {
        (None, Some(ms)) => TimeValue::of(left)?.compare(op, ms),
        (Some(ms), None) => TimeValue::of(right)?.compare(swapped(op), ms),
        _ => None,
    }
}

fn swapped(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessOrEqual => BinaryOp::GreaterOrEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterOrEqual => BinaryOp::LessOrEqual,
        other => other,
    }
}

fn constant(ast: &Ast) -> Option<i64> {
    match ast {
        Ast::Literal(ExprValue::Long(value)) => Some(*value),
        Ast::Unary(UnaryOp::Negate, inner) => constant(inner)?.checked_neg(),
        _ => None,
    }
}

/// What grows with time and is compared with constants.
enum TimeValue {
    /// `__time` plus milliseconds.
    Shifted(i64),
    /// The begin of its bucket.
    Floor(Granularity),
    /// Its year in a zone.
    Year(TimeZone),
}

impl TimeValue {
    fn of(ast: &Ast) -> Option<Self> {
        match ast {
            Ast::Identifier(name) if name == TIME_COLUMN => Some(Self::Shifted(0)),
            Ast::Chain { first, rest } => {
                let Self::Shifted(mut by) = Self::of(first)? else { return None };
                for (op, operand) in rest {
                    let ms = constant(operand)?;
                    by = match op {
                        BinaryOp::Add => by.checked_add(ms)?,
                        BinaryOp::Subtract => by.checked_sub(ms)?,
                        _ => return None,
                    };
                }
                Some(Self::Shifted(by))
            }
            Ast::Call { name, arguments } => Self::of_call(name, arguments),
            _ => None,
        }
    }

    fn of_call(name: &str, arguments: &[Ast]) -> Option<Self> {
        let (Ast::Identifier(column), constants) = arguments.split_first()? else { return None };
        if column != TIME_COLUMN {
            return None;
        }
        let text = |place: usize| match constants.get(place) {
            Some(Ast::Literal(ExprValue::String(text))) => Some(text.as_ref()),
            _ => None,
        };
        let zone = |place: usize| match constants.get(place) {
            None | Some(Ast::Literal(ExprValue::Null)) => Some(TimeZone::UTC),
            Some(_) => parse_time_zone(text(place)?).ok(),
        };
        match name {
            "timestamp_floor" => {
                let origin_ms = match constants.get(1) {
                    None | Some(Ast::Literal(ExprValue::Null)) => None,
                    Some(origin) => Some(constant(origin)?),
                };
                let period = Period::parse(text(0)?).ok()?;
                Granularity::period(period, zone(2)?, origin_ms).ok().map(Self::Floor)
            }
            "timestamp_extract" if text(0)?.eq_ignore_ascii_case("YEAR") => zone(1).map(Self::Year),
            _ => None,
        }
    }

    /// The times at which the comparison holds.
    fn compare(&self, op: BinaryOp, value: i64) -> Option<TimeSet> {
        // The first time at which the value is reached, and that at which it is passed.
        let (reached, passed) = self.reaches(value)?;
        Some(match op {
            BinaryOp::Less => TimeSet::span(None, Some(reached)),
            BinaryOp::LessOrEqual => TimeSet::span(None, Some(passed)),
            BinaryOp::Greater => TimeSet::span(Some(passed), None),
            BinaryOp::GreaterOrEqual => TimeSet::span(Some(reached), None),
            BinaryOp::Equal => TimeSet::span(Some(reached), Some(passed)),
            BinaryOp::NotEqual => TimeSet::span(Some(reached), Some(passed)).not(),
            _ => return None,
        })
    }

    fn reaches(&self, value: i64) -> Option<(i64, i64)> {
        match self {
            Self::Shifted(by) => {
                let ms = value.checked_sub(*by)?;
                Some((ms, ms.checked_add(1)?))
            }
            Self::Floor(granularity) => {
                let bucket = granularity.bucket(value);
                // A value within a bucket is no begin: it is passed where it is reached.
                let reached = if bucket.start_ms == value { value } else { bucket.end_ms };
                Some((reached, bucket.end_ms))
            }
            Self::Year(zone) => {
                let begin = |year: i64| {
                    let days = days_from_civil(year, 1, 1);
                    YEARS.contains(&year).then(|| local_to_instant(zone, days * DAY_MS))
                };
                Some((begin(value)?, begin(value + 1)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn holds(condition: &str, exact: bool, expected: &[&str]) {
        let known = times(&Expr::parse(condition).unwrap());
        let intervals: Vec<String> =
            known.intervals.iter().map(|interval| interval.to_string()).collect();
        assert_eq!(
            (intervals, known.exact),
            (expected.iter().map(|e| (*e).to_owned()).collect(), exact)
        );
    }

    #[test]
    fn ranges_are_read_however_they_are_written() {
        let day = ["2000-01-01T00:00:00.000Z/2000-01-02T00:00:00.000Z"];
        holds("__time >= 946684800000 && __time < 946771200000", true, &day);
        holds("(946684800000 <= __time) && !(__time >= 946771200000)", true, &day);
        holds("timestamp_floor(__time,'P1D') == 946684800000", true, &day);
        holds("__time - 1000 >= 946684799000 && __time <= 946771199999", true, &day);
        holds("timestamp_floor(__time,'P1D') == 946684800001", true, &[]);
        holds("scalar_in_array(timestamp_floor(__time,'P1D'),[946684800000])", true, &day);
    }

    #[test]
    fn years_and_floors_are_those_of_their_zone() {
        holds(
            "timestamp_extract(__time,'YEAR') == 2000",
            true,
            &["2000-01-01T00:00:00.000Z/2001-01-01T00:00:00.000Z"],
        );
        holds(
            "timestamp_extract(__time,'YEAR','America/Los_Angeles') == 2000",
            true,
            &["2000-01-01T08:00:00.000Z/2001-01-01T08:00:00.000Z"],
        );
        holds(
            "timestamp_floor(__time,'P1M',null,'America/Los_Angeles') == 946713600000",
            true,
            &["2000-01-01T08:00:00.000Z/2000-02-01T08:00:00.000Z"],
        );
    }

    #[test]
    fn what_else_must_hold_keeps_a_filter() {
        let day = ["2000-01-01T00:00:00.000Z/2000-01-02T00:00:00.000Z"];
        holds("timestamp_floor(__time,'P1D') == 946684800000 && a == 1", false, &day);
        let both = "(__time >= 946684800000 && __time < 946728000000 && a == 1) \
                    || (__time >= 946728000000 && __time < 946771200000 && a == 2)";
        holds(both, false, &day);
        let all = ["-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z"];
        holds("a == 1", false, &all);
        holds("timestamp_extract(__time,'MONTH') == 1", false, &all);
        holds("!(a == 1 && __time < 946728000000)", false, &all);
    }
}
