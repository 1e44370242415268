//! Functions of sketches; sketches are VARCHAR with a complex type.

use super::table::Function;

pub(super) const FUNCTIONS: &[Function] = &[];
