//! Sketches by group, and the aggregators that merge stored ones.

use henge_segment::ComplexColumn;
use henge_sketch::{HllHash, HllRegisters, HllSketch, KllSketch, Sketch, SketchError, ThetaSketch};

use super::batch::Batch;
use super::build::MakeSketch;
use super::{Accumulator, BlockInput, StateTable, gather_owned};
use crate::column::SlotId;
use crate::error::{ExecError, Result};
use crate::group::Scalar;
use crate::partial::StateColumn;

/// A sketch that aggregators keep.
pub(super) trait SketchKind: Sketch + std::fmt::Debug + 'static {
    /// The family that stored columns of this kind name in their type.
    const FAMILY: &'static [&'static str];
    /// True when values can be added by their hashes.
    const BY_HASH: bool;
    /// Adds a value.
    fn update(&mut self, value: Scalar<'_>);
    /// The hash of a value, where values can be added so.
    fn hash(_: Scalar<'_>) -> Option<HllHash> {
        None
    }
    /// Adds a value by its hash, where that can be done.
    fn update_hash(&mut self, _: HllHash) {}
    /// Registers for many sketches like this one, where there is such a thing.
    fn registers(&self) -> Option<HllRegisters> {
        None
    }
    /// A sketch that was counted in registers.
    fn of_registers(_: HllSketch) -> Option<Self> {
        None
    }
    /// The finished column.
    fn column(sketches: Vec<Option<Box<Self>>>) -> StateColumn;
}

impl SketchKind for HllSketch {
    const FAMILY: &'static [&'static str] = &["hll", "hyperunique"];
    const BY_HASH: bool = true;

    fn hash(value: Scalar<'_>) -> Option<HllHash> {
        Some(match value {
            Scalar::Text(text) => HllHash::of_str(text),
            Scalar::Long(value) => HllHash::of_i64(value),
            Scalar::Double(value) => HllHash::of_f64(value),
        })
    }

    #[inline]
    fn update_hash(&mut self, hash: HllHash) {
        Self::update_hash(self, hash);
    }

    fn registers(&self) -> Option<HllRegisters> {
        Some(HllRegisters::like(self))
    }

    fn of_registers(sketch: HllSketch) -> Option<Self> {
        Some(sketch)
    }

    fn update(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Text(text) => self.update_str(text),
            Scalar::Long(value) => self.update_i64(value),
            Scalar::Double(value) => self.update_f64(value),
        }
    }

    fn column(sketches: Vec<Option<Box<Self>>>) -> StateColumn {
        StateColumn::Hll(sketches)
    }
}

impl SketchKind for ThetaSketch {
    const FAMILY: &'static [&'static str] = &["theta"];
    const BY_HASH: bool = false;

    fn update(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Text(text) => self.update_str(text),
            Scalar::Long(value) => self.update_i64(value),
            Scalar::Double(value) => self.update_f64(value),
        }
    }

    fn column(sketches: Vec<Option<Box<Self>>>) -> StateColumn {
        StateColumn::Theta(sketches)
    }
}

impl SketchKind for KllSketch {
    const FAMILY: &'static [&'static str] = &["quantiles", "kll"];
    const BY_HASH: bool = false;

    fn update(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Text(_) => {}
            Scalar::Long(value) => self.update_f64(value as f64),
            Scalar::Double(value) => self.update_f64(value),
        }
    }

    fn column(sketches: Vec<Option<Box<Self>>>) -> StateColumn {
        StateColumn::Kll(sketches)
    }
}

/// Registers take at most so many bytes: of more groups, most have few values.
const MAX_REGISTER_BYTES: usize = 16 << 20;

/// One sketch a group, made when the first value comes.
pub(super) struct GroupSketches<S> {
    sketches: Vec<Option<Box<S>>>,
    /// Where values that come as hashes go, while groups are few.
    registers: Option<HllRegisters>,
    /// Whether there may be registers from now on.
    may_have_registers: bool,
    make: MakeSketch<S>,
    name: String,
}

