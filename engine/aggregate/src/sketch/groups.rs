//! Sketches by group, and the accumulator of all aggregators that keep them.

use henge_scan::{Batch, ExecError, Result, SlotId};
use henge_sketch::{HllRegisters, SketchError};
use henge_vector::{Column, Sketches};

use super::kind::SketchKind;
use crate::accumulator::{Accumulator, BlockInput};
use crate::table::StateTable;

/// Makes an empty sketch.
pub(crate) type MakeSketch<S> = Box<dyn Fn() -> Result<S, SketchError>>;

/// Registers take at most so many bytes: of more groups, most have few values.
const MAX_REGISTER_BYTES: usize = 16 << 20;

/// One sketch a group, made when the first value comes.
pub(crate) struct GroupSketches<S> {
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
    fn new(name: &str, make: MakeSketch<S>) -> Self {
        Self {
            sketches: Vec::new(),
            registers: None,
            may_have_registers: S::BY_HASH,
            make,
            name: name.to_owned(),
        }
    }

    fn resize(&mut self, groups: usize) {
        self.sketches.resize_with(groups, || None);
    }

    pub(crate) fn len(&self) -> usize {
        self.sketches.len()
    }

    /// The sketch of a group, to add values to that do not come as hashes.
    pub(crate) fn get(&mut self, group: usize) -> Result<&mut S> {
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
    pub(crate) fn registers(&mut self) -> Result<Option<&mut HllRegisters>> {
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

    fn memory_bytes(&self) -> usize {
        let sketches: usize = self.sketches.iter().flatten().map(|s| s.memory_bytes()).sum();
        let registers = self.registers.as_ref().map_or(0, HllRegisters::memory_bytes);
        sketches + registers + self.sketches.capacity() * size_of::<usize>()
    }

    fn finish(mut self, groups: Option<&[u32]>) -> Result<Column> {
        self.make_sketches()?;
        Ok(Column::from(Sketches::new(gather_owned(self.sketches, groups))))
    }
}

fn parameter_error(name: &str, error: &SketchError) -> ExecError {
    ExecError::Invalid(format!("aggregator '{name}': {error}"))
}

/// What an aggregator's sketches are made from.
pub(crate) trait SketchInput<S: SketchKind>: std::fmt::Debug + Sized {
    /// The slots that must be loaded.
    fn slots(&self) -> Vec<SlotId>;
    /// Adds rows to the sketches of their groups, or puts them aside.
    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()>;
    /// Bytes of what is not in the sketches.
    fn memory_bytes(&self) -> usize {
        0
    }
    /// Adds what was put aside.
    fn finish(self, _: &mut GroupSketches<S>) -> Result<()> {
        Ok(())
    }
}

/// An accumulator whose states are sketches.
#[derive(Debug)]
pub(crate) struct SketchAccumulator<S: SketchKind, I> {
    input: I,
    sketches: GroupSketches<S>,
}

impl<S: SketchKind, I: SketchInput<S>> SketchAccumulator<S, I> {
    pub(crate) fn new(name: &str, make: MakeSketch<S>, input: I) -> Self {
        Self { input, sketches: GroupSketches::new(name, make) }
    }
}

impl<S: SketchKind, I: SketchInput<S>> Accumulator for SketchAccumulator<S, I> {
    fn slots(&self) -> Vec<SlotId> {
        self.input.slots()
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
        self.input.update(batch, input, &mut self.sketches)
    }

    fn memory_bytes(&self) -> usize {
        self.input.memory_bytes() + self.sketches.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        let Self { input, mut sketches } = *self;
        input.finish(&mut sketches)?;
        sketches.finish(groups)
    }
}

/// The entries of these groups, moved out; groups ascend.
pub(crate) fn gather_owned<T>(
    mut states: Vec<Option<T>>,
    groups: Option<&[u32]>,
) -> Vec<Option<T>> {
    match groups {
        None => states,
        Some(groups) => {
            groups.iter().map(|&group| states.get_mut(group as usize)?.take()).collect()
        }
    }
}
