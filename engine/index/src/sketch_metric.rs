//! Metrics whose state is a sketch.

use std::borrow::Cow;
use std::sync::Arc;

use henge_segment::{BLOCK_ROWS, ComplexColumn, SegmentError};
use henge_sketch::{HllSketch, KllSketch, Sketch, SketchError, ThetaSketch, from_base64};
use henge_types::{MetricKind, ValueRef};

use crate::chunked::{Chunked, ChunkedSnapshot};
use crate::coerce;

/// A sketch that a metric can build.
pub(crate) trait MetricSketch: Sketch + Clone + Send + Sync + std::fmt::Debug {
    /// The empty sketch of a metric.
    fn empty(kind: &MetricKind) -> Result<Self, SketchError>;

    /// Adds a raw value that is not null; of a list, its elements.
    fn add(&mut self, value: &ValueRef<'_>);

    /// The sketch that text holds in base64, where the metric takes sketches as text.
    fn from_text(kind: &MetricKind, text: &str) -> Result<Option<Self>, SketchError>;

    /// False when merging would overflow a counter.
    fn fits(&self, _other: &Self) -> bool {
        true
    }
}

impl MetricSketch for HllSketch {
    fn empty(kind: &MetricKind) -> Result<Self, SketchError> {
        match kind {
            MetricKind::HllBuild { lg_k, hll_type } | MetricKind::HllMerge { lg_k, hll_type } => {
                Self::new(*lg_k, *hll_type)
            }
            _ => Self::hyper_unique(),
        }
    }

    fn add(&mut self, value: &ValueRef<'_>) {
        match value {
            ValueRef::Long(value) => self.update_i64(*value),
            ValueRef::Double(value) => self.update_f64(*value),
            ValueRef::String(text) => self.update_str(text),
            ValueRef::Multi(list) => list.iter().flatten().for_each(|text| self.update_str(text)),
            ValueRef::Null | ValueRef::Complex(_) => {}
        }
    }

    fn from_text(kind: &MetricKind, text: &str) -> Result<Option<Self>, SketchError> {
        match kind {
            MetricKind::HllMerge { .. } => Self::from_bytes(&from_base64(text)?).map(Some),
            _ => Ok(None),
        }
    }
}

impl MetricSketch for ThetaSketch {
    fn empty(kind: &MetricKind) -> Result<Self, SketchError> {
        match kind {
            MetricKind::Theta { size, .. } => Self::new(*size),
            _ => Self::new(0),
        }
    }

    fn add(&mut self, value: &ValueRef<'_>) {
        match value {
            ValueRef::Long(value) => self.update_i64(*value),
            ValueRef::Double(value) => self.update_f64(*value),
            ValueRef::String(text) => self.update_str(text),
            ValueRef::Multi(list) => list.iter().flatten().for_each(|text| self.update_str(text)),
            ValueRef::Null | ValueRef::Complex(_) => {}
        }
    }

