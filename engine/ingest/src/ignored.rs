//! Counting fields that the schema has nowhere: what is not stored is said, never left out in silence.

use henge_types::{IgnoredField, IgnoredFields};

use crate::coerce::{describe, excerpt};
use crate::fields::FieldTable;
use crate::raw::{EventBuffer, Raw};

/// Values by the number of their field's name.
#[derive(Debug, Default)]
pub(crate) struct IgnoredCounts {
    fields: Vec<IgnoredField>,
}

impl IgnoredCounts {
    /// Whether a value of a field was kept as an example.
    pub(crate) fn has_example(&self, number: usize) -> bool {
        self.fields.get(number).is_some_and(|field| field.count > 0)
    }

    /// Counts a value of an event that is stored.
    #[inline]
    pub(crate) fn count(&mut self, number: usize, first: impl FnOnce() -> (String, u64)) {
        if let Some(field) = self.fields.get_mut(number)
            && field.count > 0
        {
            field.count += 1;
            return;
        }
        self.begin(number, first());
    }

    #[cold]
    fn begin(&mut self, number: usize, (example, position): (String, u64)) {
        if self.fields.len() <= number {
            self.fields.resize_with(number + 1, IgnoredField::default);
        }
        self.fields[number] = IgnoredField { count: 1, example, position, ..Default::default() };
    }

    /// Adds what was counted later.
    pub(crate) fn absorb(&mut self, later: Self) {
        for (number, field) in later.fields.into_iter().enumerate() {
            match self.fields.get_mut(number) {
                Some(known) if known.count > 0 => known.count += field.count,
                Some(known) => *known = field,
                None => self.fields.push(field),
            }
        }
    }

    /// What was counted, by name.
    pub(crate) fn take(&mut self, table: &FieldTable) -> IgnoredFields {
        let fields = std::mem::take(&mut self.fields).into_iter().enumerate();
        let named = fields.map(|(number, field)| IgnoredField {
            field: table.ignored_name(number).to_owned(),
            ..field
        });
        named.filter(|field| field.count > 0).collect()
    }
}

/// A value for people.
pub(crate) fn example(raw: Raw, body: &str, buffer: &EventBuffer) -> String {
    excerpt(&describe(raw, body, buffer))
}
