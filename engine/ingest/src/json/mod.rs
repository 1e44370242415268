//! Strict JSON, read straight into the fields of a schema.

mod digits;
pub(crate) mod faults;
pub(crate) mod flatten;
pub(crate) mod frames;
pub(crate) mod read;
pub(crate) mod scan;
mod short;
pub(crate) mod write;
