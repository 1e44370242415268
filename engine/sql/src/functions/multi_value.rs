//! Functions of VARCHAR that holds several values.

use super::table::{Function, Kind, Returns, call, written};

use Kind::{Any, Long, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    call("mv_length", &[Text], Returns::Long, "array_length"),
    call("mv_offset", &[Text, Long], Returns::Text, "array_offset"),
    call("mv_ordinal", &[Text, Long], Returns::Text, "array_ordinal"),
    call("mv_contains", &[Text, Any], Returns::Boolean, "mv_contains"),
    call("mv_overlap", &[Text, Any], Returns::Boolean, "mv_overlap"),
    // Of conditions: unknown where no value meets them and one is null, as in filters.
    written("any_equals", &[Text, Text], Returns::Boolean, |a| Ok(met("mv_contains", a.texts))),
    written("any_in", &[Text, Any], Returns::Boolean, |a| Ok(met("mv_overlap", a.texts))),
    call("mv_offset_of", &[Text, Text], Returns::Long, "array_offset_of"),
    call("mv_ordinal_of", &[Text, Text], Returns::Long, "array_ordinal_of"),
    call("mv_prepend", &[Text, Text], Returns::MultiValue, "array_prepend"),
    call("mv_append", &[Text, Text], Returns::MultiValue, "array_append"),
    call("mv_concat", &[Text, Text], Returns::MultiValue, "array_concat"),
    call("mv_slice", &[Text, Long, Long], Returns::MultiValue, "array_slice").optional(1),
    call("mv_to_string", &[Text, Text], Returns::Text, "array_to_string"),
    call("mv_to_array", &[Text], Returns::Texts, "mv_to_array"),
    call("string_to_mv", &[Text, Text], Returns::MultiValue, "string_to_array"),
    written("mv_filter_only", &[Text, Any], Returns::MultiValue, |a| {
        Ok(kept(&format!("array_contains({},__value)", a.texts[1]), &a.texts[0]))
    }),
    written("mv_filter_none", &[Text, Any], Returns::MultiValue, |a| {
        Ok(kept(&format!("!array_contains({},__value)", a.texts[1]), &a.texts[0]))
    }),
    written("mv_filter_regex", &[Text, Text], Returns::MultiValue, |a| {
        Ok(kept(&format!("regexp_like(__value,{})", a.texts[1]), &a.texts[0]))
    }),
    written("mv_filter_prefix", &[Text, Text], Returns::MultiValue, |a| {
        Ok(kept(&format!("(strpos(__value,{}) == 0)", a.texts[1]), &a.texts[0]))
    }),
];

fn met(function: &str, texts: &[String]) -> String {
    let (values, wanted) = (&texts[0], &texts[1]);
    format!("case_searched({function}({values},{wanted}),1,mv_contains({values},null),null,0)")
}

/// The values that pass a test; null when none does.
fn kept(test: &str, values: &str) -> String {
    let kept = format!("filter((__value) -> {test}, {values})");
    format!("if(array_length({kept}) == 0,null,{kept})")
}
