//! Numbers by group that take in those of partials.

use std::any::Any;

use henge_scan::Result;
use henge_vector::{Column, NullBuffer, nulls_of};

use super::{MergedStates, absorb_finished, other_states};
use crate::number::{Combine, Number};

/// Numbers by group, from the operation's start on.
pub(super) struct Numbers<C: Combine> {
    pub(super) values: Vec<C::State>,
    /// Which groups have a value. Kept only once a state without one was seen: until then it is
    /// every group that was added to.
    pub(super) valid: Option<Vec<bool>>,
}

impl<C: Combine> Default for Numbers<C> {
    fn default() -> Self {
        Self { values: Vec::new(), valid: None }
    }
}

impl<C: Combine> Numbers<C> {
    pub(super) fn resize(&mut self, groups: usize) {
        if self.values.is_empty() {
            // One allocation that the system may hand out zeroed.
            self.values = vec![C::START; groups];
        } else {
            self.values.resize(groups, C::START);
        }
        if let Some(valid) = &mut self.valid {
            valid.resize(groups, false);
        }
    }

    /// Adds values to their groups; true when one wrapped around.
    #[inline]
    pub(super) fn add(
        &mut self,
        from: &[C::State],
        nulls: Option<&NullBuffer>,
        groups: &[u32],
        seen: &[bool],
    ) -> bool {
        self.change(from, nulls, groups, seen, C::add)
    }

    /// As [`Numbers::add`], by another operation.
    #[inline]
    pub(super) fn change(
        &mut self,
        from: &[C::State],
        nulls: Option<&NullBuffer>,
        groups: &[u32],
        seen: &[bool],
        mut change: impl FnMut(&mut C::State, C::State) -> bool,
    ) -> bool {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        if nulls.is_some() && self.valid.is_none() {
            self.valid = Some(seen.to_vec());
        }
        let values = &mut self.values[..];
        let mut wrapped = false;
        match &mut self.valid {
            None => {
                for (&value, &group) in from.iter().zip(groups) {
                    wrapped |= change(&mut values[group as usize], value);
                }
            }
            Some(valid) => {
                for (index, (&value, &group)) in from.iter().zip(groups).enumerate() {
                    if nulls.is_none_or(|nulls| nulls.is_valid(index)) {
                        wrapped |= change(&mut values[group as usize], value);
                        valid[group as usize] = true;
                    }
                }
            }
        }
        wrapped
    }

    /// True when every group that was added to has a value.
    pub(super) fn is_whole(&self) -> bool {
        self.valid.is_none()
    }

    /// Changes each state by the number of the same group, of which none lacks a value; true when a
    /// change wrapped around.
    #[inline]
    pub(super) fn change_all(
        &mut self,
        other: &Self,
        mut change: impl FnMut(&mut C::State, C::State) -> bool,
    ) -> bool {
        let mut wrapped = false;
        for (state, value) in self.values.iter_mut().zip(&other.values) {
            wrapped |= change(state, *value);
        }
        wrapped
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.values.as_slice())
    }

    pub(super) fn finish(self, groups: &[u32]) -> (Vec<C::State>, Option<NullBuffer>) {
        let whole = groups.len() == self.values.len();
        let Self { values, valid } = self;
        // Groups ascend: as many as there are values are all of them.
        let pick = |values: Vec<C::State>| match whole {
            true => values,
            false => groups.iter().map(|&group| values[group as usize]).collect(),
        };
        let nulls = valid.and_then(|valid| nulls_of(groups.len(), |at| valid[groups[at] as usize]));
        (pick(values), nulls)
    }
}

/// Minima, maxima and sums of doubles.
pub(crate) struct MergedNumbers<C: Combine> {
    numbers: Numbers<C>,
    float: bool,
}

impl<C: Combine> MergedNumbers<C> {
    /// No groups; `float` says that results are FLOATs.
    pub(crate) fn new(float: bool) -> Self {
        Self { numbers: Numbers::default(), float }
    }
}

impl<C: Combine<State: Number>> MergedStates for MergedNumbers<C> {
    fn resize(&mut self, groups: usize) {
        self.numbers.resize(groups);
    }

    fn add(&mut self, name: &str, states: Column, groups: &[u32], seen: &[bool]) -> Result<()> {
        let Some((from, nulls)) = C::State::of_column(&states) else {
            return Err(other_states(name, states.kind()));
        };
        self.numbers.add(from, nulls, groups, seen);
        Ok(())
    }

    fn absorb(
        &mut self,
        name: &str,
        other: Box<dyn MergedStates>,
        seen: &[bool],
        other_seen: &[bool],
    ) -> Result<()> {
        let alike = (&*other as &dyn Any).downcast_ref::<Self>();
        if let Some(Self { numbers: from, .. }) = alike
            && from.is_whole()
            && self.numbers.is_whole()
        {
            self.numbers.change_all(from, C::add);
            return Ok(());
        }
        absorb_finished(self, name, other, seen, other_seen)
    }

    fn memory_bytes(&self) -> usize {
        self.numbers.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: &[u32]) -> Column {
        let (values, nulls) = self.numbers.finish(groups);
        C::State::column(values, nulls, self.float)
    }
}
