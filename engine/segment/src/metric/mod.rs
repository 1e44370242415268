//! The stored forms of metrics, one file a kind: what an event adds to a row's state while events
//! roll up, and how two stored states become one when segments are merged.
//!
//! [`with_form`] is the registry: the one place that knows which kind has which form. Whoever needs a
//! form (the write-optimised index, merging) visits it once a column; what runs a row is compiled for
//! the form.

mod arithmetic;
mod count;
mod hll;
mod numeric;
mod one_value;
mod quantiles;
mod sketch;
mod theta;

use std::fmt::Debug;

use henge_sketch::SketchError;
use henge_types::{MetricKind, ValueRef};

pub use arithmetic::Arithmetic;
pub use one_value::{PairValue, cut, list_text, pair_of_bytes, pair_to_bytes};
pub use sketch::SketchForm;

use crate::error::{Result, SegmentError};

/// A metric that keeps a number a row. Null states and null inputs do not count.
pub trait NumberForm: Debug + Send + Sync + 'static {
    /// `i64`, `f32` or `f64`: what a row of the index keeps.
    type Number: Arithmetic;

    /// What events bring.
    const INPUT: MetricInput;

    /// True when [`NumberForm::combine`] can find no place for a result: such rows are kept apart.
    const OVERFLOWS: bool = false;

    /// The number that an event brings; `None` is null.
    fn read(value: &ValueRef<'_>) -> Option<Self::Number>;

    /// One state of two; `None` when it has no place in the type. Stored columns may have been
    /// widened to another type than the metric's.
    fn combine<T: Arithmetic>(state: T, other: T) -> Option<T>;
}

/// A metric that keeps an object a row, stored as bytes in a COMPLEX column. A row is null until a
/// value is seen.
pub trait ObjectForm: Debug + Send + Sync + 'static {
    /// What a row keeps.
    type State: Clone + Debug + Send + Sync + 'static;

    /// What events bring.
    const INPUT: MetricInput;

    /// True when an event without a value counts as well.
    const COUNTS_NULLS: bool = false;

    /// The state of a row in which nothing was seen.
    ///
    /// # Errors
    /// When the metric's parameters allow no state.
    fn empty(&self) -> Result<Self::State, SketchError>;

    /// The state that an event brings in place of a raw value.
    ///
    /// # Errors
    /// When the event brings something that should be a state and is none.
    fn brought(&self, value: &ValueRef<'_>) -> Result<Option<Self::State>, SketchError>;

    /// Adds an event's raw value, which is null only where nulls count; of a list, its elements.
    fn add(&self, state: &mut Self::State, event: Event<'_>);

    /// Adds all that another state has seen.
    ///
    /// # Errors
    /// When the two cannot be combined.
    fn merge(&self, state: &mut Self::State, other: &Self::State) -> Result<(), SketchError>;

    /// False when merging would overflow a counter.
    fn fits(&self, _state: &Self::State, _other: &Self::State) -> bool {
        true
    }

    /// The stored bytes.
    fn to_bytes(state: &Self::State) -> Vec<u8>;

    /// Reads stored bytes.
    ///
    /// # Errors
    /// When they are not a consistent state.
    fn from_bytes(bytes: &[u8]) -> Result<Self::State, SketchError>;

    /// Memory held by a state, in bytes.
    fn memory_bytes(state: &Self::State) -> usize;
}

/// An event as a metric sees it.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// When it happened, in milliseconds and not truncated.
    pub time_ms: i64,
    /// The value of the metric's field.
    pub value: &'a ValueRef<'a>,
}

/// What a metric takes of an event's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricInput {
    /// Nothing: the event itself counts.
    Nothing,
    /// A LONG.
    Long,
    /// A FLOAT.
    Float,
    /// A DOUBLE.
    Double,
    /// A STRING.
    Text,
    /// A value of any type as it came.
    Any,
}

/// What wants to know the form of a metric.
pub trait VisitForm {
    /// What it makes of the form.
    type Output;

    /// The metric keeps numbers.
    fn number<F: NumberForm>(self) -> Self::Output;

    /// The metric keeps objects.
    fn object<F: ObjectForm>(self, form: F) -> Self::Output;
}

