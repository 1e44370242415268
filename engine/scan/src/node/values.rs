//! The values of a node-wide dictionary: an append-only list of chunks, shared by snapshots.

use std::sync::Arc;

/// Values by id, as they were when the snapshot was taken. Id 0 is null; ids never change.
#[derive(Debug, Clone, Default)]
pub struct NodeValues {
    chunks: Vec<Arc<Chunk>>,
    len: u32,
}

/// Values with consecutive ids.
#[derive(Debug)]
pub(super) struct Chunk {
    first_id: u32,
    ends: Vec<usize>,
    bytes: String,
}

impl Chunk {
    pub(super) fn new(first_id: u32) -> Self {
        Self { first_id, ends: Vec::new(), bytes: String::new() }
    }

    /// Appends a value and gives its id.
    pub(super) fn push(&mut self, value: &str) -> u32 {
        self.bytes.push_str(value);
        self.ends.push(self.bytes.len());
        self.first_id + self.ends.len() as u32 - 1
    }

    pub(super) fn next_id(&self) -> u32 {
        self.first_id + self.ends.len() as u32
    }

    pub(super) fn get(&self, id: u32) -> &str {
        let index = (id - self.first_id) as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub(super) fn first_id(&self) -> u32 {
        self.first_id
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

impl NodeValues {
    /// Number of ids, null's included.
    #[must_use]
    pub fn id_count(&self) -> usize {
        self.len as usize + 1
    }

    /// The value of an id; `None` is null.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&str> {
        if id == 0 {
            return None;
        }
        let after = self.chunks.partition_point(|chunk| chunk.first_id <= id);
        Some(self.chunks[after - 1].get(id))
    }

    /// Bytes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.memory_bytes()).sum()
    }

    /// These values and one more chunk.
    pub(super) fn with(&self, chunk: Chunk) -> Self {
        let mut chunks = self.chunks.clone();
        let len = chunk.next_id() - 1;
        chunks.push(Arc::new(chunk));
        Self { chunks, len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_keep_their_ids() {
        let mut chunk = Chunk::new(1);
        assert_eq!((chunk.push("a"), chunk.push("")), (1, 2));
        let first = NodeValues::default().with(chunk);
        let mut chunk = Chunk::new(3);
        chunk.push("c");
        let second = first.with(chunk);
        assert_eq!((first.id_count(), second.id_count()), (3, 4));
        let values: Vec<Option<&str>> = (0..4).map(|id| second.get(id)).collect();
        assert_eq!(values, [None, Some("a"), Some(""), Some("c")]);
    }
}
