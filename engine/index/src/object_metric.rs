//! Metrics whose state is an object: a sketch, say.

use std::borrow::Cow;
use std::sync::Arc;

use henge_segment::metric::{Event, ObjectForm};
use henge_segment::{BLOCK_ROWS, ColumnView, ComplexColumn, SegmentError};
use henge_sketch::SketchError;
use henge_types::ValueRef;

use crate::chunked::{Chunked, ChunkedSnapshot};
use crate::metric::StateColumn;
use crate::snapshot::{ColumnSnapshot, SnapshotColumn};

/// A growing column of objects; null until a value is seen.
#[derive(Debug)]
pub(crate) struct ObjectMetric<F: ObjectForm> {
    form: F,
    type_name: Arc<str>,
    states: Chunked<Option<Arc<F::State>>>,
    null_count: usize,
    /// The state that the current row brings.
    brought: Option<F::State>,
}

impl<F: ObjectForm> ObjectMetric<F> {
    /// # Errors
    /// When the metric's parameters allow no state.
    pub(crate) fn new(form: F, type_name: Arc<str>) -> Result<Self, SketchError> {
        form.empty()?;
        Ok(Self { form, type_name, states: Chunked::new(), null_count: 0, brought: None })
    }
}

impl<F: ObjectForm> StateColumn for ObjectMetric<F> {
    fn can_refuse(&self) -> bool {
        true
    }

    fn can_fail(&self) -> bool {
        true
    }

    fn row_bytes(&self) -> usize {
        size_of::<Arc<F::State>>()
    }

    fn prepare(&mut self, value: &ValueRef<'_>) -> Result<(), SketchError> {
        self.brought = self.form.brought(value)?;
        Ok(())
    }

    /// Fails when the state that was brought cannot be merged into a row's.
    fn takes(&self, row: usize, _value: &ValueRef<'_>) -> Result<bool, SketchError> {
        match (&self.brought, self.states.get(row)) {
            (Some(brought), Some(state)) if !self.form.fits(state, brought) => {
                Err(SketchError::Overflow)
            }
            _ => Ok(true),
        }
    }

    fn push(&mut self, row: usize, event: Event<'_>) -> Result<usize, SketchError> {
        self.null_count += 1;
        self.states.push(None);
        self.update(row, event).map(|(_, after)| after)
    }

    fn update(&mut self, row: usize, event: Event<'_>) -> Result<(usize, usize), SketchError> {
        let brought = self.brought.take();
        if brought.is_none() && !F::COUNTS_NULLS && !is_raw_value(event.value) {
            return Ok((0, 0));
        }
        let slot = self.states.get_mut(row);
        let before = slot.as_ref().map_or(0, |state| F::memory_bytes(state));
        let mut fresh = None;
        let state = match slot {
            Some(state) => Arc::make_mut(state),
            None => fresh.insert(self.form.empty()?),
        };
        match &brought {
            Some(brought) => self.form.merge(state, brought)?,
            None => self.form.add(state, event),
        }
        let after = F::memory_bytes(state);
        if let Some(fresh) = fresh {
            *slot = Some(Arc::new(fresh));
            self.null_count -= 1;
        }
        Ok((before, after))
    }

    fn has_nulls(&self) -> bool {
        self.null_count > 0
    }

    fn snapshot(&self) -> SnapshotColumn {
        let (type_name, states) = (Arc::clone(&self.type_name), self.states.snapshot());
        ObjectSnapshot::<F> { type_name, states }.into()
    }
}

fn is_raw_value(value: &ValueRef<'_>) -> bool {
    match value {
        ValueRef::Null | ValueRef::Complex(_) => false,
        ValueRef::Multi(list) => list.iter().any(Option::is_some),
        ValueRef::Long(_) | ValueRef::Double(_) | ValueRef::String(_) => true,
    }
}

/// A column of objects as it was.
#[derive(Debug)]
struct ObjectSnapshot<F: ObjectForm> {
    type_name: Arc<str>,
    states: ChunkedSnapshot<Option<Arc<F::State>>>,
}

impl<F: ObjectForm> ColumnSnapshot for ObjectSnapshot<F> {
    fn view(&self) -> ColumnView<'_> {
        ColumnView::Complex(self)
    }
}

impl<F: ObjectForm> ComplexColumn for ObjectSnapshot<F> {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn get(&self, row: usize) -> Result<Option<Cow<'_, [u8]>>, SegmentError> {
        let Some(state) = self.states.block(row / BLOCK_ROWS).get(row % BLOCK_ROWS) else {
            return Err(SegmentError::Invalid(format!("row {row} is out of range")));
        };
        Ok(state.as_ref().map(|state| Cow::Owned(F::to_bytes(state))))
    }
}
