//! Grouping: dimensions turn rows into ids, key spaces turn ids into groups.

mod dimension;
mod grouper;
mod ids;
mod key_text;
mod mapped;
mod values;

pub(crate) use dimension::{Dimension, DimensionIds};
pub(crate) use grouper::{Grouper, GroupingSize};
pub(crate) use key_text::{KeyScope, dictionary_of, text_keys};
pub(crate) use values::Scalar;
