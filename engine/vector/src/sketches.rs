//! Sketches as objects, one a row.

use std::any::Any;
use std::borrow::Cow;

use henge_sketch::Sketch;

use crate::objects::{ObjectColumn, Objects, SketchObject};

/// Sketches; `None` is one of no values.
#[derive(Debug, Clone, Default)]
pub struct Sketches<S>(Vec<Option<Box<S>>>);

impl<S> Sketches<S> {
    /// One a row.
    #[must_use]
    pub fn new(sketches: Vec<Option<Box<S>>>) -> Self {
        Self(sketches)
    }

    /// So many of no values.
    #[must_use]
    pub fn empty(rows: usize) -> Self {
        Self(std::iter::repeat_with(|| None).take(rows).collect())
    }

    /// A row's sketch.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&S> {
        self.0[row].as_deref()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Option<&S>> {
        self.0.iter().map(Option::as_deref)
    }

    /// All of them, to be kept.
    #[must_use]
    pub fn into_inner(self) -> Vec<Option<Box<S>>> {
        self.0
    }
}

impl<S: SketchObject> ObjectColumn for Sketches<S> {
    fn kind(&self) -> &'static str {
        S::KIND
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_null(&self, row: usize) -> bool {
        self.0[row].is_none()
    }

    fn image(&self, row: usize) -> Option<Cow<'_, [u8]>> {
        self.get(row).map(|sketch| Cow::Owned(sketch.to_bytes()))
    }

    fn row_bytes(&self, row: usize) -> usize {
        self.get(row).map_or(0, Sketch::memory_bytes)
    }

    fn memory_bytes(&self) -> usize {
        let held: usize = self.iter().flatten().map(Sketch::memory_bytes).sum();
        held + size_of_val(self.0.as_slice())
    }

    fn nulls(&self, rows: usize) -> Objects {
        Self::empty(rows).into()
    }

    fn gathered(&self, rows: &[u32]) -> Objects {
        Self(rows.iter().map(|&row| self.0[row as usize].clone()).collect()).into()
    }

    fn taken(mut self: Box<Self>, rows: &[u32]) -> Objects {
        Self(rows.iter().map(|&row| self.0[row as usize].take()).collect()).into()
    }

    fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
    }

    fn append(&mut self, other: &dyn ObjectColumn) -> bool {
        let other: &dyn Any = other;
        let Some(other) = other.downcast_ref::<Self>() else { return false };
        self.0.extend_from_slice(&other.0);
        true
    }

    fn copied(&self) -> Objects {
        self.clone().into()
    }
}
