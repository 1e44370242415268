//! Local dictionaries: ids for values that have none in the segment.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::partial::StringKeys;

/// Distinct strings, with ids from 1 (0 is null) in the order of their arrival.
#[derive(Debug, Default)]
pub(crate) struct StringInterner {
    table: HashTable<u32>,
    ends: Vec<usize>,
    bytes: String,
}

impl StringInterner {
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.table.capacity() * 5
    }

    /// Number of ids, null's included.
    pub(crate) fn id_count(&self) -> usize {
        self.ends.len() + 1
    }

    pub(crate) fn id_of_nullable(&mut self, value: Option<&str>) -> u32 {
        value.map_or(0, |value| self.id_of(value))
    }

    pub(crate) fn id_of(&mut self, value: &str) -> u32 {
        let hash = xxh3_64(value.as_bytes());
        let Self { table, ends, bytes } = self;
        if let Some(&id) = table.find(hash, |&id| text(ends, bytes, id) == value) {
            return id;
        }
        bytes.push_str(value);
        ends.push(bytes.len());
        let id = ends.len() as u32;
        table.insert_unique(hash, id, |&id| xxh3_64(text(ends, bytes, id).as_bytes()));
        id
    }

    /// The value of an id; `None` is null.
    pub(crate) fn value(&self, id: u32) -> Option<&str> {
        (id > 0).then(|| text(&self.ends, &self.bytes, id))
    }

    /// The keys of groups whose ids are these.
    pub(crate) fn into_keys(self, ids: Vec<u32>) -> StringKeys {
        StringKeys { ids, ends: self.ends, bytes: self.bytes, sorted: false }
    }
}

fn text<'a>(ends: &[usize], bytes: &'a str, id: u32) -> &'a str {
    let index = id as usize - 1;
    let start = if index == 0 { 0 } else { ends[index - 1] };
    &bytes[start..ends[index]]
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
        let keys = interner.into_keys(ids);
        assert_eq!(keys.get(0), None);
        assert_eq!(keys.get(1), Some(""));
        assert_eq!(keys.get(5), Some("b"));
    }
}
