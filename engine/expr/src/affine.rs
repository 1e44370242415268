//! Expressions that multiply one integer column by a constant and add another one, such as `x + 3`:
//! the sum of their values follows from the sum and the number of the column's.

use crate::ast::{Ast, BinaryOp, UnaryOp};
use crate::value::ExprValue;

/// `factor * x + offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Affine {
    /// What the column is multiplied by.
    pub factor: i128,
    /// What is added.
    pub offset: i128,
}

impl Affine {
    /// The column itself.
    pub const IDENTITY: Self = Self { factor: 1, offset: 0 };

    /// The form of a syntax tree whose only identifier is an integer column with values of a range;
    /// `None` for other forms, and when a result on the way to one of the range does not fit in 64
    /// bits: it would be null.
    pub(crate) fn of(ast: &Ast, range: (i64, i64)) -> Option<Self> {
        let form = match ast {
            Ast::Literal(ExprValue::Long(value)) => Self { factor: 0, offset: i128::from(*value) },
            Ast::Identifier(_) => Self::IDENTITY,
            Ast::Unary(UnaryOp::Negate, operand) => {
                Self::of(operand, range)?.combined(-1, Self { factor: 0, offset: 0 })?
            }
            Ast::Chain { first, rest } => {
                let mut form = Self::of(first, range)?;
                for (op, operand) in rest {
                    let operand = Self::of(operand, range)?;
                    form = match op {
                        BinaryOp::Add => form.combined(1, operand),
                        BinaryOp::Subtract => operand.combined(-1, form),
                        BinaryOp::Multiply => form.product(operand),
                        _ => None,
                    }?;
                    form.fits(range)?;
                }
                form
            }
            _ => return None,
        };
        form.fits(range)?;
        Some(form)
    }

    /// So many times this, and another one.
    fn combined(self, times: i128, other: Self) -> Option<Self> {
        let add = |a: i128, b: i128| a.checked_mul(times)?.checked_add(b);
        Some(Self {
            factor: add(self.factor, other.factor)?,
            offset: add(self.offset, other.offset)?,
        })
    }

    /// The product, when one of them is a constant.
    fn product(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self { factor: 0, offset: times }, form)
            | (form, Self { factor: 0, offset: times }) => {
                form.combined(times, Self { factor: 0, offset: 0 })
            }
            _ => None,
        }
    }

    /// `None` when a value does not fit in 64 bits. The extreme ones are at the ends of the range.
    fn fits(self, range: (i64, i64)) -> Option<()> {
        for end in [range.0, range.1] {
            let value = self.factor.checked_mul(i128::from(end))?.checked_add(self.offset)?;
            i64::try_from(value).ok()?;
        }
        Some(())
    }

    /// The sum of the values, given the sum and the number of the column's that are not null.
    #[must_use]
    pub fn sum(self, sum: i128, count: i64) -> i128 {
        // Modulo 2^128, which is more than the values of any number of rows add up to.
        let scaled = self.factor.wrapping_mul(sum);
        scaled.wrapping_add(self.offset.wrapping_mul(i128::from(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Expr;

    #[test]
    fn only_linear_forms_of_one_column_are_found() {
        let form = |text: &str| Expr::parse(text).unwrap().affine((-10, 10));
        let of = |factor, offset| Some(Affine { factor, offset });
        assert_eq!(form("x"), of(1, 0));
        assert_eq!(form("x + 3"), of(1, 3));
        assert_eq!(form("3 - x"), of(-1, 3));
        assert_eq!(form("2 * (x - 1) * 3 + x"), of(7, -6));
        assert_eq!(form("-(x * 2) - 1"), of(-2, -1));
        assert_eq!(form("x - x"), of(0, 0));
        for text in ["x * x", "x / 2", "x + 1.0", "x + y", "abs(x)", "x + '1'", "7", "x > 1"] {
            assert_eq!(form(text), None, "{text}");
        }
    }

    /// Where a row's own result overflows it is null, and so not in the sum.
    #[test]
    fn h_21_forms_that_overflow_on_the_way_are_not_used() {
        let form = |text: &str, range| Expr::parse(text).unwrap().affine(range);
        assert_eq!(form("x + 1", (0, i64::MAX)), None);
        assert!(form("x + 1", (0, i64::MAX - 1)).is_some());
        assert_eq!(form("x - 1", (i64::MIN, 0)), None);
        assert_eq!(form("-x", (i64::MIN, 0)), None);
        assert_eq!(form("x + 9223372036854775807 - 9223372036854775807", (0, 1)), None);
        assert_eq!(form("x * 4611686018427387904", (0, 2)), None);
        assert!(form("x * 4611686018427387904 - 1", (0, 1)).is_some());
        let huge = "x * 9223372036854775807 * 9223372036854775807 * 9223372036854775807";
        assert_eq!(form(huge, (0, 0)), None);
    }

    #[test]
    fn sums_are_exact_beyond_64_bits() {
        let form = Affine { factor: -3, offset: i128::from(i64::MAX) };
        assert_eq!(form.sum(10, 4), 4 * i128::from(i64::MAX) - 30);
    }
}
