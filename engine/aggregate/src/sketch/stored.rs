//! Sketches that a column stores, merged; and those over a column that the segment lacks.

use henge_scan::{Batch, Columns, ExecError, Result, SlotId};
use henge_segment::ComplexColumn;
use henge_sketch::SketchError;
use henge_vector::{Column, Sketches};

use super::groups::{GroupSketches, SketchInput};
use super::kind::SketchKind;
use crate::accumulator::{Accumulator, BlockInput};
use crate::table::StateTable;

/// A stored sketch column.
pub(crate) struct StoredSketches<'a> {
    field: String,
    column: &'a dyn ComplexColumn,
}

impl std::fmt::Debug for StoredSketches<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSketches").field("field", &self.field).finish_non_exhaustive()
    }
}

impl<'a> StoredSketches<'a> {
    /// A column that must hold sketches of a kind.
    pub(crate) fn of<S: SketchKind>(
        field: &str,
        column: &'a dyn ComplexColumn,
        columns: &Columns<'a>,
    ) -> Result<Self> {
        let type_name = column.type_name().to_ascii_lowercase();
        if !S::FAMILY.iter().any(|family| type_name.contains(family)) {
            return Err(columns.unreadable(field, column));
        }
        Ok(Self { field: field.to_owned(), column })
    }
}

impl<S: SketchKind> SketchInput<S> for StoredSketches<'_> {
    fn slots(&self) -> Vec<SlotId> {
        Vec::new()
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()> {
        let Self { field, column } = self;
        let corrupt = |error: SketchError| ExecError::Sketch {
            column: field.clone(),
            reason: error.to_string(),
        };
        batch.try_visit(|row, group| {
            if let Some(bytes) = column.get(input.window.absolute(row))? {
                let stored = S::from_bytes(&bytes).map_err(corrupt)?;
                sketches.get(group)?.merge(&stored).map_err(corrupt)?;
            }
            Ok(())
        })
    }
}

/// Sketches over a column that the segment lacks: all empty.
#[derive(Debug)]
pub(crate) struct NullSketches<S> {
    groups: usize,
    kind: std::marker::PhantomData<S>,
}

impl<S> Default for NullSketches<S> {
    fn default() -> Self {
        Self { groups: 0, kind: std::marker::PhantomData }
    }
}

impl<S: SketchKind> Accumulator for NullSketches<S> {
    fn slots(&self) -> Vec<SlotId> {
        Vec::new()
    }

    fn resize(&mut self, groups: usize) {
        self.groups = groups;
    }

    fn update(&mut self, _: &Batch<'_>, _: &BlockInput<'_>, _: &mut StateTable) -> Result<()> {
        Ok(())
    }

    fn update_by_count(&mut self, _: u32, _: usize, _: &mut StateTable) -> bool {
        true
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        let count = groups.map_or(self.groups, <[u32]>::len);
        Ok(Column::from(Sketches::<S>::empty(count)))
    }
}