/// Visits the form of a metric.
///
/// # Errors
/// `Invalid` when a kind does not go with its type: no metric is stored so.
pub fn with_form<V: VisitForm>(kind: &MetricKind, visit: V) -> Result<V::Output> {
    Ok(match kind {
        MetricKind::Count => visit.number::<count::Count>(),
        MetricKind::Numeric { op, column_type } => {
            return numeric::visit(*op, *column_type, visit);
        }
        MetricKind::HllBuild { lg_k, hll_type } => {
            visit.object(hll::Hll::of_values(*lg_k, *hll_type))
        }
        MetricKind::HllMerge { lg_k, hll_type } => {
            visit.object(hll::Hll::of_sketches(*lg_k, *hll_type))
        }
        MetricKind::HyperUnique => visit.object(hll::HyperUnique),
        MetricKind::Theta { size, input_is_sketch } => {
            visit.object(theta::Theta { size: *size, input_is_sketch: *input_is_sketch })
        }
        MetricKind::Quantiles { k } => visit.object(quantiles::Quantiles { k: *k }),
        MetricKind::OneValue { which, value_type, max_string_bytes } => {
            return one_value::visit(*which, *value_type, *max_string_bytes, visit);
        }
    })
}

/// What a metric takes of an event's field.
///
/// # Errors
/// Those of [`with_form`].
pub fn metric_input(kind: &MetricKind) -> Result<MetricInput> {
    with_form(kind, Input)
}

struct Input;

impl VisitForm for Input {
    type Output = MetricInput;

    fn number<F: NumberForm>(self) -> MetricInput {
        F::INPUT
    }

    fn object<F: ObjectForm>(self, _form: F) -> MetricInput {
        F::INPUT
    }
}

/// How two numbers of a metric's column become one.
///
/// # Errors
/// `Invalid` when the metric keeps no numbers, and those of [`with_form`].
pub(crate) fn combine_numbers<T: Arithmetic>(kind: &MetricKind) -> Result<fn(T, T) -> Option<T>> {
    struct Combine<T>(std::marker::PhantomData<T>);
    impl<T: Arithmetic> VisitForm for Combine<T> {
        type Output = Result<fn(T, T) -> Option<T>>;

        fn number<F: NumberForm>(self) -> Self::Output {
            Ok(F::combine::<T>)
        }

        fn object<F: ObjectForm>(self, _form: F) -> Self::Output {
            Err(SegmentError::Invalid("is a sketch, its column is not".into()))
        }
    }
    with_form(kind, Combine(std::marker::PhantomData))?
}

/// True when combining two numbers of a metric can find no place for the result.
///
/// # Errors
/// Those of [`with_form`].
pub(crate) fn overflows(kind: &MetricKind) -> Result<bool> {
    struct Overflows;
    impl VisitForm for Overflows {
        type Output = bool;

        fn number<F: NumberForm>(self) -> bool {
            F::OVERFLOWS
        }

        fn object<F: ObjectForm>(self, _form: F) -> bool {
            false
        }
    }
    with_form(kind, Overflows)
}

/// Combines the stored bytes of several rows into those of one.
pub(crate) type CombineBytes = Box<dyn Fn(&[&[u8]]) -> Result<Vec<u8>, SketchError>>;

/// How the bytes of a metric's column become one.
///
/// # Errors
/// `Invalid` when the metric keeps no objects, and those of [`with_form`].
pub(crate) fn combine_bytes(kind: &MetricKind) -> Result<CombineBytes> {
    struct Combine;
    impl VisitForm for Combine {
        type Output = Result<CombineBytes>;

        fn number<F: NumberForm>(self) -> Self::Output {
            Err(SegmentError::Invalid("a sketch column needs a sketch metric".into()))
        }

        fn object<F: ObjectForm>(self, form: F) -> Self::Output {
            Ok(Box::new(move |images| {
                let mut state = form.empty()?;
                for image in images {
                    form.merge(&mut state, &F::from_bytes(image)?)?;
                }
                Ok(F::to_bytes(&state))
            }))
        }
    }
    with_form(kind, Combine)?
}
