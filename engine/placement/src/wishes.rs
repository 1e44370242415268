//! From what rules ask for to what a plan is made for: rules ask for few different things, so segments carry a
//! number.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::cluster::Wish;
use crate::error::{PlacementError, Result};
use crate::rules::Wanted;

/// The different wishes of a cluster, in the order in which they were first heard.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    wishes: Vec<Wish>,
    numbers: FxHashMap<Wish, u16>,
}

impl Wishes {
    /// The number of a wish; `None` for what is to be dropped.
    ///
    /// # Errors
    /// When there are more than 65,535 different ones.
    pub fn number(&mut self, wanted: &Wanted) -> Result<Option<u16>> {
        let wish = match wanted {
            Wanted::Load(replicants) => {
                let copies = replicants.iter().filter(|(_, copies)| **copies > 0);
                Wish::Copies(copies.map(|(tier, n)| (Arc::from(tier.as_str()), *n)).collect())
            }
            Wanted::Broadcast => Wish::Everywhere,
            Wanted::Unruled => Wish::Untouched,
            Wanted::Drop => return Ok(None),
        };
        if let Some(number) = self.numbers.get(&wish) {
            return Ok(Some(*number));
        }
        let number = u16::try_from(self.wishes.len())
            .map_err(|_| PlacementError::Rules("they ask for too many different things".into()))?;
        self.wishes.push(wish.clone());
        self.numbers.insert(wish, number);
        Ok(Some(number))
    }

    /// All of them, by number.
    #[must_use]
    pub fn into_all(self) -> Vec<Wish> {
        self.wishes
    }
}
