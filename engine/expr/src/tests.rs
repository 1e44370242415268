//! Whole expressions: what they evaluate to, and what is refused.

use proptest::prelude::*;

use crate::{Expr, ExprError, ExprType, ExprValue, MAX_DEPTH};

fn bindings(name: &str) -> ExprValue {
    match name {
        "x" => "foo".into(),
        "y" => 2.into(),
        "z" => 3.1.into(),
        "max" => i64::MAX.into(),
        "t" => 949_550_706_000.into(),
        "a" => vec!["foo".into(), "bar".into()].into(),
        "b" => vec![1.into(), 2.into(), 3.into()].into(),
        _ => ExprValue::Null,
    }
}

fn eval(text: &str) -> ExprValue {
    let expr = Expr::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expr.eval(&bindings).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn check(cases: &[(&str, ExprValue)]) {
    for (text, expected) in cases {
        assert_eq!(eval(text), *expected, "{text}");
    }
}

const NULL: ExprValue = ExprValue::Null;

#[test]
fn operators_bind_as_in_druid() {
    check(&[
        ("1 + 2 * 3", 7.into()),
        ("(1 + 2) * 3", 9.into()),
        ("2 ^ 3 ^ 2", 512.into()),
        ("-2 ^ 2", 4.into()),
        ("10 - 4 - 3", 3.into()),
        ("7 / 2", 3.into()),
        ("7 / 2.0", 3.5.into()),
        ("-7 % 4", (-3).into()),
        ("1 < 2 == 1", 1.into()),
        // One precedence for both, from the left.
        ("1 || 1 && 0", 0.into()),
        ("!0 && 1", 1.into()),
        ("y -1", 1.into()),
        ("'a' + 'b'", "ab".into()),
        ("'3' * 2", 6.0.into()),
        ("\"x\" == 'foo'", 1.into()),
        ("-9223372036854775808", i64::MIN.into()),
        ("'it\\'s \\u00e9\\n'", "it's é\n".into()),
    ]);
}

#[test]
fn json_documents_are_texts_and_the_values_in_them() {
    let nested = r#"'{"x":["a","b"],"y":{"z":1.5,"t":true},"n":null,"o":[{"p":1}]}'"#;
    let of = |call: &str| eval(&call.replace("doc", nested));
    let strings = |items: &[&str]| -> ExprValue {
        items.iter().map(|item| ExprValue::from(*item)).collect::<Vec<_>>().into()
    };
    for (call, expected) in [
        ("json_value(doc, '$.y.z')", 1.5.into()),
        ("json_value(doc, '$.y.z', 'LONG')", 1.into()),
        ("json_value(doc, '$.y.t')", 1.into()),
        ("json_value(doc, '$.y.t', 'STRING')", "true".into()),
        ("json_value(doc, '$.x')", strings(&["a", "b"])),
        ("json_value(doc, '$.x', 'STRING')", NULL),
        (r#"json_value('{"a":[7]}', '$.a', 'LONG')"#, 7.into()),
        ("json_value(doc, '$.y')", NULL),
        ("json_value('plain', '$')", "plain".into()),
        ("json_query(doc, '$.y')", r#"{"z":1.5,"t":true}"#.into()),
        ("json_query_array(doc, '$.o')", strings(&[r#"{"p":1}"#])),
        ("json_query_array(doc, '$.y.z')", vec![1.5.into()].into()),
        ("json_keys(doc, '$.y')", strings(&["z", "t"])),
        ("json_keys(doc, '$.x')", NULL),
        ("json_paths(doc)", strings(&["$.x", "$.y.z", "$.y.t", "$.n", "$.o[0].p"])),
        ("json_object('a', 1, 'b', doc)", r#"{"a":1,"b":"#.to_owned().into()),
        ("json_merge('{\"a\":{\"b\":1}}', '{\"a\":{\"c\":2}}')", r#"{"a":{"b":1,"c":2}}"#.into()),
        ("json_merge('null', '{}')", NULL),
        ("try_parse_json('{')", NULL),
        ("to_json_string('a')", r#""a""#.into()),
        ("to_json_string(parse_json('{\"a\": 1}'))", r#"{"a":1}"#.into()),
        ("to_json_string(json_object('k', parse_json('[{}]')))", r#"{"k":[{}]}"#.into()),
        ("json_value(doc, nothing)", NULL),
    ] {
        match (of(call), expected) {
            // A text is no document unless the expression says so.
            (ExprValue::String(text), ExprValue::String(start))
                if call.starts_with("json_object('a'") =>
            {
                assert!(text.starts_with(&*start) && text.contains("\\\""), "{text}");
            }
            (result, expected) => assert_eq!(result, expected, "{call}"),
        }
    }
    assert!(Expr::parse("json_value(x, 'y')").is_err());
    assert!(Expr::parse("parse_json('{')").map_or(true, |parsed| parsed.eval(&bindings).is_err()));
    check(&[
        ("ipv6_match('201:ef:168::1', '201:ef:168::/48')", 1.into()),
        ("ipv6_match('10.0.0.1', '201:ef:168::/48')", 0.into()),
    ]);
}

#[test]
fn null_makes_comparisons_unknown() {
    check(&[
        ("nothing == null", NULL),
        ("nothing + 1", NULL),
        ("!nothing", NULL),
        ("nothing && 0", 0.into()),
        ("nothing && 1", NULL),
        ("nothing || 1", 1.into()),
        ("nothing || 0", NULL),
        ("isnull(nothing)", 1.into()),
        ("if(nothing, 1, 2)", 2.into()),
        ("nvl(nothing, 'd')", "d".into()),
        ("coalesce(null, nothing, 7)", 7.into()),
        ("case_searched(nothing, 1, y == 2, 3)", 3.into()),
        ("case_simple(nothing, null, 1, 2)", 2.into()),
        ("notdistinctfrom(nothing, null)", 1.into()),
        ("concat('a', nothing)", NULL),
        ("'abc' < 5", NULL),
    ]);
}

#[test]
fn h_18_h_23_h_90_arithmetic_never_wraps_or_traps() {
    check(&[
        ("max + 1", NULL),
        ("max * 2", NULL),
        ("-(-9223372036854775808)", NULL),
        ("(-9223372036854775808) / -1", NULL),
        ("(-9223372036854775808) % -1", 0.into()),
        ("abs(-9223372036854775808)", NULL),
        ("1 / 0", NULL),
        ("1 % 0", NULL),
        ("1 / 0.0", f64::INFINITY.into()),
        ("2 ^ 100", NULL),
        ("2 ^ -1", NULL),
        ("div(1, 0)", NULL),
        ("cast('9e999', 'LONG')", NULL),
        ("cast('', 'LONG')", NULL),
        ("cast(1e30, 'LONG')", NULL),
        ("cast('12.7', 'long')", 12.into()),
        ("safe_divide(1, 0)", NULL),
        ("bitwiseShiftLeft(1, 64)", 1.into()),
        ("substring(x, -9223372036854775808, 2)", "fo".into()),
        ("repeat('a', -9223372036854775808)", NULL),
    ]);
}

#[test]
fn rounding_follows_the_decimal_digits() {
    check(&[
        ("round(1.005, 2)", 1.01.into()),
        ("round(2.5)", 3.0.into()),
        ("round(-2.5)", (-3.0).into()),
        ("round(9.99, 1)", 10.0.into()),
        ("round(0.04, 1)", 0.0.into()),
        ("round(55, -1)", 60.into()),
        ("round(44, -2)", 0.into()),
        ("round(50.0, -2)", 100.0.into()),
        ("round(1.5e300, 3)", 1.5e300.into()),
        ("round(max, -400)", 0.into()),
    ]);
}

#[test]
fn text_functions_count_characters() {
    check(&[
        ("substring('žluť', 1, 2)", "lu".into()),
        ("strlen('žluť')", 4.into()),
        ("left('žluť', 1)", "ž".into()),
        ("right('žluť', 1)", "ť".into()),
        ("strpos('žluť', 'ť')", 3.into()),
        ("lpad('7', 3, '0')", "007".into()),
        ("trim('xxaxx', 'x')", "a".into()),
        ("format('%05d|%-4s|%.2f|%x', 42, 'a', 2.5, 255)", "00042|a   |2.50|ff".into()),
        ("parse_long('0xff', 16)", 255.into()),
        ("parse_long('nope')", NULL),
        ("regexp_replace('a1b22', '([a-z])(\\\\d+)', '$2$1')", "1a22b".into()),
        ("regexp_extract('k=v', '(\\\\w)=(\\\\w)', 2)", "v".into()),
        ("regexp_like('abc', 'b')", 1.into()),
        ("regexp_like('日本', '^\\\\w+$')", 0.into()),
        ("regexp_like('line\\n', 'line$')", 1.into()),
        ("regexp_extract('line\\n', 'l(.*)$', 1)", "ine".into()),
        ("regexp_replace('baac', 'a*', 'x')", "xbxxcx".into()),
        ("regexp_replace('k=v', '(?<key>k)=', '${key}:')", "k:v".into()),
        ("regexp_replace('a\\n', '$', '!')", "a!\n!".into()),
        ("like('a%c', 'a\\\\%c', '\\\\')", 1.into()),
        ("string_to_array('a,b', ',')", vec!["a".into(), "b".into()].into()),
        ("array_to_string(b, '-')", "1-2-3".into()),
    ]);
}

#[test]
fn text_is_cut_into_parts_as_java_cuts_it() {
    for (text, expected) in [
        ("string_to_array('a,b,,', ',')", "a|b"),
        ("string_to_array(',a', ',')", "|a"),
        ("string_to_array(',', ',')", ""),
        ("string_to_array('a1b22', '\\\\d+')", "a|b"),
        ("string_to_array('abc', '')", "a|b|c"),
        ("string_to_array('abc', null)", "a|b|c"),
        ("string_to_array(x, nothing)", "f|o|o"),
        ("string_to_array('', ',')", ""),
    ] {
        assert_eq!(eval(&format!("array_to_string({text}, '|')")), expected.into(), "{text}");
    }
    check(&[
        ("array_length(string_to_array('', ','))", 1.into()),
        ("array_length(string_to_array(',,', ','))", 0.into()),
        ("array_length(string_to_array('10.1', '.'))", 0.into()),
        ("string_to_array(nothing, ',')", NULL),
    ]);
}

#[test]
fn what_is_put_among_arrays_is_an_array() {
    let nested = |lists: &[&[i64]]| -> ExprValue {
        let list = |list: &&[i64]| list.iter().map(|n| ExprValue::from(*n)).collect::<Vec<_>>();
        lists.iter().map(|one| list(one).into()).collect::<Vec<ExprValue>>().into()
    };
    check(&[
        ("array_prepend('1', array(array(2, 3)))", nested(&[&[1], &[2, 3]])),
        ("array_append(array(array(2, 3)), array('4', '5'))", nested(&[&[2, 3], &[4, 5]])),
        ("array_concat(array(array(2)), array(array(3), array(4)))", nested(&[&[2], &[3], &[4]])),
    ]);
}

#[test]
fn sets_hold_arrays_once() {
    let text = "array_set_add_all(array(array('b'), array('a, b')), \
                array(array('a', 'b'), array('b'), array('a, b'), array('a')))";
    let list = |texts: &str| texts.split('|').map(ExprValue::from).collect::<Vec<_>>();
    let lists = ["a", "a|b", "a, b", "b"].map(|texts| ExprValue::from(list(texts)));
    assert_eq!(eval(text), ExprValue::from(lists.to_vec()));
}

#[test]
fn time_functions_know_zones() {
    check(&[
        ("timestamp_floor(t, 'P1D')", 949_536_000_000.into()),
        ("timestamp_floor(t, 'PT1H', null, 'Asia/Kolkata')", 949_548_600_000.into()),
        ("timestamp_ceil(949536000000, 'P1D')", 949_536_000_000.into()),
        ("timestamp_shift(t, 'P1M', -1)", 946_872_306_000.into()),
        ("timestamp_extract(t, 'DOW')", 4.into()),
        ("timestamp_extract(t, 'WEEK')", 5.into()),
        ("timestamp_extract(t, 'CENTURY')", 20.into()),
        ("timestamp_format(t)", "2000-02-03T04:05:06.000Z".into()),
        ("timestamp_format(t, 'EEE d MMM yyyy', 'America/Los_Angeles')", "Wed 2 Feb 2000".into()),
        ("timestamp_parse('no time')", NULL),
        ("timestamp('2000-02-30')", NULL),
        ("subtract_months(t, timestamp('2000-01-02'))", 1.into()),
        ("subtract_months(t, timestamp('2000-01-04'))", 0.into()),
        ("subtract_months(timestamp('1999-12-31'), t)", (-1).into()),
    ]);
}

#[test]
fn lambdas_see_columns_and_each_other() {
    check(&[
        ("map(v -> v * y, b)", vec![2.into(), 4.into(), 6.into()].into()),
        ("filter(v -> v > 1, b)", vec![2.into(), 3.into()].into()),
        ("fold((v, sum) -> v + sum, b, 0)", 6.into()),
        ("any(v -> v == 3, b)", 1.into()),
        ("all(v -> v == 3, b)", 0.into()),
        (
            "map(v -> fold((w, sum) -> sum + w * v, b, 0), b)",
            vec![6.into(), 12.into(), 18.into()].into(),
        ),
    ]);
    assert!(Expr::parse("map((v, w) -> v, b)").is_err());
    assert!(Expr::parse("concat(v -> v)").is_err());
}

#[test]
fn multi_value_columns_are_mapped_over() {
    let eval = |text: &str| {
        let expr = Expr::parse(text).unwrap();
        let slots: Vec<_> = expr.identifiers().iter().map(|name| bindings(name)).collect();
        expr.eval_slots(&slots).unwrap()
    };
    assert_eq!(eval("concat(a, '!')"), vec!["foo!".into(), "bar!".into()].into());
    assert_eq!(eval("array_length(a)"), 2.into());
    assert_eq!(eval("strlen(x) + y"), 5.into());
    assert_eq!(eval("a"), bindings("a"));
}

#[test]
fn identifiers_are_sorted_and_distinct() {
    let expr = Expr::parse("map(v -> v + z, b) == y + y || \"odd name\" == z").unwrap();
    assert_eq!(expr.identifiers(), ["b", "odd name", "y", "z"]);
    assert_eq!(Expr::parse("1 + 2").unwrap().as_literal(), Some(&3.into()));
    assert_eq!(Expr::parse("\"a b\"").unwrap().as_identifier(), Some("a b"));
}

#[test]
fn types_are_inferred() {
    let column = |name: &str| match name {
        "n" => Some(ExprType::Long),
        "d" => Some(ExprType::Double),
        "s" => Some(ExprType::String),
        _ => None,
    };
    for (text, expected) in [
        ("n + 1", Some(ExprType::Long)),
        ("n + d", Some(ExprType::Double)),
        ("s + s", Some(ExprType::String)),
        ("n > d", Some(ExprType::Long)),
        ("if(n > 1, n, 2.5)", Some(ExprType::Double)),
        ("case_searched(n, 'a', null)", Some(ExprType::String)),
        ("case_simple(s, 'a', 1, 'b', 2, 3)", Some(ExprType::Long)),
        ("upper(n)", Some(ExprType::String)),
        ("cast(s, 'DOUBLE')", Some(ExprType::Double)),
        ("array(n)", Some(ExprType::LongArray)),
        ("unknown + 1", None),
    ] {
        assert_eq!(Expr::parse(text).unwrap().output_type(&column), expected, "{text}");
    }
}

#[test]
fn what_is_malformed_is_refused_with_a_position() {
    for text in [
        "",
        "1 +",
        "(1",
        "1)",
        "'open",
        "\"open",
        "foo(",
        "foo(1",
        "1 2",
        "x y",
        "a = b",
        "a & b",
        "#",
        "'\\d'",
        "[1, x]",
        "99999999999999999999",
        "nosuch(1)",
        "substring(x)",
        "timestamp_floor(t, 'P0D')",
        "timestamp_floor(t, 'nope')",
        "cast(x, 'BLOB')",
        "regexp_like(x, '(')",
        "timestamp_extract(t, 'FORTNIGHT')",
        "timestamp_format(t, 'QQQ')",
        "timestamp_floor(t, 'P1D', null, 'Mars/Base')",
        "x -> x",
        "lpad()",
    ] {
        assert!(Expr::parse(text).is_err(), "{text}");
    }
    let error = Expr::parse("1 + * 2").unwrap_err();
    assert_eq!(error.to_string(), "expression: expected an expression but found '*' at byte 4");
}

#[test]
fn h_79_nesting_is_limited_and_chains_are_flat() {
    for open in ["(", "!", "-", "abs(", "1^", "if(1,"] {
        let text = open.repeat(100_000);
        let error = Expr::parse(&text).unwrap_err();
        assert!(matches!(error, ExprError::TooComplex { .. }), "{open} {error}");
    }
    let deepest = "(".repeat(MAX_DEPTH - 1) + "1" + &")".repeat(MAX_DEPTH - 1);
    assert_eq!(eval(&deepest), 1.into());
    assert!(Expr::parse(&format!("({deepest})")).is_err());
    for (operator, expected) in [("+", 20_000 * 2), ("&&", 1), ("||", 1)] {
        let chain = vec!["y"; 20_000].join(operator);
        assert_eq!(eval(&chain), expected.into());
    }
}

#[test]
fn h_81_patterns_are_linear_and_capped() {
    assert_eq!(eval(&format!("regexp_like('{}', '(a+)+$')", "a".repeat(5000) + "b")), 0.into());
    assert!(Expr::parse("regexp_like(x, '\\\\p{L}{1000}{1000}')").is_err());
    assert!(Expr::parse("regexp_like(x, '(?=a)b')").is_err());
}

#[test]
fn h_89_results_are_capped() {
    for text in [
        "repeat(x, 1000000000)",
        "lpad(x, 2147483648, 'a')",
        "replace(repeat('a', 100000), 'a', repeat('b', 1000))",
        "regexp_replace(repeat('a', 100000), 'a', repeat('b', 1000))",
        "concat(repeat(x, 200000), repeat(x, 200000))",
        "repeat(x, 200000) + repeat(x, 200000)",
        "cartesian_fold((p, q, r, acc) -> 1, string_to_array(repeat(x, 1000), ''), \
         string_to_array(repeat(x, 1000), ''), string_to_array(repeat(x, 1000), ''), 0)",
    ] {
        let result = Expr::parse(text).and_then(|expr| expr.eval(&bindings));
        assert!(matches!(result, Err(ExprError::ResultTooLarge { .. })), "{text} {result:?}");
    }
}

#[test]
fn a_column_is_called_otherwise_wherever_it_stands() {
    let parsed = Expr::parse("max(max, \"max\") + 'max' + maximum").unwrap();
    let renamed = parsed.with_column("max", "it's \"x\\").unwrap();
    assert_eq!(renamed.text(), "max(\"it's \\\"x\\\\\", \"it's \\\"x\\\\\") + 'max' + maximum");
    assert_eq!(renamed.identifiers(), ["it's \"x\\", "maximum"]);
    assert_eq!(parsed.with_column("none", "x").unwrap(), parsed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn parsing_is_total(text in "[ -~]{0,40}") {
        let _ = Expr::parse(&text);
    }

    #[test]
    fn what_parses_evaluates(parts in proptest::collection::vec(
        prop::sample::select(vec![
            "x", "y", "z", "a", "b", "nothing", "1", "2.5", "'t'", "null", "+", "-", "*", "/", "%",
            "^", "==", "<", "&&", "||", "!", "(", ")", ",", "abs(", "concat(", "substring(",
            "round(", "array_slice(", "greatest(", "strpos(", "lpad(", "format(",
        ]), 0..12,
    )) {
        if let Ok(expr) = Expr::parse(&parts.join(" ")) {
            let _ = expr.eval(&bindings);
            let slots: Vec<_> = expr.identifiers().iter().map(|name| bindings(name)).collect();
            let _ = expr.eval_slots(&slots);
            let _ = expr.output_type(&|_| Some(ExprType::Long));
        }
    }

    #[test]
    fn longs_and_doubles_survive_text(long in any::<i64>(), double in any::<f64>()) {
        prop_assert_eq!(ExprValue::from(long.to_string()).as_long(), Some(long));
        if double.is_finite() {
            let text = crate::number::format_double(double);
            prop_assert_eq!(crate::number::parse_double(&text), Some(double));
        }
    }
}
