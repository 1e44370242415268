//! Floats as integers over a power of ten: finding the power, and the integers.

use crate::encoding::float::{Float, MAX_INTEGER, POWERS, SHIFTER, to_double};
use crate::encoding::residual::{self, Layout};
use crate::encoding::shape::Shape;
use crate::encoding::{Encoding, Plan};
use crate::format::bytes::ByteWriter;

/// Rows that are looked at to find the exponent.
const SAMPLE_ROWS: usize = 256;

/// The integers of a block, and the rows that have none.
#[derive(Debug)]
pub(super) struct Decimal {
    exponent: u8,
    integers: Vec<i64>,
    exceptions: Vec<usize>,
    shape: Shape,
}

impl Decimal {
    /// `None` when an eighth of the rows or more are exceptions.
    pub(super) fn of<F: Float>(values: &[F]) -> Option<Self> {
        let exponent = best_exponent(values)?;
        let power = POWERS[usize::from(exponent)];
        let mut integers: Vec<i64> = Vec::with_capacity(values.len());
        let mut inexact = 0;
        integers.extend(values.iter().map(|value| {
            let (integer, exact) = nearest(*value, power);
            inexact += usize::from(!exact);
            integer
        }));
        if inexact * 8 >= values.len() {
            return None;
        }
        let exceptions = match inexact {
            0 => Vec::new(),
            _ => smooth(&mut integers, values, power),
        };
        let shape = Shape::of(&integers);
        Some(Self { exponent, integers, exceptions, shape })
    }

    pub(super) fn plans<F>(&self) -> Vec<Plan> {
        let exception_bytes = (size_of::<F>() + 2) * self.exceptions.len();
        let mut plans = self.shape.plans(self.integers.len());
        for plan in &mut plans {
            plan.encoding = Encoding::Decimal;
            plan.raw_bytes += 3 + exception_bytes;
        }
        plans
    }

    /// Where a codec begins anew in some rows encoded by a plan, counted from the end.
    pub(super) fn cuts(&self, plan: &Plan, rows: usize) -> Vec<usize> {
        self.shape.cuts(plan, rows)
    }

    /// Encodes the integers by a plan of theirs.
    pub(super) fn encode<F: Float>(
        &self,
        values: &[F],
        plan: &Plan,
        rows: std::ops::Range<usize>,
    ) -> Vec<u8> {
        let mut raw = vec![self.exponent];
        let inside: Vec<usize> =
            self.exceptions.iter().copied().filter(|row| rows.contains(row)).collect();
        raw.put_varint(inside.len() as u64);
        if !inside.is_empty() {
            let max = inside.iter().max().map_or(0, |row| *row as u64);
            let mut stream = Vec::new();
            residual::encode_map(&inside, max, Layout::Packed, &mut stream, |row| row as u64);
            raw.put_varint(stream.len() as u64);
            raw.extend(stream);
            inside.iter().for_each(|row| raw.extend_from_slice(values[*row].as_bytes()));
        }
        raw.push(plan.integers as u8);
        self.shape.encode(plan, &self.integers[rows], &mut raw);
        raw
    }
}

/// The integer nearest to the value times the power, and whether decoding it gives the value.
#[inline]
fn nearest<F: Float>(value: F, power: f64) -> (i64, bool) {
    // Through the mantissa and back, as decoding will: it is there that -0.0 and NaN are lost.
    let shifted = value.to_f64() * power + SHIFTER;
    let integer = shifted.to_bits().wrapping_sub(SHIFTER.to_bits()).cast_signed();
    let same = F::from_f64(to_double(integer) / power).bits() == value.bits();
    (integer, same & (integer.unsigned_abs() <= MAX_INTEGER))
}

/// The rows of exceptions, whose integers are made to repeat their neighbour so that they widen no
/// frame.
fn smooth<F: Float>(integers: &mut [i64], values: &[F], power: f64) -> Vec<usize> {
    let exact = |value: F| nearest(value, power).1;
    let first = values.iter().position(|value| exact(*value)).unwrap_or(0);
    let mut last = integers.get(first).copied().unwrap_or(0);
    let mut exceptions = Vec::new();
    for (row, (integer, value)) in integers.iter_mut().zip(values).enumerate() {
        if exact(*value) {
            last = *integer;
        } else {
            *integer = last;
            exceptions.push(row);
        }
    }
    exceptions
}

/// The smallest exponent that represents most values of a sample, if one represents three quarters.
fn best_exponent<F: Float>(values: &[F]) -> Option<u8> {
    let step = (values.len() / SAMPLE_ROWS).max(1);
    let sample: Vec<F> = values.iter().copied().step_by(step).collect();
    let mut best = (0, 0);
    for (exponent, power) in (0_u8..).zip(&POWERS) {
        let count = sample.iter().filter(|value| nearest(**value, *power).1).count();
        if count > best.0 {
            best = (count, exponent);
        }
        if count == sample.len() {
            break;
        }
    }
    (best.0 * 4 >= sample.len() * 3).then_some(best.1)
}
