//! Rules: which tiers are to hold which segments, in how many copies, and which are to go.
//!
//! Those of the datasource are read first, then the default ones; the first that matches decides. Nothing
//! else does, so that what a list of rules means can be asked before it is saved.

mod aliases;
mod book;
mod matching;
mod model;
mod validate;

pub use aliases::TierAliases;
pub use book::{RuleBook, Wanted};
pub use model::{Replicants, Rule};
pub use validate::{MOST_REPLICAS, MOST_RULES, parse_rules, validate_rules};

/// The tier of nodes that name none.
pub const DEFAULT_TIER: &str = "_default_tier";

/// The name under which the rules are kept that hold for every datasource.
pub const DEFAULT_RULES: &str = "_default";

#[cfg(test)]
mod tests;
