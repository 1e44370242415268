//! `{long,float,double,string}{First,Last}`: the value of the first or the last time, stored with that
//! time; `{long,float,double}Any`: any value, stored as a number.
//!
//! A stored pair is its time (8 bytes), 0 or 1 for whether there is a value, and the value: 8 bytes of
//! a LONG or a DOUBLE, 4 of a FLOAT, the UTF-8 of a STRING. Numbers are little-endian.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::sync::Arc;

use henge_sketch::SketchError;
use henge_types::number::total_order_bits;
use henge_types::{OneOf, ValueRef, ValueType, coerce};

use super::{Arithmetic, Event, MetricInput, NumberForm, ObjectForm, VisitForm};
use crate::error::{Result, SegmentError};

/// Visits the form of a kind.
pub(super) fn visit<V: VisitForm>(
    which: OneOf,
    value_type: ValueType,
    max_string_bytes: u32,
    visit: V,
) -> Result<V::Output> {
    match (which, value_type) {
        (OneOf::Any, ValueType::Long) => Ok(visit.number::<AnyNumber<i64>>()),
        (OneOf::Any, ValueType::Float) => Ok(visit.number::<AnyNumber<f32>>()),
        (OneOf::Any, ValueType::Double) => Ok(visit.number::<AnyNumber<f64>>()),
        (OneOf::Any, ValueType::String) => {
            Err(SegmentError::Invalid("stores any of STRING: use a dimension".to_owned()))
        }
        (OneOf::First | OneOf::Last, ValueType::Long) => {
            Ok(visit.object(Pair::<i64>::new(which, 0)))
        }
        (OneOf::First | OneOf::Last, ValueType::Float) => {
            Ok(visit.object(Pair::<f32>::new(which, 0)))
        }
        (OneOf::First | OneOf::Last, ValueType::Double) => {
            Ok(visit.object(Pair::<f64>::new(which, 0)))
        }
        (OneOf::First | OneOf::Last, ValueType::String) => {
            Ok(visit.object(Pair::<Arc<str>>::new(which, max_string_bytes as usize)))
        }
    }
}

/// A value that is kept with its time.
pub trait PairValue: Clone + Debug + Send + Sync + 'static {
    /// What events bring.
    const INPUT: MetricInput;

    /// The value as this type; text is cut to `max_bytes`.
    fn of_value(value: &ValueRef<'_>, max_bytes: usize) -> Option<Self>;

    /// The order that tells values of one time apart.
    fn compare(&self, other: &Self) -> Ordering;

    /// Appends the stored bytes.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads all of some stored bytes.
    fn read(bytes: &[u8]) -> Option<Self>;

    /// The value, of a text no more than so many bytes.
    #[must_use]
    fn cut(self, _max_bytes: usize) -> Self {
        self
    }

    /// Bytes of memory beyond the value itself.
    fn held_bytes(&self) -> usize {
        0
    }
}

impl PairValue for i64 {
    const INPUT: MetricInput = MetricInput::Long;

    fn of_value(value: &ValueRef<'_>, _max_bytes: usize) -> Option<Self> {
        coerce::as_long(value)
    }
    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }
}

impl PairValue for f32 {
    const INPUT: MetricInput = MetricInput::Float;

    fn of_value(value: &ValueRef<'_>, _max_bytes: usize) -> Option<Self> {
        coerce::as_float(value)
    }
    fn compare(&self, other: &Self) -> Ordering {
        f64::from(*self).compare(&f64::from(*other))
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }
}

impl PairValue for f64 {
    const INPUT: MetricInput = MetricInput::Double;

    fn of_value(value: &ValueRef<'_>, _max_bytes: usize) -> Option<Self> {
        coerce::as_double(value)
    }
    fn compare(&self, other: &Self) -> Ordering {
        total_order_bits(*self).cmp(&total_order_bits(*other))
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }
}

impl PairValue for Arc<str> {
    const INPUT: MetricInput = MetricInput::Text;

    fn of_value(value: &ValueRef<'_>, max_bytes: usize) -> Option<Self> {
        match value {
            ValueRef::Multi(list) if list.len() > 1 => {
                let list: Vec<&str> = list.iter().map(|text| text.unwrap_or("null")).collect();
                Some(cut(&list_text(&list), max_bytes).into())
            }
            single => {
                let mut buffer = String::new();
                coerce::as_text(single, &mut buffer).map(|text| cut(text, max_bytes).into())
            }
        }
    }
    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok().map(Self::from)
    }
    fn cut(self, max_bytes: usize) -> Self {
        if self.len() <= max_bytes { self } else { cut(&self, max_bytes).into() }
    }
    fn held_bytes(&self) -> usize {
        self.len() + 2 * size_of::<usize>()
    }
}

