//! A node-wide dictionary as columns of ids see it.

use std::sync::Arc;

use henge_vector::Numbering;

use super::dictionary::NodeDictionary;
use super::values::NodeValues;

/// A dictionary and its values as they were at some time.
#[derive(Debug)]
pub(crate) struct NodeSnapshot {
    dictionary: Arc<NodeDictionary>,
    values: Arc<NodeValues>,
}

impl NodeSnapshot {
    pub(crate) fn new(dictionary: Arc<NodeDictionary>, values: Arc<NodeValues>) -> Self {
        Self { dictionary, values }
    }
}

impl Numbering for NodeSnapshot {
    fn dictionary(&self) -> usize {
        Arc::as_ptr(&self.dictionary) as usize
    }

    fn id_count(&self) -> usize {
        self.values.id_count()
    }

    fn value(&self, id: u32) -> Option<&str> {
        self.values.get(id)
    }

    fn intern(&self, values: &[&str]) -> (Vec<u32>, Arc<dyn Numbering>) {
        let (ids, values) = self.dictionary.intern(values.iter().copied());
        (ids, Arc::new(Self::new(Arc::clone(&self.dictionary), values)))
    }
}
