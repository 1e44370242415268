//! Metrics whose state is a number.

use std::marker::PhantomData;

use henge_segment::metric::{Arithmetic, Event, NumberForm};
use henge_sketch::SketchError;
use henge_types::ValueRef;

use crate::batch::ColumnRows;
use crate::metric::StateColumn;
use crate::numeric::GrowingNumeric;
use crate::snapshot::SnapshotColumn;

/// A growing column of numbers.
#[derive(Debug)]
pub(crate) struct NumberMetric<F: NumberForm> {
    states: GrowingNumeric<F::Number>,
    /// Of metrics that overflow: what all negative and what all positive values give, between which any
    /// state lies; `None` when that has no place in the type.
    reach: Option<Reach<F::Number>>,
    form: PhantomData<F>,
}

type Reach<T> = (T, T);

impl<F: NumberForm> NumberMetric<F> {
    pub(crate) fn new() -> Self {
        let reach = Some(Default::default());
        Self { states: GrowingNumeric::new(0), reach, form: PhantomData }
    }

    /// A null state takes the first value; null values are skipped.
    #[inline]
    fn add_to(&mut self, row: usize, value: Option<F::Number>) {
        let Some(value) = value else { return };
        let state = match self.states.get(row) {
            // There is a place for the result: that was checked.
            Some(state) => F::combine(state, value).unwrap_or(state),
            None => value,
        };
        self.states.set(row, state);
    }

    #[inline]
    fn note(&mut self, value: Option<F::Number>) {
        if F::OVERFLOWS
            && let Some(value) = value
        {
            self.reach = self.reach.and_then(|reach| further::<F>(reach, value));
        }
    }
}

/// How far states reach with one more value.
#[inline]
fn further<F: NumberForm>(
    (low, high): Reach<F::Number>,
    value: F::Number,
) -> Option<Reach<F::Number>> {
    let zero = F::Number::default();
    F::combine(low, value.least(zero)).zip(F::combine(high, value.greatest(zero)))
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
        let value = F::read(event.value);
        self.note(value);
        self.states.push(row, value);
        Ok(0)
    }

    /// Where rows are only appended, nothing overflows.
    fn push_all(
        &mut self,
        row: usize,
        _times_ms: &[i64],
        values: &ColumnRows<'_>,
    ) -> Result<usize, SketchError> {
        let mut row = row;
        values.for_each(|value| {
            self.states.push(row, F::read(&value));
            row += 1;
        });
        Ok(0)
    }

    fn admits(&mut self, values: &ColumnRows<'_>) -> bool {
        if !F::OVERFLOWS {
            return true;
        }
        let mut reach = self.reach;
        values.for_each(|value| {
            if let Some(value) = F::read(&value) {
                reach = reach.and_then(|reach| further::<F>(reach, value));
            }
        });
        if reach.is_some() {
            self.reach = reach;
        }
        reach.is_some()
    }

    fn add_all(&mut self, next: usize, rows: &[usize], values: &ColumnRows<'_>) {
        let (mut next, mut rows) = (next, rows.iter());
        values.for_each(|value| {
            let value = F::read(&value);
            match rows.next() {
                Some(row) if *row == next => {
                    self.states.push(next, value);
                    next += 1;
                }
                Some(row) => self.add_to(*row, value),
                None => {}
            }
        });
    }

    fn update(&mut self, row: usize, event: Event<'_>) -> Result<(usize, usize), SketchError> {
        let value = F::read(event.value);
        self.note(value);
        self.add_to(row, value);
        Ok((0, 0))
    }

    fn has_nulls(&self) -> bool {
        self.states.has_nulls()
    }

    fn snapshot(&self) -> SnapshotColumn {
        self.states.snapshot().into()
    }
}
