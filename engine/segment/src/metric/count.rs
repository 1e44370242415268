//! `count`: the number of events of a row; stored counts add up.

use henge_types::ValueRef;

use super::{Arithmetic, MetricInput, NumberForm};

#[derive(Debug)]
pub(super) struct Count;

impl NumberForm for Count {
    type Number = i64;

    const INPUT: MetricInput = MetricInput::Nothing;

    #[inline]
    fn read(_value: &ValueRef<'_>) -> Option<i64> {
        Some(1)
    }

    #[inline]
    fn combine<T: Arithmetic>(state: T, other: T) -> Option<T> {
        state.add(other)
    }
}