/// Several values as one text, as Java writes lists.
#[must_use]
pub fn list_text(values: &[&str]) -> String {
    format!("[{}]", values.join(", "))
}

/// The beginning of a text, of at most so many bytes.
#[must_use]
pub fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// The stored bytes of a time in milliseconds and a value.
#[must_use]
pub fn pair_to_bytes<V: PairValue>(time_ms: i64, value: Option<&V>) -> Vec<u8> {
    let mut bytes = time_ms.to_le_bytes().to_vec();
    bytes.push(u8::from(value.is_some()));
    if let Some(value) = value {
        value.write(&mut bytes);
    }
    bytes
}

/// The time in milliseconds and the value of stored bytes; `None` when they are no pair.
#[must_use]
pub fn pair_of_bytes<V: PairValue>(bytes: &[u8]) -> Option<(i64, Option<V>)> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    let time_ms = i64::from_le_bytes(*time);
    match rest.split_first()? {
        (0, []) => Some((time_ms, None)),
        (1, value) => V::read(value).map(|value| (time_ms, Some(value))),
        _ => None,
    }
}

/// The value of the first or the last time.
#[derive(Debug)]
struct Pair<V> {
    which: OneOf,
    max_bytes: usize,
    value: std::marker::PhantomData<V>,
}

impl<V> Pair<V> {
    fn new(which: OneOf, max_bytes: usize) -> Self {
        Self { which, max_bytes, value: std::marker::PhantomData }
    }
}

impl<V: PairValue> Pair<V> {
    fn offer(&self, state: &mut Option<(i64, Option<V>)>, time_ms: i64, value: Option<V>) {
        let prefers = state.as_ref().is_none_or(|(kept_ms, kept)| {
            let (new, kept) = ((time_ms, value.as_ref()), (*kept_ms, kept.as_ref()));
            self.which.prefers(new, kept, V::compare)
        });
        if prefers {
            *state = Some((time_ms, value));
        }
    }
}

impl<V: PairValue> ObjectForm for Pair<V> {
    /// Nothing while no event was seen.
    type State = Option<(i64, Option<V>)>;

    const INPUT: MetricInput = V::INPUT;
    const COUNTS_NULLS: bool = true;

    fn empty(&self) -> Result<Self::State, SketchError> {
        Ok(None)
    }

    fn brought(&self, _value: &ValueRef<'_>) -> Result<Option<Self::State>, SketchError> {
        Ok(None)
    }

    fn add(&self, state: &mut Self::State, event: Event<'_>) {
        self.offer(state, event.time_ms, V::of_value(event.value, self.max_bytes));
    }

    fn merge(&self, state: &mut Self::State, other: &Self::State) -> Result<(), SketchError> {
        if let Some((time_ms, value)) = other {
            self.offer(state, *time_ms, value.clone());
        }
        Ok(())
    }

    fn to_bytes(state: &Self::State) -> Vec<u8> {
        state.as_ref().map_or_else(Vec::new, |(time, value)| pair_to_bytes(*time, value.as_ref()))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self::State, SketchError> {
        let pair = pair_of_bytes(bytes).map(Some);
        let reason = || "neither a time nor a value of the type".to_owned();
        pair.ok_or_else(|| SketchError::Corrupt { sketch: "time and value", reason: reason() })
    }

    fn memory_bytes(state: &Self::State) -> usize {
        let held = state.as_ref().and_then(|(_, value)| value.as_ref()).map_or(0, V::held_bytes);
        size_of::<Self::State>() + held
    }
}

/// Any number: the least.
#[derive(Debug)]
struct AnyNumber<T>(std::marker::PhantomData<T>);

impl<T: Arithmetic + PairValue> NumberForm for AnyNumber<T> {
    type Number = T;

    const INPUT: MetricInput = T::INPUT;

    #[inline]
    fn read(value: &ValueRef<'_>) -> Option<T> {
        <T as Arithmetic>::of_value(value)
    }

    #[inline]
    fn combine<U: Arithmetic>(state: U, other: U) -> Option<U> {
        Some(state.least(other))
    }
}
