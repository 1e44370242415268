//! What the node took and refused, by datasource: for whoever watches it.

use std::collections::BTreeMap;

use super::RealtimeNode;

/// What a node took of a datasource since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Events that were pushed.
    pub received: u64,
    /// Events of these that were stored.
    pub accepted: u64,
    /// Events of these that were refused.
    pub rejected: u64,
    /// Pushes that were stored before.
    pub duplicate_requests: u64,
    /// Bytes of pushes, inflated.
    pub bytes: u64,
    /// Refused events that were kept, whoever refused them.
    pub dead_letters: u64,
}

impl RealtimeNode {
    /// By datasource, those included of which events were refused only.
    #[must_use]
    pub fn ingested(&self) -> BTreeMap<String, Ingested> {
        let mut ingested: BTreeMap<String, Ingested> = BTreeMap::new();
        for (name, datasource) in &*self.datasources.read() {
            let totals = datasource.totals();
            let of = Ingested {
                received: totals.received,
                accepted: totals.accepted,
                rejected: totals.rejected,
                duplicate_requests: totals.duplicate_requests,
                bytes: totals.bytes,
                dead_letters: 0,
            };
            ingested.insert(name.clone(), of);
        }
        for (name, letters) in &*self.shared.letters_kept.lock() {
            ingested.entry(name.clone()).or_default().dead_letters = *letters;
        }
        ingested
    }
}
