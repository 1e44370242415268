//! The duties, one a file: each is a pure function from a snapshot to actions.

pub(crate) mod assign;
pub(crate) mod balance;
pub(crate) mod compact;
pub(crate) mod drop_copies;
pub(crate) mod mark_dropped;
pub(crate) mod mark_overshadowed;
pub(crate) mod unload;
