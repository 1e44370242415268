//! How lists are read: value by value where they stand for scalars, whole where they are arrays.

use crate::{Expr, ExprError, ExprValue};

fn texts(values: &[&str]) -> ExprValue {
    values.iter().map(|text| ExprValue::from(*text)).collect::<Vec<_>>().into()
}

/// Evaluates with tags [x, y], two [a, b], empty [], one 'x' and n 5.
fn eval(text: &str) -> ExprValue {
    let expr = Expr::parse(text).unwrap();
    expr.eval(&|name: &str| match name {
        "tags" => texts(&["x", "y"]),
        "two" => texts(&["a", "b"]),
        "empty" => texts(&[]),
        "one" => "x".into(),
        "n" => 5.into(),
        _ => ExprValue::Null,
    })
    .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_function_of_arrays_does_not_switch_the_mapping_of_other_columns_off() {
    for (text, expected) in [
        ("scalar_in_array(tags, array('x'))", vec![1.into(), 0.into()].into()),
        ("tags == 'x' && scalar_in_array('5', array('5'))", vec![1.into(), 0.into()].into()),
        ("concat(array_to_string(array('a', 'b'), '-'), tags)", texts(&["a-bx", "a-by"])),
        ("if(array_length(two) == 2, upper(tags), 'none')", texts(&["X", "Y"])),
        ("concat(tags, array_length(two))", texts(&["x2", "y2"])),
        ("concat(tags, fold((v, all) -> concat(all, v), two, ''))", texts(&["xab", "yab"])),
        ("map(v -> concat(v, n), two)", texts(&["a5", "b5"])),
        ("string_to_array(concat(tags, ',', one), ',')", texts(&["x", "x", "y", "x"])),
        ("concat(tags, two)", texts(&["xa", "xb", "ya", "yb"])),
        ("concat(empty, one)", texts(&[])),
        ("tags", texts(&["x", "y"])),
    ] {
        assert_eq!(eval(text), expected, "{text}");
    }
}

#[test]
fn an_array_s_place_is_whole_or_mapped_by_itself() {
    for (text, expected) in [
        ("array_length(tags)", 2.into()),
        ("array_contains(tags, 'y')", 1.into()),
        ("scalar_in_array(one, tags)", 1.into()),
        ("array_length(upper(tags))", 2.into()),
        ("array_to_string(concat(tags, '!'), '-')", "x!-y!".into()),
        ("array_to_string(filter(v -> v != 'x', tags), '')", "y".into()),
        ("any(v -> v == 'y', tags)", 1.into()),
        ("mv_contains(tags, array('x', 'y'))", 1.into()),
        ("array_to_string(cast(tags, 'ARRAY<STRING>'), '+')", "x+y".into()),
        ("fold((v, all) -> array_append(all, v), tags, two)", texts(&["a", "b", "x", "y"])),
    ] {
        assert_eq!(eval(text), expected, "{text}");
    }
}

#[test]
fn one_column_cannot_be_both() {
    for text in [
        "concat(map(v -> concat(v, '!'), tags), tags)",
        "if(array_length(tags) > 1, 'many', tags)",
        "array_length(tags) + strlen(array_to_string(upper(tags), ''))",
    ] {
        let error = Expr::parse(text).unwrap().check_uses().unwrap_err();
        assert!(matches!(error, ExprError::MixedUse { ref column } if column == "tags"), "{error}");
    }
    // Schemas that were stored may hold one: it stays a list.
    assert_eq!(eval("if(array_length(tags) > 1, 'many', tags)"), "many".into());
    for text in ["array_length(tags) + array_length(tags)", "strlen(tags) + strlen(tags)", "tags"] {
        Expr::parse(text).unwrap().check_uses().unwrap();
    }
}

#[test]
fn what_gives_one_value_is_known() {
    for (text, scalar) in [
        ("concat(tags, one)", true),
        ("scalar_in_array(tags, array('x'))", true),
        ("array_length(two)", true),
        ("array_offset(string_to_array(one, ','), 0)", true),
        ("array_offset(array(two), 0)", false),
        ("fold((v, n) -> n + v, two, 0)", true),
        ("fold((v, all) -> array_append(all, v), two, array())", false),
        ("fold((v, all) -> v, array(two), '')", false),
        ("if(one == 'x', string_to_array(one, ','), one)", false),
        ("map(v -> v, two)", false),
        ("array(one)", false),
        ("cast(one, 'ARRAY<LONG>')", false),
        ("round(n, 2)", true),
    ] {
        assert_eq!(Expr::parse(text).unwrap().is_scalar(), scalar, "{text}");
    }
    let by_value = |text: &str| Expr::parse(text).unwrap().is_by_value(0);
    assert!(by_value("concat(tags, '!')") && by_value("tags"));
    assert!(!by_value("array_length(tags)") && !by_value("array_length(upper(tags))"));
}

#[test]
fn a_filter_holds_for_a_list_when_it_does_for_one_of_its_values() {
    assert_eq!(eval("tags == 'x'").filter_truth(), Some(true));
    assert_eq!(eval("tags == 'z'").filter_truth(), Some(false));
    let unknown: ExprValue = vec![ExprValue::Null, 0.into()].into();
    assert_eq!(unknown.filter_truth(), None);
}

#[test]
fn columns_of_type_array_are_values_by_themselves() {
    let of_arrays = |text: &str| {
        let expr = Expr::parse(text).unwrap().over_arrays(&["tags"]).unwrap();
        let value = |name: &str| match name {
            "tags" => texts(&["x", "y"]),
            "two" => texts(&["a", "b"]),
            _ => ExprValue::Null,
        };
        expr.eval(&value).unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    for (text, expected) in [
        ("lpad(tags, 2, '*')", "[x".into()),
        ("tags == array('x', 'y')", 1.into()),
        ("array('x', 'z') <= tags", 0.into()),
        ("array_length(tags)", 2.into()),
        ("scalar_in_array(tags, array('x'))", 0.into()),
        ("concat(two, array_length(tags))", texts(&["a2", "b2"])),
    ] {
        assert_eq!(of_arrays(text), expected, "{text}");
    }
}
