//! Field names to positions. Events of one source mostly list their fields in one order, so the
//! field that stood at a place last time is tried first: one comparison and no hashing.

use rustc_hash::FxHashMap;

/// The names that matter.
#[derive(Debug, Default)]
pub(crate) struct FieldTable {
    names: Vec<Box<str>>,
    /// Fields that become a dimension with their first value.
    pending: Vec<usize>,
    positions: FxHashMap<Box<str>, u32>,
    /// By place in the event: the field met there last.
    expected: Vec<u32>,
}

/// No field.
const NONE: u32 = u32::MAX;

impl FieldTable {
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The position of a name, which is added when it is new.
    pub(crate) fn add(&mut self, name: &str) -> usize {
        if let Some(position) = self.positions.get(name) {
            return *position as usize;
        }
        let position = self.names.len();
        self.names.push(name.into());
        self.positions.insert(name.into(), position as u32);
        position
    }

    pub(crate) fn name(&self, position: usize) -> &str {
        self.names.get(position).map_or("", AsRef::as_ref)
    }

    /// The position of a name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).map(|position| *position as usize)
    }

    /// Whether a field waits for its first value to become a dimension.
    pub(crate) fn is_pending(&self, name: &str) -> bool {
        self.position(name).is_some_and(|position| self.pending.contains(&position))
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.positions.contains_key(name)
    }

    /// Lets a field become a dimension with its first value.
    pub(crate) fn set_pending(&mut self, position: usize) {
        if !self.pending.contains(&position) {
            self.pending.push(position);
        }
    }

    /// The field is a dimension now, or will never be one.
    pub(crate) fn clear_pending(&mut self, position: usize) {
        self.pending.retain(|waiting| *waiting != position);
    }

    /// Fields that wait for their first value.
    pub(crate) fn pending(&self) -> &[usize] {
        &self.pending
    }

    /// The field that stood at this place of an event last time, if it has this name.
    #[inline]
    pub(crate) fn find_expected(&self, name: &str, place: usize) -> Option<usize> {
        let expected = *self.expected.get(place)? as usize;
        self.names.get(expected).is_some_and(|known| known.as_ref() == name).then_some(expected)
    }

    /// The field of this name, which is expected at this place from now on.
    pub(crate) fn find(&mut self, name: &str, place: usize) -> Option<usize> {
        let found = self.positions.get(name).copied();
        // Places are bounded by the limit on fields.
        if self.expected.len() <= place {
            self.expected.resize(place + 1, NONE);
        }
        if let Some(position) = found {
            self.expected[place] = position;
        }
        found.map(|position| position as usize)
    }
}
