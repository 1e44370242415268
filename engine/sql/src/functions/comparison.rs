//! Functions that compare.

use super::table::{Function, Kind, Returns, call};

use Kind::Any;

pub(super) const FUNCTIONS: &[Function] = &[
    call("greatest", &[], Returns::Widest, "greatest").rest(Any),
    call("least", &[], Returns::Widest, "least").rest(Any),
    call("scalar_in_array", &[Any, Any], Returns::Boolean, "scalar_in_array"),
];
