//! Sketches by group that take in those of partials.

use henge_scan::Result;
use henge_vector::{Column, Sketches};

use super::function::unreadable;
use super::kind::SketchKind;
use crate::merged::{MergedStates, absorb_finished, other_states};

/// A sketch a group, once a partial had one.
pub(crate) struct MergedSketches<S>(Vec<Option<Box<S>>>);

impl<S> Default for MergedSketches<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: SketchKind> MergedStates for MergedSketches<S> {
    fn resize(&mut self, groups: usize) {
        self.0.resize_with(groups, || None);
    }

    fn add(&mut self, name: &str, states: Column, groups: &[u32], _: &[bool]) -> Result<()> {
        let kind = states.kind();
        let from = states.into_objects::<Sketches<S>>().ok_or_else(|| other_states(name, kind))?;
        for (sketch, &group) in from.into_inner().into_iter().zip(groups) {
            match (&mut self.0[group as usize], sketch) {
                (_, None) => {}
                (empty @ None, sketch) => *empty = sketch,
                (Some(state), Some(sketch)) => {
                    state.merge(&sketch).map_err(|error| unreadable(name, &error))?;
                }
            }
        }
        Ok(())
    }

    fn absorb(
        &mut self,
        name: &str,
        other: Box<dyn MergedStates>,
        seen: &[bool],
        other_seen: &[bool],
    ) -> Result<()> {
        absorb_finished(self, name, other, seen, other_seen)
    }

    fn memory_bytes(&self) -> usize {
        let held: usize = self.0.iter().flatten().map(|sketch| sketch.memory_bytes()).sum();
        held + size_of_val(self.0.as_slice())
    }

    fn finish(self: Box<Self>, groups: &[u32]) -> Column {
        let mut states = self.0;
        let taken = groups.iter().map(|&group| states[group as usize].take());
        Column::from(Sketches::<S>::new(taken.collect()))
    }
}
