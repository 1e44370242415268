//! Sketches as objects, one a row.

use henge_sketch::Sketch;

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

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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

    /// Some rows, each at most once.
    pub(crate) fn taken(mut self, rows: &[u32]) -> Self {
        Self(rows.iter().map(|&row| self.0[row as usize].take()).collect())
    }

    /// The first rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
    }
}

impl<S: Clone> Sketches<S> {
    /// Copies of some rows.
    pub(crate) fn gathered(&self, rows: &[u32]) -> Self {
        Self(rows.iter().map(|&row| self.0[row as usize].clone()).collect())
    }

    /// Appends copies.
    pub(crate) fn extend_from(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }
}

impl<S: Sketch> Sketches<S> {
    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let held: usize = self.iter().flatten().map(Sketch::memory_bytes).sum();
        held + size_of_val(self.0.as_slice())
    }

    /// The serialised form of each.
    pub(crate) fn images(&self) -> impl Iterator<Item = Option<Vec<u8>>> {
        self.iter().map(|sketch| sketch.map(Sketch::to_bytes))
    }
}
