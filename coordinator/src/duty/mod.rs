//! The duties, one a file: each is a pure function from a snapshot to actions.

pub mod load;
pub mod mark_overshadowed;
pub mod unload;
