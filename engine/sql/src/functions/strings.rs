//! Functions of text.

use super::table::{Arguments, Function, Kind, Returns, call, written};

use Kind::{Any, Long, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    call("concat", &[], Returns::Text, "concat").rest(Text),
    call("contains_string", &[Text, Text], Returns::Boolean, "contains_string"),
    call("icontains_string", &[Text, Text], Returns::Boolean, "icontains_string"),
    call("decode_base64_utf8", &[Text], Returns::Text, "decode_base64_utf8"),
    call("left", &[Text, Long], Returns::Text, "left"),
    call("right", &[Text, Long], Returns::Text, "right"),
    call("strlen", &[Text], Returns::Long, "strlen").aliases(&[
        "length",
        "char_length",
        "character_length",
    ]),
    call("lower", &[Text], Returns::Text, "lower"),
    call("upper", &[Text], Returns::Text, "upper"),
    call("lpad", &[Text, Long, Text], Returns::Text, "lpad").optional(1),
    call("rpad", &[Text, Long, Text], Returns::Text, "rpad").optional(1),
    call("parse_long", &[Text, Long], Returns::Long, "parse_long").optional(1),
    written("strpos", &[Text, Text], Returns::Long, |a| {
        Ok(format!("(strpos({},{}) + 1)", a.texts[0], a.texts[1]))
    }),
    // POSITION(needle IN text) comes as STRPOS; as a call it has SQL's order.
    written("position", &[Text, Text, Long], Returns::Long, position).optional(1),
    call("regexp_extract", &[Text, Text, Long], Returns::Text, "regexp_extract").optional(1),
    call("regexp_like", &[Text, Text], Returns::Boolean, "regexp_like"),
    call("regexp_replace", &[Text, Text, Text], Returns::Text, "regexp_replace"),
    call("replace", &[Text, Text, Text], Returns::Text, "replace"),
    call("repeat", &[Text, Long], Returns::Text, "repeat"),
    call("reverse", &[Text], Returns::Text, "reverse"),
    call("string_format", &[Text], Returns::Text, "format").rest(Any),
    written("substring", &[Text, Long, Long], Returns::Text, substring)
        .optional(1)
        .aliases(&["substr"]),
    call("trim", &[Text, Text], Returns::Text, "trim").optional(1).aliases(&["btrim"]),
    call("ltrim", &[Text, Text], Returns::Text, "ltrim").optional(1),
    call("rtrim", &[Text, Text], Returns::Text, "rtrim").optional(1),
];

/// `POSITION(needle, text[, from])`: from 1; 0 when it is not there.
fn position(arguments: &Arguments<'_>) -> Result<String, String> {
    let (needle, text) = (&arguments.texts[0], &arguments.texts[1]);
    Ok(match arguments.texts.get(2) {
        None => format!("(strpos({text},{needle}) + 1)"),
        Some(from) => format!("(strpos({text},{needle},({from} - 1)) + 1)"),
    })
}

/// SQL counts from 1, the native language from 0.
fn substring(arguments: &Arguments<'_>) -> Result<String, String> {
    use datafusion::scalar::ScalarValue::Int64;
    let start = match arguments.constants.get(1) {
        Some(Some(Int64(Some(start)))) => (start - 1).to_string(),
        _ => format!("({} - 1)", arguments.texts[1]),
    };
    let length = arguments.texts.get(2).map_or("-1", String::as_str);
    Ok(format!("substring({},{start},{length})", arguments.texts[0]))
}
