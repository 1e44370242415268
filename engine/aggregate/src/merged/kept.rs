//! The states of first, last and any: a time and a value a group, while rows or other states come.

use std::sync::Arc;

use henge_scan::Result;
use henge_segment::metric::PairValue;
use henge_types::OneOf;
use henge_vector::{Column, Text, Timed, nulls_of, optional};

use super::{MergedStates, absorb_finished, other_states};

/// A value that is kept, as its type.
pub(crate) trait KeptValue: PairValue {
    /// The column of some values.
    fn column(values: Vec<Option<Self>>) -> Column;

    /// The value of a row of such a column; `None` when the column is of another kind.
    fn of_column(column: &Column, row: usize) -> Option<Option<Self>>;
}

impl KeptValue for i64 {
    fn column(values: Vec<Option<Self>>) -> Column {
        Column::Long(values.into())
    }

    fn of_column(column: &Column, row: usize) -> Option<Option<Self>> {
        let Column::Long(values) = column else { return None };
        Some(optional(values, row))
    }
}

impl KeptValue for f64 {
    fn column(values: Vec<Option<Self>>) -> Column {
        Column::Double(values.into())
    }

    fn of_column(column: &Column, row: usize) -> Option<Option<Self>> {
        let Column::Double(values) = column else { return None };
        Some(optional(values, row))
    }
}

impl KeptValue for f32 {
    fn column(values: Vec<Option<Self>>) -> Column {
        let nulls = nulls_of(values.len(), |row| values[row].is_some());
        let wide = values.iter().map(|value| f64::from(value.unwrap_or_default()));
        Column::wide_floats(wide.collect(), nulls)
    }

    fn of_column(column: &Column, row: usize) -> Option<Option<Self>> {
        let Column::WideFloat(values) = column else { return None };
        Some(optional(values, row).map(|value| value as f32))
    }
}

impl KeptValue for Arc<str> {
    fn column(values: Vec<Option<Self>>) -> Column {
        Column::Text(Text::of(values.iter().map(Option::as_deref)))
    }

    fn of_column(column: &Column, row: usize) -> Option<Option<Self>> {
        let Column::Text(text) = column else { return None };
        Some(text.get(row).map(Self::from))
    }
}

/// A time in milliseconds and the value of that time, a group.
#[derive(Debug)]
pub(crate) struct KeptValues<V> {
    which: OneOf,
    states: Vec<Option<(i64, Option<V>)>>,
    /// Bytes of the values beside their places. Counted as they come: memory is asked for often.
    held_bytes: usize,
}

impl<V: KeptValue> KeptValues<V> {
    /// Of no groups.
    pub(crate) fn new(which: OneOf) -> Self {
        Self { which, states: Vec::new(), held_bytes: 0 }
    }

    /// The states of these groups, ascending; of all for `None`.
    pub(crate) fn into_column(self, groups: Option<&[u32]>) -> Column {
        match groups {
            None => column(self.states),
            Some(groups) => Box::new(self).finish(groups),
        }
    }

    /// True when a time says that its value, whatever it is, will not be kept.
    #[inline]
    pub(crate) fn is_settled(&self, group: usize, time_ms: i64) -> bool {
        self.states[group].as_ref().is_some_and(|(kept_ms, _)| match self.which {
            OneOf::First => time_ms > *kept_ms,
            OneOf::Last => time_ms < *kept_ms,
            OneOf::Any => false,
        })
    }

    /// Keeps a value when it is to be preferred.
    #[inline]
    pub(crate) fn offer(&mut self, group: usize, time_ms: i64, value: Option<V>) {
        let state = &mut self.states[group];
        let prefers = state.as_ref().is_none_or(|(kept_ms, kept)| {
            let (new, kept) = ((time_ms, value.as_ref()), (*kept_ms, kept.as_ref()));
            self.which.prefers(new, kept, V::compare)
        });
        if prefers {
            let held_bytes = |value: Option<&V>| value.map_or(0, V::held_bytes);
            self.held_bytes += held_bytes(value.as_ref());
            let replaced = state.replace((time_ms, value));
            self.held_bytes -= held_bytes(replaced.and_then(|(_, value)| value).as_ref());
        }
    }
}

impl<V: KeptValue> MergedStates for KeptValues<V> {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, None);
    }

    fn add(&mut self, name: &str, states: Column, groups: &[u32], _: &[bool]) -> Result<()> {
        let other = || other_states(name, states.kind());
        let Column::Timed(timed) = &states else { return Err(other()) };
        for (row, &group) in groups.iter().enumerate().take(timed.len()) {
            if let Some(time_ms) = optional(timed.times(), row) {
                let value = V::of_column(timed.values(), row).ok_or_else(other)?;
                self.offer(group as usize, time_ms, value);
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
        self.held_bytes + self.states.capacity() * size_of::<Option<(i64, Option<V>)>>()
    }

    fn finish(self: Box<Self>, groups: &[u32]) -> Column {
        let mut states = self.states;
        let taken = groups.iter().map(|group| states.get_mut(*group as usize)?.take());
        column(taken.collect())
    }
}

/// The states as a column.
fn column<V: KeptValue>(states: Vec<Option<(i64, Option<V>)>>) -> Column {
    let times = states.iter().map(|state| state.as_ref().map(|(time_ms, _)| *time_ms));
    let times = times.collect::<Vec<_>>().into();
    Column::Timed(Timed::new(times, V::column(states.into_iter().map(|s| s?.1).collect())))
}
