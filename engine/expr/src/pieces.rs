//! Where an expression of an instant is constant: functions of time cut time into pieces, within
//! each of which an engine needs to evaluate only once.

use henge_types::Granularity;
use henge_types::zone::offset_span_ms;
use jiff::tz::TimeZone;

use crate::ast::{Ast, BinaryOp};
use crate::functions::{clock_unit, fixed_shift_ms, time_buckets};
use crate::time::SECOND_MS;
use crate::value::ExprValue;

/// Instants and shifts this far from 1970 (nine thousand years) are left alone: within, no
/// arithmetic overflows and the rules of zones are known.
const REACH_MS: i64 = 9_000 * 31_556_952_000;

/// The pieces of time within which an expression stays the same.
#[derive(Debug)]
pub struct TimePieces {
    cuts: Vec<Cut>,
}

/// How one call cuts time.
#[derive(Debug)]
struct Cut {
    /// What is added to the instant before the function is called.
    shift_ms: i64,
    kind: CutKind,
}

#[derive(Debug)]
enum CutKind {
    /// Buckets, as of `timestamp_floor`.
    Buckets(Granularity),
    /// The starts of buckets by themselves, and what is between them, as of `timestamp_ceil`.
    Ceilings(Granularity),
    /// Units of a zone's clock.
    Clock { zone: TimeZone, unit_ms: i64, span: OffsetSpan },
}

/// Instants from `first_ms` to `last_ms`, at which a zone has one offset.
#[derive(Debug)]
struct OffsetSpan {
    offset_ms: i64,
    first_ms: i64,
    last_ms: i64,
}

impl TimePieces {
    /// The pieces of an expression of a column; `None` when the column is read by anything but
    /// functions of time with constant arguments, or when they tell milliseconds apart.
    pub(crate) fn of(ast: &Ast, column: &str) -> Option<Self> {
        let mut cuts = Vec::new();
        collect(ast, column, &mut cuts)?;
        (!cuts.is_empty()).then_some(Self { cuts })
    }

    /// The first and the last of some instants around this one that all give the same result.
    pub fn around(&mut self, ms: i64) -> (i64, i64) {
        let reach = -REACH_MS..=REACH_MS;
        let (mut first, mut last) = (-REACH_MS, REACH_MS);
        for cut in &mut self.cuts {
            // Nothing is claimed about the far ends of time.
            if !reach.contains(&ms) || !reach.contains(&(ms + cut.shift_ms)) {
                return (ms, ms);
            }
            let (start, end) = cut.kind.around(ms + cut.shift_ms);
            first = first.max(start.saturating_sub(cut.shift_ms));
            last = last.min(end.saturating_sub(cut.shift_ms));
        }
        (first, last)
    }
}

impl CutKind {
    fn around(&mut self, ms: i64) -> (i64, i64) {
        match self {
            Self::Buckets(granularity) => {
                let bucket = granularity.bucket(ms);
                (bucket.start_ms, bucket.end_ms - 1)
            }
            Self::Ceilings(granularity) => {
                let bucket = granularity.bucket(ms);
                match bucket.start_ms == ms {
                    true => (ms, ms),
                    false => (bucket.start_ms + 1, bucket.end_ms - 1),
                }
            }
            Self::Clock { zone, unit_ms, span } => {
                if ms < span.first_ms || ms > span.last_ms {
                    *span = OffsetSpan::around(zone, ms);
                }
                let start = (ms + span.offset_ms).div_euclid(*unit_ms) * *unit_ms - span.offset_ms;
                (start.max(span.first_ms), (start + *unit_ms - 1).min(span.last_ms))
            }
        }
    }
}

impl OffsetSpan {
    /// Holds nothing, so that the first instant asks the zone.
    const EMPTY: Self = Self { offset_ms: 0, first_ms: i64::MAX, last_ms: i64::MIN };

    fn around(zone: &TimeZone, ms: i64) -> Self {
        let (offset_ms, first_ms, last_ms) = offset_span_ms(zone, ms);
        Self { offset_ms, first_ms, last_ms }
    }
}

/// Collects the cuts of all calls; `None` when the column is read in another way.
fn collect(ast: &Ast, column: &str, cuts: &mut Vec<Cut>) -> Option<()> {
    match ast {
        Ast::Literal(_) => Some(()),
        Ast::Identifier(name) => (name != column).then_some(()),
        Ast::Unary(_, operand) => collect(operand, column, cuts),
        Ast::Chain { first, rest } => {
            collect(first, column, cuts)?;
            rest.iter().try_for_each(|(_, operand)| collect(operand, column, cuts))
        }
        Ast::Call { name, arguments } => match cut(name, arguments, column) {
            Some(cut) => {
                cuts.push(cut);
                Some(())
            }
            None => arguments.iter().try_for_each(|argument| collect(argument, column, cuts)),
        },
        // A parameter may have the column's name.
        Ast::Lambda { .. } => None,
    }
}

/// The cut of a call whose first argument is the instant and whose others are constant.
fn cut(name: &str, arguments: &[Ast], column: &str) -> Option<Cut> {
    let shift_ms = shift_of(arguments.first()?, column)?;
    let constants = constants(arguments)?;
    let kind = match name {
        "timestamp_floor" => CutKind::Buckets(long_buckets(&constants)?),
        "timestamp_ceil" => CutKind::Ceilings(long_buckets(&constants)?),
        "timestamp_extract" | "timestamp_format" => {
            let (zone, unit_ms) = clock_unit(name, &constants)?;
            CutKind::Clock { zone, unit_ms, span: OffsetSpan::EMPTY }
        }
        _ => return None,
    };
    Some(Cut { shift_ms, kind })
}

/// Buckets of at least a second: of shorter ones there are too many to be worth it.
fn long_buckets(constants: &[ExprValue]) -> Option<Granularity> {
    let granularity = time_buckets(constants).ok()?;
    let length_ms = match &granularity {
        Granularity::All => i64::MAX,
        Granularity::None => 1,
        Granularity::Duration { duration_ms, .. } => *duration_ms,
        Granularity::Period { period, .. } => period.average_length_ms(),
    };
    (length_ms >= SECOND_MS).then_some(granularity)
}

/// What is added to a column, when an expression only adds to it.
fn shift_of(ast: &Ast, column: &str) -> Option<i64> {
    let shift_ms = match ast {
        Ast::Identifier(name) => (name == column).then_some(0),
        Ast::Chain { first, rest } => {
            rest.iter().try_fold(shift_of(first, column)?, |shift_ms, step| match step {
                (BinaryOp::Add, Ast::Literal(ExprValue::Long(ms))) => shift_ms.checked_add(*ms),
                (BinaryOp::Subtract, Ast::Literal(ExprValue::Long(ms))) => {
                    shift_ms.checked_sub(*ms)
                }
                _ => None,
            })
        }
        Ast::Call { name, arguments } if name == "timestamp_shift" => {
            let inner = shift_of(arguments.first()?, column)?;
            inner.checked_add(fixed_shift_ms(&constants(arguments)?)?)
        }
        _ => None,
    };
    shift_ms.filter(|shift_ms| shift_ms.unsigned_abs() <= REACH_MS.unsigned_abs())
}

/// The arguments of a call, all but the first of which are constant: null stands for that.
fn constants(arguments: &[Ast]) -> Option<Vec<ExprValue>> {
    let others = arguments.iter().skip(1).map(|argument| match argument {
        Ast::Literal(value) => Some(value.clone()),
        _ => None,
    });
    std::iter::once(Some(ExprValue::Null)).chain(others).collect()
}

#[cfg(test)]
mod tests;
