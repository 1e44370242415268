//! Strings as ids of dictionaries that are elsewhere: numbers as they were grouped by, until rows
//! are to be shown or sent.

use std::fmt::Debug;
use std::sync::Arc;

use crate::text::{Text, TextValues};

/// Ids of the string dictionary of one segment. Id 0 is null.
#[derive(Debug, Clone)]
pub struct SegmentIds(Vec<u32>);

impl SegmentIds {
    /// One id a row.
    #[must_use]
    pub fn new(ids: Vec<u32>) -> Self {
        Self(ids)
    }

    /// The rows' ids.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.0
    }

    /// The rows' ids, to be kept.
    #[must_use]
    pub fn into_ids(self) -> Vec<u32> {
        self.0
    }

    /// The first rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
    }
}

/// The values of a node-wide dictionary as they were at some time. Ids never change; id 0 is null.
pub trait Numbering: Debug + Send + Sync {
    /// The same number for all states of one dictionary, which no other has meanwhile.
    fn dictionary(&self) -> usize;
    /// Number of ids, null's included.
    fn id_count(&self) -> usize;
    /// The value of an id below that number; `None` is null.
    fn value(&self, id: u32) -> Option<&str>;
    /// The ids of some values, new ones where they are not known, and a state that has them all.
    fn intern(&self, values: &[&str]) -> (Vec<u32>, Arc<dyn Numbering>);
}

/// Ids of a node-wide dictionary.
#[derive(Debug, Clone)]
pub struct NodeIds {
    ids: Vec<u32>,
    numbering: Arc<dyn Numbering>,
}

impl NodeIds {
    /// One id a row, all of them known to the numbering.
    #[must_use]
    pub fn new(ids: Vec<u32>, numbering: Arc<dyn Numbering>) -> Self {
        Self { ids, numbering }
    }

    /// The rows' ids.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The rows' ids, to be kept.
    #[must_use]
    pub fn into_ids(self) -> Vec<u32> {
        self.ids
    }

    /// What the ids mean.
    #[must_use]
    pub fn numbering(&self) -> &Arc<dyn Numbering> {
        &self.numbering
    }

    /// The value of a row; `None` is null.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        self.numbering.value(self.ids[row])
    }

    /// Other rows of the same numbering.
    #[must_use]
    pub fn with_ids(&self, ids: Vec<u32>) -> Self {
        Self { ids, numbering: Arc::clone(&self.numbering) }
    }

    /// The values themselves, each distinct one once. In no order: a dictionary of the node is large,
    /// and whoever wants them sorted finds the copies closer together.
    #[must_use]
    pub fn to_text(&self) -> Text {
        let mut distinct: Vec<u32> = self.ids.iter().copied().filter(|id| *id != 0).collect();
        let valued = distinct.len();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() == valued {
            return Text::of((0..self.ids.len()).map(|row| self.get(row)));
        }
        let mut values = TextValues::with_capacity(distinct.len());
        for id in &distinct {
            values.push(self.numbering.value(*id).unwrap_or_default());
        }
        let new_id = |id: &u32| distinct.binary_search(id).map_or(0, |at| at as u32 + 1);
        values.into_text(self.ids.iter().map(new_id).collect(), false)
    }

    /// The first rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.ids.truncate(rows);
    }
}
