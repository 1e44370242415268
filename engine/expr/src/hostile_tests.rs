//! Expressions that want to run for ever or to hold everything: each ends in an error that names it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::functions;
use crate::{Budget, Expr, ExprError, ExprValue, Limits, MAX_RESULT_BYTES};

fn ones(count: usize) -> String {
    format!("array({})", vec!["1"; count].join(","))
}

/// Folds within folds, each over a thousand elements.
fn nest(depth: usize) -> String {
    if depth == 0 {
        return "0".to_owned();
    }
    format!("fold((x{depth}, a{depth}) -> {} + a{depth}, {}, 0)", nest(depth - 1), ones(1000))
}

fn evaluated(text: &str) -> Result<ExprValue, ExprError> {
    let slots = [ExprValue::from("some text"), ExprValue::from(vec![1.into(), 2.into()])];
    Expr::parse(text).and_then(|expr| {
        let count = expr.identifiers().len();
        expr.eval_slots(&slots[..count])
    })
}

#[test]
fn h_81_an_evaluation_has_so_many_steps() {
    let bomb = nest(5);
    assert!(bomb.len() < 11_000);
    let error = evaluated(&bomb).unwrap_err();
    assert!(matches!(error, ExprError::OverBudget { what: "steps", .. }), "{error}");
    assert!(error.to_string().starts_with("expression 'fold((x5, a5) -> "), "{error}");
    // A thousand thousands are fine.
    assert_eq!(evaluated(&nest(2)).unwrap(), 0.into());
}

#[test]
fn h_81_work_on_large_values_counts_as_steps() {
    for text in [
        // One call that compares everything with everything.
        "array_contains(string_to_array(repeat('a,', 30000), ','), \
         string_to_array(repeat('b,', 30000) + 'c', ','))",
        "mv_contains(string_to_array(repeat('a,', 30000), ','), \
         string_to_array(repeat('a,', 30000), ','))",
        // A pattern that fails late at every place.
        "like(repeat('a', 1000000), '%' + repeat('a', 10000) + 'b%c')",
        // Cheap steps on a megabyte each.
        "fold((v, n) -> n + strlen(repeat('x', 1000000) + v), string_to_array(repeat('a,', 20000), \
         ','), 0)",
        "fold((v, n) -> n + 1 + regexp_like('x', concat('a', v, n)), \
         string_to_array(repeat('a,', 20000), ','), 0)",
    ] {
        let result = evaluated(text);
        assert!(matches!(result, Err(ExprError::OverBudget { .. })), "{text}: {result:?}");
    }
}

#[test]
fn h_89_values_that_double_end_early() {
    for text in [
        // Text, arrays, arrays of one array twice, arrays within arrays.
        format!("fold((v, text) -> concat(text, text), {}, 'xxxxxxxx')", ones(1000)),
        format!("fold((v, all) -> array_concat(all, all), {}, array(1))", ones(1000)),
        format!("fold((v, all) -> array(all, all), {}, array(null))", ones(1000)),
        format!("fold((v, all) -> array(all), {}, 'deep')", ones(1000)),
        format!("fold((v, all) -> array_append(array(null), all), {}, 'deep')", ones(1000)),
        // Many large values, one after the other and side by side.
        format!("strlen(array_to_string(map(v -> repeat('x', 1000000), {}), ''))", ones(1000)),
        format!("fold((v, n) -> n + strlen(repeat('x', 1000000)), {}, 0)", ones(1000)),
        format!("concat({})", vec!["repeat('x', 1000000)"; 1000].join(",")),
        format!("map(v -> string_to_array(repeat('x,', 50000), ','), {})", ones(1000)),
    ] {
        let result = evaluated(&text);
        let limited = matches!(
            result,
            Err(ExprError::OverBudget { .. }
                | ExprError::ResultTooLarge { .. }
                | ExprError::TooComplex { .. })
        );
        assert!(limited, "{text:.80}: {:?}", result.map(|value| value.bytes()));
    }
}

