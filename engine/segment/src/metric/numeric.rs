//! `{long,float,double}{Sum,Min,Max}`: one number of many.

use std::fmt::Debug;
use std::marker::PhantomData;

use henge_types::{NumericOp, ValueRef, ValueType};

use super::{Arithmetic, MetricInput, NumberForm, VisitForm};
use crate::error::{Result, SegmentError};

/// Visits the form of an operation on a type.
pub(super) fn visit<V: VisitForm>(
    op: NumericOp,
    column_type: ValueType,
    visit: V,
) -> Result<V::Output> {
    match column_type {
        ValueType::Long => Ok(visit_op::<i64, V>(op, visit)),
        ValueType::Float => Ok(visit_op::<f32, V>(op, visit)),
        ValueType::Double => Ok(visit_op::<f64, V>(op, visit)),
        ValueType::String => Err(SegmentError::Invalid(format!(
            "aggregates {column_type}: use LONG, FLOAT or DOUBLE"
        ))),
    }
}

fn visit_op<T: Input, V: VisitForm>(op: NumericOp, visit: V) -> V::Output {
    match op {
        NumericOp::Sum => visit.number::<Sum<T>>(),
        NumericOp::Min => visit.number::<Min<T>>(),
        NumericOp::Max => visit.number::<Max<T>>(),
    }
}

/// The types of columns as inputs.
trait Input: Arithmetic {
    const INPUT: MetricInput;
    /// True when a sum can leave the type.
    const SUM_OVERFLOWS: bool = false;
}

impl Input for i64 {
    const INPUT: MetricInput = MetricInput::Long;
    const SUM_OVERFLOWS: bool = true;
}

impl Input for f32 {
    const INPUT: MetricInput = MetricInput::Float;
}

impl Input for f64 {
    const INPUT: MetricInput = MetricInput::Double;
}

#[derive(Debug)]
struct Sum<T>(PhantomData<T>);

impl<T: Input> NumberForm for Sum<T> {
    type Number = T;

    const INPUT: MetricInput = T::INPUT;
    const OVERFLOWS: bool = T::SUM_OVERFLOWS;

    #[inline]
    fn read(value: &ValueRef<'_>) -> Option<T> {
        T::of_value(value)
    }

    #[inline]
    fn combine<U: Arithmetic>(state: U, other: U) -> Option<U> {
        state.add(other)
    }
}

#[derive(Debug)]
struct Min<T>(PhantomData<T>);

impl<T: Input> NumberForm for Min<T> {
    type Number = T;

    const INPUT: MetricInput = T::INPUT;

    #[inline]
    fn read(value: &ValueRef<'_>) -> Option<T> {
        T::of_value(value)
    }

    #[inline]
    fn combine<U: Arithmetic>(state: U, other: U) -> Option<U> {
        Some(state.least(other))
    }
}

#[derive(Debug)]
struct Max<T>(PhantomData<T>);

impl<T: Input> NumberForm for Max<T> {
    type Number = T;

    const INPUT: MetricInput = T::INPUT;

    #[inline]
    fn read(value: &ValueRef<'_>) -> Option<T> {
        T::of_value(value)
    }

    #[inline]
    fn combine<U: Arithmetic>(state: U, other: U) -> Option<U> {
        Some(state.greatest(other))
    }
}
