//! Functions of arrays.

use super::table::{Function, Kind, Returns, call};

use Kind::{Any, Long, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    call("array", &[], Returns::ArrayOfWidest, "array").rest(Any),
    call("array_length", &[Any], Returns::Long, "array_length"),
    call("array_offset", &[Any, Long], Returns::Element, "array_offset"),
    call("array_ordinal", &[Any, Long], Returns::Element, "array_ordinal"),
    call("array_contains", &[Any, Any], Returns::Boolean, "array_contains"),
    call("array_overlap", &[Any, Any], Returns::Boolean, "array_overlap"),
    call("array_offset_of", &[Any, Any], Returns::Long, "array_offset_of"),
    call("array_ordinal_of", &[Any, Any], Returns::Long, "array_ordinal_of"),
    call("array_prepend", &[Any, Any], Returns::SecondAsArray, "array_prepend"),
    call("array_append", &[Any, Any], Returns::FirstAsArray, "array_append"),
    call("array_concat", &[Any, Any], Returns::FirstAsArray, "array_concat"),
    call("array_slice", &[Any, Long, Long], Returns::FirstAsArray, "array_slice").optional(1),
    call("array_to_string", &[Any, Text], Returns::Text, "array_to_string"),
    call("string_to_array", &[Text, Text], Returns::Texts, "string_to_array"),
    call("array_to_mv", &[Any], Returns::MultiValue, "array_to_mv"),
];
