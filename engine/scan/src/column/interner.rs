//! Local dictionaries: ids for values that have none in the segment.

use hashbrown::HashTable;
use henge_vector::{Text, TextValues};
use xxhash_rust::xxh3::xxh3_64;

/// Distinct strings, with ids from 1 (0 is null) in the order of their arrival.
#[derive(Debug, Default)]
pub struct StringInterner {
    table: HashTable<u32>,
    values: TextValues,
}

impl StringInterner {
    /// Bytes of memory, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.values.memory_bytes() + self.table.capacity() * 5
    }

    /// Number of ids, null's included.
    pub fn id_count(&self) -> usize {
        self.values.id_count()
    }

    pub(crate) fn id_of_nullable(&mut self, value: Option<&str>) -> u32 {
        value.map_or(0, |value| self.id_of(value))
    }

    /// The id of a value, a new one where it is not known.
    pub fn id_of(&mut self, value: &str) -> u32 {
        let hash = xxh3_64(value.as_bytes());
        let Self { table, values } = self;
        if let Some(&id) = table.find(hash, |&id| values.value(id) == Some(value)) {
            return id;
        }
        let id = values.push(value);
        table.insert_unique(hash, id, |&id| {
            xxh3_64(values.value(id).unwrap_or_default().as_bytes())
        });
        id
    }

    /// The value of an id; `None` is null.
    pub fn value(&self, id: u32) -> Option<&str> {
        self.values.value(id)
    }

    /// Rows whose ids are these.
    pub fn into_text(self, ids: Vec<u32>) -> Text {
        self.values.into_text(ids, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interner_keeps_null_and_empty_apart() {
        let mut interner = StringInterner::default();
        let ids: Vec<u32> = [None, Some(""), Some("a"), Some(""), None, Some("b")]
            .into_iter()
            .map(|value| interner.id_of_nullable(value))
            .collect();
        assert_eq!(ids, [0, 1, 2, 1, 0, 3]);
        let keys = interner.into_text(ids);
        assert_eq!(keys.get(0), None);
        assert_eq!(keys.get(1), Some(""));
        assert_eq!(keys.get(5), Some("b"));
    }
}
