//! What is computed once per dictionary id and remembered.

use crate::error::Result;

/// Results by dictionary id.
#[derive(Debug)]
pub(crate) struct DictionaryMemo<T> {
    values: Vec<Option<T>>,
}

impl<T: Copy> DictionaryMemo<T> {
    pub(crate) fn new(id_count: u32) -> Self {
        Self { values: vec![None; id_count as usize] }
    }

    /// The result for an id, computed on first use.
    #[inline]
    pub(crate) fn get(&mut self, id: u32, compute: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.values.get(id as usize) {
            Some(Some(value)) => Ok(*value),
            _ => self.fill(id, compute),
        }
    }

    #[cold]
    fn fill(&mut self, id: u32, compute: impl FnOnce() -> Result<T>) -> Result<T> {
        let value = compute()?;
        if let Some(slot) = self.values.get_mut(id as usize) {
            *slot = Some(value);
        }
        Ok(value)
    }
}
