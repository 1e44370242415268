//! [`IgnoredFields`]: fields of events that the schema names nowhere, so that nothing of them is stored.

use serde::{Deserialize, Serialize};

/// Fields with values that are stored nowhere, in the order in which they were met.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IgnoredFields {
    fields: Vec<IgnoredField>,
}

/// One field that is stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IgnoredField {
    /// Its name; where events bring very many names, the last one stands for several.
    pub field: String,
    /// Values in events that are stored.
    pub count: u64,
    /// The first of them, shortened.
    pub example: String,
    /// The event it came in: its index in the request or in the piece of a file, from 0.
    pub position: u64,
}

impl IgnoredFields {
    /// True when all fields with values are stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields, in the order in which they were met.
    #[must_use]
    pub fn fields(&self) -> &[IgnoredField] {
        &self.fields
    }

    /// Adds what a later batch brought; the examples of the earlier one stay.
    pub fn absorb(&mut self, later: Self) {
        for field in later.fields {
            match self.fields.iter_mut().find(|known| known.field == field.field) {
                Some(known) => known.count += field.count,
                None => self.fields.push(field),
            }
        }
    }
}

impl FromIterator<IgnoredField> for IgnoredFields {
    fn from_iter<I: IntoIterator<Item = IgnoredField>>(fields: I) -> Self {
        Self { fields: fields.into_iter().collect() }
    }
}