    fn from_text(kind: &MetricKind, text: &str) -> Result<Option<Self>, SketchError> {
        match kind {
            MetricKind::Theta { input_is_sketch: true, .. } => {
                Self::from_bytes(&from_base64(text)?).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl MetricSketch for KllSketch {
    fn empty(kind: &MetricKind) -> Result<Self, SketchError> {
        match kind {
            MetricKind::Quantiles { k } => Self::new(*k),
            _ => Self::new(128),
        }
    }

    fn add(&mut self, value: &ValueRef<'_>) {
        match value {
            ValueRef::Multi(list) => {
                let numbers = list.iter().flatten().filter_map(|text| coerce::parse_double(text));
                numbers.for_each(|number| self.update_f64(number));
            }
            other => coerce::as_double(other).into_iter().for_each(|value| self.update_f64(value)),
        }
    }

    /// Numbers and sketches come through the same field; other text is null, as for any number.
    fn from_text(_kind: &MetricKind, text: &str) -> Result<Option<Self>, SketchError> {
        if coerce::parse_double(text).is_some() {
            return Ok(None);
        }
        Ok(from_base64(text).ok().and_then(|bytes| Self::from_bytes(&bytes).ok()))
    }

    fn fits(&self, other: &Self) -> bool {
        self.n().saturating_add(other.n()) <= Self::MAX_N
    }
}

/// A growing column of sketches; null until a value is seen.
#[derive(Debug)]
pub(crate) struct SketchMetric<S> {
    kind: MetricKind,
    states: Chunked<Option<Arc<S>>>,
    null_count: usize,
    /// The sketch that the current row brings.
    brought: Option<S>,
}

impl<S: MetricSketch> SketchMetric<S> {
    pub(crate) fn new(kind: &MetricKind) -> Result<Self, SketchError> {
        S::empty(kind)?;
        Ok(Self { kind: kind.clone(), states: Chunked::new(), null_count: 0, brought: None })
    }

    /// Reads the sketch that a row brings, if it brings one, before anything is changed.
    pub(crate) fn prepare(&mut self, value: &ValueRef<'_>) -> Result<(), SketchError> {
        self.brought = match value {
            ValueRef::Complex(bytes) => Some(S::from_bytes(bytes)?),
            ValueRef::String(text) => S::from_text(&self.kind, text)?,
            _ => None,
        };
        Ok(())
    }

    /// Fails when the sketch that was brought cannot be merged into a row's.
    pub(crate) fn check(&self, row: usize) -> Result<(), SketchError> {
        match (&self.brought, self.states.get(row)) {
            (Some(brought), Some(state)) if !state.fits(brought) => Err(SketchError::Overflow),
            _ => Ok(()),
        }
    }

    /// Appends a row in which nothing was seen.
    pub(crate) fn push_null(&mut self) {
        self.null_count += 1;
        self.states.push(None);
    }

    /// Adds a prepared value to a row; answers the bytes the sketch had and has.
    pub(crate) fn update(
        &mut self,
        row: usize,
        value: &ValueRef<'_>,
    ) -> Result<(usize, usize), SketchError> {
        let brought = self.brought.take();
        if brought.is_none() && !is_raw_value(value) {
            return Ok((0, 0));
        }
        let slot = self.states.get_mut(row);
        let before = slot.as_ref().map_or(0, |state| state.memory_bytes());
        let mut fresh = None;
        let state = match slot {
            Some(state) => Arc::make_mut(state),
            None => fresh.insert(S::empty(&self.kind)?),
        };
        match &brought {
            Some(brought) => state.merge(brought)?,
            None => state.add(value),
        }
        let after = state.memory_bytes();
        if let Some(fresh) = fresh {
            *slot = Some(Arc::new(fresh));
            self.null_count -= 1;
        }
        Ok((before, after))
    }

    pub(crate) fn has_nulls(&self) -> bool {
        self.null_count > 0
    }

    pub(crate) fn snapshot(&self, type_name: String) -> SketchSnapshot<S> {
        SketchSnapshot { type_name, states: self.states.snapshot() }
    }
}

fn is_raw_value(value: &ValueRef<'_>) -> bool {
    match value {
        ValueRef::Null | ValueRef::Complex(_) => false,
        ValueRef::Multi(list) => list.iter().any(Option::is_some),
        ValueRef::Long(_) | ValueRef::Double(_) | ValueRef::String(_) => true,
    }
}

/// A column of sketches as it was.
#[derive(Debug)]
pub(crate) struct SketchSnapshot<S> {
    type_name: String,
    states: ChunkedSnapshot<Option<Arc<S>>>,
}

impl<S: MetricSketch> ComplexColumn for SketchSnapshot<S> {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn get(&self, row: usize) -> Result<Option<Cow<'_, [u8]>>, SegmentError> {
        let Some(state) = self.states.block(row / BLOCK_ROWS).get(row % BLOCK_ROWS) else {
            return Err(SegmentError::Invalid(format!("row {row} is out of range")));
        };
        Ok(state.as_ref().map(|state| Cow::Owned(state.to_bytes())))
    }
}