impl<S: SketchKind> std::fmt::Debug for GroupSketches<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupSketches").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<S: SketchKind> GroupSketches<S> {
    pub(super) fn new(name: &str, make: MakeSketch<S>) -> Self {
        Self {
            sketches: Vec::new(),
            registers: None,
            may_have_registers: S::BY_HASH,
            make,
            name: name.to_owned(),
        }
    }

    pub(super) fn resize(&mut self, groups: usize) {
        self.sketches.resize_with(groups, || None);
    }

    pub(super) fn len(&self) -> usize {
        self.sketches.len()
    }

    /// The sketch of a group, to add values to that do not come as hashes.
    pub(super) fn get(&mut self, group: usize) -> Result<&mut S> {
        let Self { sketches, make, name, .. } = self;
        match &mut sketches[group] {
            Some(sketch) => Ok(sketch),
            empty => {
                let sketch = make().map_err(|error| parameter_error(name, &error))?;
                Ok(empty.insert(Box::new(sketch)))
            }
        }
    }

    /// Registers for all groups, unless these are too many.
    pub(super) fn registers(&mut self) -> Result<Option<&mut HllRegisters>> {
        let groups = self.len();
        if std::mem::take(&mut self.may_have_registers) {
            let empty = (self.make)().map_err(|error| parameter_error(&self.name, &error))?;
            self.registers = empty.registers();
        }
        let too_many =
            |registers: &HllRegisters| groups * registers.group_bytes() > MAX_REGISTER_BYTES;
        if self.registers.as_ref().is_some_and(too_many) {
            self.make_sketches()?;
        }
        if let Some(registers) = &mut self.registers {
            registers.resize(groups);
        }
        Ok(self.registers.as_mut())
    }

    /// Gives up registers.
    fn make_sketches(&mut self) -> Result<()> {
        let Some(registers) = self.registers.take() else { return Ok(()) };
        for (group, sketch) in self.sketches.iter_mut().enumerate() {
            let counted = registers.sketch(group);
            let counted = counted.map_err(|error| parameter_error(&self.name, &error))?;
            *sketch = counted.and_then(S::of_registers).map(Box::new);
        }
        Ok(())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let sketches: usize = self.sketches.iter().flatten().map(|s| s.memory_bytes()).sum();
        let registers = self.registers.as_ref().map_or(0, HllRegisters::memory_bytes);
        sketches + registers + self.sketches.capacity() * size_of::<usize>()
    }

    pub(super) fn finish(mut self, groups: Option<&[u32]>) -> Result<StateColumn> {
        self.make_sketches()?;
        Ok(S::column(gather_owned(self.sketches, groups)))
    }
}

fn parameter_error(name: &str, error: &SketchError) -> ExecError {
    ExecError::Invalid(format!("aggregator '{name}': {error}"))
}

/// Merges a stored sketch column.
pub(super) struct MergeAccumulator<'a, S> {
    field: String,
    column: &'a dyn ComplexColumn,
    sketches: GroupSketches<S>,
}

impl<S: SketchKind> std::fmt::Debug for MergeAccumulator<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MergeAccumulator").field("field", &self.field).finish_non_exhaustive()
    }
}

impl<'a, S: SketchKind> MergeAccumulator<'a, S> {
    pub(super) fn new(
        name: &str,
        field: &str,
        column: &'a dyn ComplexColumn,
        make: MakeSketch<S>,
    ) -> Result<Self> {
        let type_name = column.type_name().to_ascii_lowercase();
        if !S::FAMILY.iter().any(|family| type_name.contains(family)) {
            return Err(ExecError::Invalid(format!(
                "aggregator '{name}' cannot read column '{field}', which holds {} sketches",
                column.type_name()
            )));
        }
        Ok(Self { field: field.to_owned(), column, sketches: GroupSketches::new(name, make) })
    }
}

impl<S: SketchKind> Accumulator for MergeAccumulator<'_, S> {
    fn slots(&self) -> Vec<SlotId> {
        Vec::new()
    }

    fn resize(&mut self, groups: usize) {
        self.sketches.resize(groups);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let Self { field, column, sketches } = self;
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

    fn memory_bytes(&self) -> usize {
        self.sketches.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<StateColumn> {
        self.sketches.finish(groups)
    }
}

/// Sketches over a column that the segment lacks: all empty.
#[derive(Debug)]
pub(super) struct NullSketches<S> {
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

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<StateColumn> {
        let count = groups.map_or(self.groups, <[u32]>::len);
        Ok(S::column(std::iter::repeat_with(|| None).take(count).collect()))
    }
}
