//! Surplus: copies that a tier has too many of, once every tier has all it is to have. A move ends here: what
//! was loaded elsewhere is one copy too many, and the one that costs most goes. So a move needs no memory,
//! and nothing is lost when who planned it is gone in between.

use super::model::Balancer;
use crate::cluster::{SegmentIndex, ServerIndex};

/// A copy to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedDrop {
    /// What.
    pub segment: SegmentIndex,
    /// Where.
    pub server: ServerIndex,
}

impl Balancer {
    /// Finds the copies that are too many, at most `limit`, and drops them here: one of a segment, since others
    /// have to prove before that they have it. Those that may not be dropped now stay.
    pub fn drop_surplus(
        &mut self,
        limit: usize,
        mut may_drop: impl FnMut(PlannedDrop) -> bool,
    ) -> Vec<PlannedDrop> {
        let mut drops = Vec::new();
        for segment in 0..self.cluster.segments().len() as SegmentIndex {
            if drops.len() == limit {
                break;
            }
            let goes = self.surplus_of(segment).map(|server| PlannedDrop { segment, server });
            if let Some(goes) = goes.filter(|goes| may_drop(*goes)) {
                self.remove(segment, goes.server);
                drops.push(goes);
            }
        }
        drops
    }

    /// The copy of a segment that goes; `None` while a tier lacks one, or something is under way.
    fn surplus_of(&self, segment: SegmentIndex) -> Option<ServerIndex> {
        let described = self.cluster.segment(segment);
        if described.is_busy || described.holders.len() < 2 {
            return None;
        }
        let mut is_surplus = vec![false; self.cluster.tiers().len()];
        let mut stays = 0;
        for (tier, is_surplus) in is_surplus.iter_mut().enumerate() {
            let wanted = self.wanted(segment, tier)?;
            let here = self.here(segment, tier);
            if here.staying < wanted {
                return None;
            }
            stays += wanted;
            // A node is not emptied of copies that nobody else can have: the tier has too few other nodes.
            let needed = self.asked(segment, tier).saturating_sub(here.staying);
            *is_surplus = here.staying > wanted || here.draining > needed;
        }
        // What rules want nowhere has its last copy dropped by those who know that nobody asks for it.
        if stays == 0 {
            return None;
        }
        let goes =
            |server: &&ServerIndex| is_surplus[usize::from(self.nodes[usize::from(**server)].tier)];
        described.holders.iter().filter(goes).copied().max_by(|left, right| {
            let is_draining = |server: ServerIndex| self.nodes[usize::from(server)].is_draining;
            let cost = |server| self.cost(segment, server).total();
            let by_cost = || cost(*left).total_cmp(&cost(*right)).then_with(|| left.cmp(right));
            is_draining(*left).cmp(&is_draining(*right)).then_with(by_cost)
        })
    }
}
