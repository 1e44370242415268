//! The duties, one a file: each is a pure function from a snapshot to actions.

pub(crate) mod drop_copies;
pub(crate) mod load;
pub(crate) mod mark_overshadowed;
pub(crate) mod replicate;
pub(crate) mod unload;
