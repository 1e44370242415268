//! Decimal text compared exactly, digit by digit, without making a big number of it.

use std::cmp::Ordering;

/// A finite decimal number as text has it (`-12.50e3`), and the double next to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimal<'a> {
    text: &'a str,
    nearest: f64,
}

/// Where a number lies among the values of LONG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// Below all of them.
    Below,
    /// At this value, or (true) between it and the next one.
    At(i64, bool),
    /// Above all of them.
    Above,
}

/// `0.d1d2d3… * 10^scale`, where `d1` is not 0. Zero has no digits.
struct Parts<'a> {
    negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
    scale: i64,
}

impl<'a> Decimal<'a> {
    /// The text must be one that `parse_double` takes for this double, and spell a finite number.
    pub(super) fn new(text: &'a str, nearest: f64) -> Self {
        Self { text, nearest }
    }

    /// The nearest double; infinite beyond the range of doubles.
    #[must_use]
    pub fn nearest(self) -> f64 {
        self.nearest
    }

    fn parts(self) -> Parts<'a> {
        let unsigned = self.text.strip_prefix(['+', '-']).unwrap_or(self.text);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // An exponent of so many digits leaves every other scale behind, whatever its value.
        const FAR: i64 = i64::MAX / 4;
        let far = if exponent.starts_with('-') { -FAR } else { FAR };
        let exponent = exponent.parse::<i64>().map_or(far, |value| value.clamp(-FAR, FAR));
        let (integer, fraction) = (integer.as_bytes(), fraction.as_bytes());
        let zeros = |digits: &[u8]| digits.iter().take_while(|&&digit| digit == b'0').count();
        let leading = zeros(integer);
        let (integer, fraction, scale) = if leading < integer.len() {
            let integer = &integer[leading..];
            (integer, fraction, integer.len() as i64)
        } else {
            let leading = zeros(fraction);
            (&integer[..0], &fraction[leading..], -(leading as i64))
        };
        let negative = self.text.starts_with('-');
        Parts { negative, integer, fraction, scale: scale + exponent }
    }

    /// Compares by value.
    #[must_use]
    pub fn compare(self, other: Decimal<'_>) -> Ordering {
        // Rounding keeps the order, so only numbers with one nearest double need their digits.
        match self.nearest.partial_cmp(&other.nearest) {
            Some(Ordering::Equal) | None => self.parts().compare(&other.parts()),
            Some(order) => order,
        }
    }

    /// Compares with an integer by value.
    #[must_use]
    pub fn compare_long(self, long: i64) -> Ordering {
        match self.nearest.partial_cmp(&(long as f64)) {
            Some(Ordering::Equal) | None => {
                let text = long.to_string();
                self.parts().compare(&Decimal::new(&text, long as f64).parts())
            }
            Some(order) => order,
        }
    }

    pub(super) fn whole(self) -> Whole {
        let parts = self.parts();
        let outside = if parts.negative { Whole::Below } else { Whole::Above };
        if parts.is_zero() {
            return Whole::At(0, false);
        }
        // 2^63 has 19 digits.
        if parts.scale > 19 {
            return outside;
        }
        let integer_digits = usize::try_from(parts.scale).unwrap_or(0);
        let mut digits = parts.digits();
        let mut value: i128 = 0;
        for _ in 0..integer_digits {
            value = value * 10 + i128::from(digits.next().unwrap_or(0));
        }
        let fraction = digits.any(|digit| digit != 0);
        let floor = match parts.negative {
            true => -value - i128::from(fraction),
            false => value,
        };
        i64::try_from(floor).map_or(outside, |floor| Whole::At(floor, fraction))
    }
}

impl Parts<'_> {
    fn digits(&self) -> impl Iterator<Item = u8> {
        self.integer.iter().chain(self.fraction).map(|digit| digit - b'0')
    }

    fn is_zero(&self) -> bool {
        self.digits().all(|digit| digit == 0)
    }

    fn compare(&self, other: &Parts<'_>) -> Ordering {
        let sign = |parts: &Parts<'_>| match (parts.is_zero(), parts.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let (left, right) = (sign(self), sign(other));
        if left != right || left == 0 {
            return left.cmp(&right);
        }
        let magnitude = self.scale.cmp(&other.scale).then_with(|| self.compare_digits(other));
        if left < 0 { magnitude.reverse() } else { magnitude }
    }

    /// Digits of one scale; what is not written is 0.
    fn compare_digits(&self, other: &Parts<'_>) -> Ordering {
        let (mut left, mut right) = (self.digits(), other.digits());
        loop {
            match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                (a, b) => match a.unwrap_or(0).cmp(&b.unwrap_or(0)) {
                    Ordering::Equal => {}
                    order => return order,
                },
            }
        }
    }
}