#[test]
fn h_89_constants_are_folded_within_bounds() {
    // Each would keep a megabyte for as long as the query lives.
    let large = Expr::parse("repeat('x', 1000000) == y").unwrap();
    assert_eq!(large.eval_slots(&["y".into()]).unwrap(), 0.into());
    assert!(Expr::parse("repeat('x', 1000000)").unwrap().as_literal().is_none());
    assert_eq!(Expr::parse("repeat('x', 100)").unwrap().as_literal().unwrap().bytes(), 100);
    let many = vec!["strlen(repeat('x', 1000000))"; 2000].join(" + ");
    assert!(matches!(
        Expr::parse(&many).unwrap().eval_slots(&[]),
        Err(ExprError::OverBudget { .. })
    ));
}

/// Functions prepare what is constant, each in its own way.
#[test]
fn h_81_constants_of_any_kind_end_in_a_value_or_an_error() {
    const ODD: [&str; 7] = ["null", "''", "'x'", "1", "-1.5", "[]", "['a', null]"];
    for function in functions::TABLES.into_iter().flat_map(|(_, table)| table) {
        let fewest = function.min.max(1);
        for constants in fewest - 1..function.max.min(4).max(fewest) {
            for mix in 0..ODD.len().pow(constants as u32) {
                let chosen =
                    (0..constants).map(|at| ODD[mix / ODD.len().pow(at as u32) % ODD.len()]);
                let arguments: Vec<&str> = std::iter::once("x").chain(chosen).collect();
                let text = format!("{}({})", function.name, arguments.join(","));
                for value in ["some text".into(), 2.into(), ExprValue::Null] {
                    let _ = Expr::parse(&text).and_then(|expr| expr.eval(&|_: &str| value.clone()));
                }
            }
        }
    }
}

#[test]
fn h_85_an_evaluation_ends_soon_after_it_is_stopped() {
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let stop: crate::Stop = Arc::new(move || count.fetch_add(1, Ordering::Relaxed) == 3);
    let limits = Limits { steps: u64::MAX, bytes: u64::MAX, total_steps: u64::MAX };
    let budget = Budget::new(limits, Some(stop));
    let bomb = Expr::parse(&nest(5)).unwrap();
    assert_eq!(bomb.eval_within(&[], &budget), Err(ExprError::Stopped));
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[test]
fn h_81_lambdas_have_few_parameters() {
    let names: Vec<String> = (0..65).map(|n| format!("p{n}")).collect();
    let text = format!("cartesian_map(({}) -> p0, {})", names.join(","), ["b"; 65].join(","));
    assert!(matches!(Expr::parse(&text), Err(ExprError::TooComplex { .. })));
}

#[test]
fn results_up_to_the_cap_are_given() {
    let text = format!("strlen(repeat('x', {MAX_RESULT_BYTES}))");
    assert_eq!(evaluated(&text).unwrap(), (MAX_RESULT_BYTES as i64).into());
    assert_eq!(
        evaluated("array_length(string_to_array(repeat('a,', 30000), ','))").unwrap(),
        30_000.into()
    );
}

#[test]
fn h_93_look_alikes_and_comments_are_no_syntax() {
    for text in [
        "a == \u{2018}x\u{2019}",
        "a == \u{201c}x\u{201d}",
        "\u{ff02}a\u{ff02} == 1",
        "a\u{a0}+ 1",
        "a \u{2212} 1",
        "a \u{ff1d}\u{ff1d} 1",
        "\u{430} + 1",
        "a\u{200b}b",
        "\u{feff}a",
        "a \u{202e}+ 1",
        "a // 1",
        "a /* b */ + 1",
        "a /* b /* c */ d */",
        "a + 1 # b",
        "a; b",
        "a + 'open",
        "\"open",
        "a + 1\0",
        "`a`",
    ] {
        let error = Expr::parse(text).expect_err(text).to_string();
        assert!(error.is_ascii(), "{text}: an error shows what it cannot show plainly: {error}");
    }
    // Inside quotes they are text. Two dashes are two signs, and no comment.
    assert_eq!(evaluated("'\u{2018} /* -- */ \u{a0}'").unwrap(), "\u{2018} /* -- */ \u{a0}".into());
    assert_eq!(evaluated("3 --2").unwrap(), 5.into());
}
