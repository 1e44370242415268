//! Metrics whose state is a number.

use std::marker::PhantomData;

use henge_segment::metric::{Event, NumberForm};
use henge_sketch::SketchError;
use henge_types::ValueRef;

use crate::metric::StateColumn;
use crate::numeric::GrowingNumeric;
use crate::snapshot::SnapshotColumn;

/// A growing column of numbers.
#[derive(Debug)]
pub(crate) struct NumberMetric<F: NumberForm> {
    states: GrowingNumeric<F::Number>,
    form: PhantomData<F>,
}

impl<F: NumberForm> NumberMetric<F> {
    pub(crate) fn new() -> Self {
        Self { states: GrowingNumeric::new(0), form: PhantomData }
    }
}

impl<F: NumberForm> StateColumn for NumberMetric<F> {
    fn can_refuse(&self) -> bool {
        F::OVERFLOWS
    }

    fn can_fail(&self) -> bool {
        false
    }

    fn row_bytes(&self) -> usize {
        size_of::<F::Number>()
    }

    fn prepare(&mut self, _value: &ValueRef<'_>) -> Result<(), SketchError> {
        Ok(())
    }

    fn takes(&self, row: usize, value: &ValueRef<'_>) -> Result<bool, SketchError> {
        let both = self.states.get(row).zip(F::read(value));
        Ok(both.is_none_or(|(state, value)| F::combine(state, value).is_some()))
    }

    fn push(&mut self, row: usize, event: Event<'_>) -> Result<usize, SketchError> {
        self.states.push(row, F::read(event.value));
        Ok(0)
    }

    /// Null inputs are skipped; a null state takes the first value.
    fn update(&mut self, row: usize, event: Event<'_>) -> Result<(usize, usize), SketchError> {
        if let Some(value) = F::read(event.value) {
            let state = match self.states.get(row) {
                // There is a place for the result: that was checked.
                Some(state) => F::combine(state, value).unwrap_or(state),
                None => value,
            };
            self.states.set(row, state);
        }
        Ok((0, 0))
    }

    fn has_nulls(&self) -> bool {
        self.states.has_nulls()
    }

    fn snapshot(&self) -> SnapshotColumn {
        self.states.snapshot().into()
    }
}
