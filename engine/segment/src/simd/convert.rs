//! From residuals to values: bodies of kernels.

use crate::simd::row::Row;

/// `base + unit * residual`, wrapping.
#[inline(always)]
pub(super) fn to_longs<R: Row>(residuals: &[u32], base: i64, unit: u64, out: &mut [i64]) {
    match u32::try_from(unit) {
        Ok(1) => each(residuals, out, |residual| base.wrapping_add(i64::from(residual))),
        // A product of 32 by 32 bits is one instruction in every vector unit.
        Ok(unit) => each(residuals, out, |residual| {
            base.wrapping_add((u64::from(unit) * u64::from(residual)) as i64)
        }),
        Err(_) => each(residuals, out, |residual| {
            base.wrapping_add(unit.wrapping_mul(u64::from(residual)) as i64)
        }),
    }
}

/// `(base + unit * residual) / divisor`, rounded once, where the divisor is a power of ten up to
/// 10^18 and the integers are below 2^53, as all are that a writer made.
#[inline(always)]
pub(super) fn to_decimals<R: Row, F>(
    residuals: &[u32],
    base: i64,
    unit: u64,
    divisor: f64,
    of_double: impl Fn(f64) -> F,
    out: &mut [F],
) {
    let (base, unit) = (base as f64, unit as f64);
    if divisor == 1.0 {
        each(residuals, out, |residual| of_double(base + unit * f64::from(residual)));
    } else if R::FUSES {
        let reciprocal = 1.0 / divisor;
        each(residuals, out, |residual| {
            let integer = unit.mul_add(f64::from(residual), base);
            of_double(divide(integer, divisor, reciprocal))
        });
    } else {
        each(residuals, out, |residual| of_double((base + unit * f64::from(residual)) / divisor));
    }
}

/// `integer / divisor` correctly rounded, without the division, which is several times slower.
///
/// The first quotient `q` is off by less than 2 units in the last place, so `integer - q * divisor`
/// is exact: `divisor` is `5^e * 2^e` with `5^e < 2^42`, and what remains is a whole multiple, less
/// than 2^44, of `2^e` units of `q`. The last step adds the remainder's quotient with one rounding.
/// Its error before rounding is below 2^-51 units, while an integer below 2^53 over `divisor` is
/// never nearer than 2^-44 units to a point half way between two doubles, unless it is one, which
/// takes more digits than the integer has. So it rounds as the true quotient does.
#[inline(always)]
fn divide(integer: f64, divisor: f64, reciprocal: f64) -> f64 {
    let quotient = integer * reciprocal;
    let remainder = (-quotient).mul_add(divisor, integer);
    remainder.mul_add(reciprocal, quotient)
}

#[inline(always)]
fn each<T>(residuals: &[u32], out: &mut [T], value: impl Fn(u32) -> T) {
    for (out, residual) in out.iter_mut().zip(residuals) {
        *out = value(*residual);
    }
}

#[cfg(test)]
mod tests {
    use crate::simd::Level;
    use crate::simd::kernels::{to_doubles, to_floats, to_longs};

    fn check(base: i64, unit: u64, exponent: i32, residuals: &[u32]) {
        let divisor = 10_f64.powi(exponent);
        let longs: Vec<i64> = residuals
            .iter()
            .map(|r| base.wrapping_add(unit.wrapping_mul(u64::from(*r)) as i64))
            .collect();
        let doubles: Vec<u64> = longs.iter().map(|i| (*i as f64 / divisor).to_bits()).collect();
        let floats: Vec<u32> =
            longs.iter().map(|i| ((*i as f64 / divisor) as f32).to_bits()).collect();
        for level in Level::all() {
            let mut out = vec![0; residuals.len()];
            to_longs(level, residuals, base, unit, &mut out);
            assert_eq!(out, longs);
            if longs.iter().any(|integer| integer.unsigned_abs() > 1 << 51) {
                continue;
            }
            let mut out = vec![0_f64; residuals.len()];
            to_doubles(level, residuals, base, unit, divisor, &mut out);
            let bits: Vec<u64> = out.iter().map(|value| value.to_bits()).collect();
            assert_eq!(bits, doubles, "{base} {unit} {exponent} {}", level.name());
            let mut out = vec![0_f32; residuals.len()];
            to_floats(level, residuals, base, unit, divisor, &mut out);
            let bits: Vec<u32> = out.iter().map(|value| value.to_bits()).collect();
            assert_eq!(bits, floats, "{base} {unit} {exponent} {}", level.name());
        }
    }

    #[test]
    fn quotients_are_bit_exact() {
        let mut state = 7_u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 32) as u32
        };
        for exponent in 0..=18 {
            for (base, unit, shift) in [
                (0, 1, 0),
                (-1_000_000, 1, 8),
                (-1 << 51, 1 << 19, 0),
                (1 << 50, 262_147, 0),
                (5, 25, 16),
                (i64::MIN, u64::MAX, 0),
            ] {
                let residuals: Vec<u32> = (0..4_001).map(|_| next() >> shift).collect();
                check(base, unit, exponent, &residuals);
            }
        }
    }
}
