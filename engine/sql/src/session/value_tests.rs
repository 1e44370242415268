//! What statements give that no datasource is asked for: numbers at the ends of their range, days, subqueries.

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use serde_json::json;

use super::tests::engine;
use crate::error::SqlError;
use crate::support::{lines, request};

/// The rows as text, or the error's words.
async fn given(text: &str, zone: Option<&str>) -> Result<Vec<String>, String> {
    let (_, engine) = engine(0);
    let mut request = request(text);
    if let Some(zone) = zone {
        request.context.insert("sqlTimeZone".to_owned(), json!(zone));
    }
    let words = |error: SqlError| error.message;
    let answer = engine.run(request).await.map_err(words)?;
    let batches: Vec<RecordBatch> = answer.batches.try_collect().await.map_err(words)?;
    Ok(batches.iter().flat_map(|batch| lines(batch, " ")).collect())
}

async fn rows(text: &str) -> Vec<String> {
    given(text, None).await.unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[tokio::test]
async fn whole_numbers_that_bigint_does_not_hold_are_refused() {
    for text in ["9223372036854775808", "99999999999999999999", "-9223372036854775809"] {
        let error = given(&format!("SELECT {text}"), None).await.unwrap_err();
        assert!(error.contains("beyond the 64 bits of BIGINT"), "{error}");
    }
    assert_eq!(rows("SELECT -9223372036854775808").await, ["-9223372036854775808"]);
    assert_eq!(rows("SELECT 9223372036854775807").await, ["9223372036854775807"]);
    let double = rows("SELECT 99999999999999999999.0").await;
    assert_eq!(double[0].parse(), Ok(1e20));
}

#[tokio::test]
async fn arithmetic_beyond_64_bits_is_null_and_a_sum_an_error() {
    let of = |values: &str| format!("(VALUES {values}) AS t(x)");
    let most = "(9223372036854775807)";
    let plus = format!("SELECT x + 1, x - 1, x * 2 FROM {}", of(&format!("{most}, (1)")));
    assert_eq!(rows(&plus).await, ["null 9223372036854775806 null", "2 0 2"]);
    assert_eq!(rows("SELECT 9223372036854775807 + 1, 2 + 3 * 4").await, ["null 14"]);
    for sum in ["SUM(x)", "SUM(x) OVER ()", "SUM(x) OVER (ORDER BY x ROWS 1 PRECEDING)"] {
        let text = format!("SELECT {sum} FROM {}", of(&format!("{most}, (1)")));
        let error = given(&text, None).await.unwrap_err();
        assert!(error.contains("a sum of BIGINT is beyond 64 bits"), "{sum}: {error}");
    }
    let back = format!("SELECT SUM(x), SUM(DISTINCT x) FROM {}", of(&format!("{most}, (1), (-1)")));
    assert_eq!(rows(&back).await, ["9223372036854775807 9223372036854775807"]);
    let grouped =
        format!("SELECT x, SUM(x) FROM {} GROUP BY x ORDER BY x", of("(1), (2), (1), (NULL)"));
    assert_eq!(rows(&grouped).await, ["null null", "1 2", "2 2"]);
}

#[tokio::test]
async fn casts_are_columns_beside_what_is_cast() {
    let text = "SELECT x, CAST(x AS VARCHAR), SUM(x), SUM(CAST(x AS DOUBLE)) FROM (VALUES (1), (1)) AS t(x) \
                GROUP BY x, CAST(x AS VARCHAR)";
    assert_eq!(rows(text).await, ["1 1 2 2.0"]);
}

#[tokio::test]
async fn days_stay_days_and_texts_are_times_of_the_session() {
    let zone = Some("America/Los_Angeles");
    let text = "SELECT DATE '2000-01-01' + INTERVAL '1' DAY, DATE '2000-01-31' + INTERVAL '1' MONTH, \
                CAST('2000-01-01' AS TIMESTAMP), CAST(DATE '2000-01-01' AS TIMESTAMP)";
    assert_eq!(
        given(text, zone).await.unwrap(),
        ["2000-01-02 2000-02-29 2000-01-01T08:00:00 2000-01-01T08:00:00"]
    );
    assert_eq!(rows(text).await, ["2000-01-02 2000-02-29 2000-01-01T00:00:00 2000-01-01T00:00:00"]);
    let between = |from: &str, to: &str| {
        let times = format!("TIMESTAMP '{from}', TIMESTAMP '{to}'");
        format!("SELECT TIMESTAMPDIFF(MONTH, {times}), TIMESTAMPDIFF(DAY, {times})")
    };
    // Months are the session's: this one begins on the day before in UTC.
    let march = between("2000-02-29 20:00:00", "2000-03-29 20:00:00");
    assert_eq!(given(&march, zone).await.unwrap(), ["1 29"]);
    assert_eq!(rows(&between("2000-01-01 00:00:00", "2001-01-01 00:00:00")).await, ["12 366"]);
}

#[tokio::test]
async fn subqueries_are_asked_in_outputs_and_aggregates() {
    let t = "(VALUES (1), (2), (NULL)) AS t(x)";
    let in_ = |values: &str| format!("x IN (SELECT y FROM (VALUES {values}) AS s(y))");
    let text = format!("SELECT x, {}, {} FROM {t} ORDER BY x", in_("(1), (3)"), in_("(1), (NULL)"));
    assert_eq!(rows(&text).await, ["null null null", "1 true true", "2 false null"]);
    let counted = format!(
        "SELECT COUNT(*) FILTER (WHERE {}), COUNT(*) FILTER (WHERE NOT {}), \
         SUM((SELECT MAX(y) FROM (VALUES (4)) AS s(y))) FROM {t}",
        in_("(1), (3)"),
        in_("(1), (3)")
    );
    assert_eq!(rows(&counted).await, ["1 1 12"]);
    let exists =
        "SELECT EXISTS (SELECT 1 FROM (VALUES (1)) AS s(y) WHERE y > 1), NOT EXISTS (SELECT 1)";
    assert_eq!(rows(exists).await, ["false false"]);
}

#[tokio::test]
async fn text_is_compared_with_lists_as_text() {
    let text = "SELECT x, x IN ('a', 1), x IN (1, 2), x NOT IN ('a', NULL) FROM (VALUES ('a'), ('1'), ('1.0')) AS t(x) \
                ORDER BY x";
    assert_eq!(
        rows(text).await,
        ["1 true true null", "1.0 false false null", "a true false false"]
    );
    let text = "SELECT x, x IN (SELECT n FROM (VALUES (1), (2)) AS s(n)), \
                x NOT IN (SELECT n FROM (VALUES (1.5), (2.5)) AS s(n)) \
                FROM (VALUES ('1'), ('1.5'), ('a'), (NULL)) AS t(x) ORDER BY x";
    assert_eq!(
        rows(text).await,
        ["null null null", "1 true true", "1.5 false false", "a false true"]
    );
}

#[tokio::test]
async fn arrays_within_arrays_are_whole() {
    let text = "SELECT ARRAY[ARRAY[x, 2], ARRAY[x]], ARRAY_LENGTH(ARRAY[ARRAY[x, 2], ARRAY[x]]), \
                ARRAY_OFFSET(ARRAY[ARRAY[x, 2], ARRAY[x]], 1), ARRAY_LENGTH(ARRAY[ARRAY[1, 2], ARRAY[3]]), \
                ARRAY_PREPEND('7', ARRAY[ARRAY[x, 2]]) FROM (VALUES (1)) AS t(x)";
    assert_eq!(rows(text).await, ["[[1, 2], [1]] 2 [1] 2 [[7], [1, 2]]"]);
}

/// Of null, of 1, of 4 and of 7; some lists are long, since short ones become comparisons.
#[tokio::test]
async fn lists_beside_lists_are_unknown_where_one_of_them_is() {
    let t = "(VALUES (1), (4), (7), (NULL)) AS t(x)";
    for (condition, expected) in [
        ("x IN (1, 2, 3, NULL) OR x NOT IN (1, 2, 3, NULL)", "null true null null"),
        ("NOT (x IN (1, 2, 3, NULL) OR x NOT IN (1, 2, 3, NULL))", "null false null null"),
        ("x IN (1, 2, 3, NULL) AND x NOT IN (1, 2, 3, NULL)", "null false null null"),
        ("(x IN (1, 2, 3, NULL) OR x NOT IN (1, 2, 3, NULL)) IS NULL", "true false true true"),
        ("x NOT IN (1, 2, 3, 9) OR x NOT IN (4, 5, 6, 8)", "null true true true"),
        ("x NOT IN (1, 2, 3, NULL) OR x NOT IN (3, 4, 5, 6)", "null true null true"),
        ("x IN (1, 2, 3, 9) AND x IN (4, 5, 6, 8)", "null false false false"),
        ("NOT (x IN (1, 2, 3, NULL) AND x IN (2, 3, 4, 5))", "null true null true"),
        ("NOT (x IN (1, 2) AND x IN (3, 4))", "null true true true"),
        ("NOT ((x = 1 OR x = 2) AND (x = 3 OR x = 4))", "null true true true"),
        ("x IN (1, 2, 3, 4) AND x NOT IN (5, 6, 7, NULL)", "null null null false"),
        ("x NOT IN (5, 6, 7, NULL) AND x IN (1, 2, 3, 4)", "null null null false"),
        ("x + 0 IN (1, 2, 3, 9) AND x + 0 IN (4, 5, 6, 8)", "null false false false"),
        (
            "CASE WHEN x IN (1, 2, 3, 4) THEN x NOT IN (5, 6, 7, NULL) ELSE x NOT IN (1, 2, 8, 9) END",
            "null null null true",
        ),
        ("x = x", "null true true true"),
        ("x > 1 OR NOT x > 1", "null true true true"),
        ("x > 1 AND NOT x > 1", "null false false false"),
    ] {
        let given = rows(&format!("SELECT {condition} FROM {t} ORDER BY x")).await;
        assert_eq!(given.join(" "), expected, "{condition}");
    }
    let counted = format!(
        "SELECT COUNT(*) FILTER (WHERE NOT (x IN (1, 2) AND x IN (3, 4))), \
         SUM(x) FILTER (WHERE x NOT IN (1, 2, 3, 9) OR x NOT IN (4, 5, 6, 8)) FROM {t}"
    );
    assert_eq!(rows(&counted).await, ["3 12"]);
}

/// Of null, of 1 and of 4, wherever IN stands.
#[tokio::test]
async fn in_of_a_subquery_with_null_is_unknown_within_a_condition_too() {
    let with_null = "(SELECT y FROM (VALUES (1), (NULL)) AS u(y))";
    let without = "(SELECT y FROM (VALUES (1), (2)) AS u(y))";
    let none = "(SELECT y FROM (VALUES (1)) AS u(y) WHERE y > 5)";
    for (condition, expected) in [
        (format!("x = 4 OR x NOT IN {with_null}"), vec!["4"]),
        (format!("x = 99 OR x NOT IN {with_null}"), vec![]),
        (format!("x = 99 OR x IN {with_null}"), vec!["1"]),
        (format!("x = 99 OR NOT (x IN {with_null})"), vec![]),
        (format!("(x IN {with_null}) IS NULL"), vec!["null", "4"]),
        (format!("(x NOT IN {with_null}) IS NOT TRUE"), vec!["null", "1", "4"]),
        (format!("x = 99 OR x NOT IN {without}"), vec!["4"]),
        (format!("x = 99 OR x NOT IN {none}"), vec!["null", "1", "4"]),
        (format!("x > 1 AND (x IN {without} OR x NOT IN {without})"), vec!["4"]),
        (format!("x NOT IN {with_null}"), vec![]),
        (format!("x NOT IN {without}"), vec!["4"]),
    ] {
        let text =
            format!("SELECT x FROM (VALUES (1), (4), (NULL)) AS t(x) WHERE {condition} ORDER BY x");
        assert_eq!(rows(&text).await, expected, "{condition}");
    }
    let having = format!(
        "SELECT x, COUNT(*) FROM (VALUES (1), (4), (4)) AS t(x) GROUP BY x HAVING x = 4 OR COUNT(*) NOT IN {with_null}"
    );
    assert_eq!(rows(&having).await, ["4 2"]);
}

#[tokio::test]
async fn there_is_one_nan_and_it_is_the_last_number() {
    let t =
        "(VALUES (0e0 / 0), (CAST('NaN' AS DOUBLE)), (CAST('-Infinity' AS DOUBLE)), (1.0)) AS t(x)";
    assert_eq!(rows(&format!("SELECT COUNT(*) FROM (SELECT x FROM {t} GROUP BY x)")).await, ["3"]);
    let ordered = rows(&format!("SELECT x, RANK() OVER (ORDER BY x) FROM {t} ORDER BY x")).await;
    assert_eq!(ordered, ["-inf 1", "1.0 2", "NaN 3", "NaN 3"]);
    assert_eq!(rows(&format!("SELECT MIN(x / x), MIN(x) FROM {t}")).await, ["1.0 -inf"]);
}

/// Read as a BIGINT, '1.5' would be 1.
#[tokio::test]
async fn text_beside_whole_numbers_is_read_with_its_fraction() {
    let t = "(VALUES ('1.5'), ('1'), ('0.5'), ('9007199254740993'), ('x')) AS t(s)";
    for (condition, expected) in [
        ("s > 0 AND s < 2", vec!["0.5", "1", "1.5"]),
        ("s = 1", vec!["1"]),
        ("1 < s AND s < 3", vec!["1.5"]),
        ("s = 9007199254740993", vec!["9007199254740993"]),
        ("s = 9007199254740992", vec![]),
    ] {
        let text = format!("SELECT s FROM {t} WHERE {condition} ORDER BY s");
        assert_eq!(rows(&text).await, expected, "{condition}");
    }
    let joined = "SELECT COUNT(*) FROM (VALUES ('1.5'), ('1')) AS a(s) JOIN (VALUES (1)) AS b(n) ON a.s = b.n";
    assert_eq!(rows(joined).await, ["1"]);
}

#[tokio::test]
async fn clauses_that_would_change_the_answer_unseen_are_refused() {
    for (text, said) in [
        ("SELECT 1 FROM sys.segments TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE is not supported"),
        (
            "SELECT DISTINCT ON (a) a, b FROM (VALUES (1, 2)) AS t(a, b)",
            "DISTINCT ON is not supported",
        ),
        ("SHOW TABLES", "INFORMATION_SCHEMA.TABLES"),
        ("DELETE FROM t", "henge datasource drop"),
    ] {
        let error = given(text, None).await.unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[tokio::test]
async fn keys_of_grouping_sets_may_be_cast() {
    let text = "SELECT CAST(x AS DOUBLE), COUNT(*) FROM (VALUES (1), (2), (2)) AS t(x) \
                GROUP BY ROLLUP (CAST(x AS DOUBLE)) ORDER BY 1";
    assert_eq!(rows(text).await, ["null 3", "1.0 1", "2.0 2"]);
}

/// What is nested in one another is read and planned once, not once more at each level.
#[tokio::test]
async fn h_79_nested_calls_are_planned() {
    let nested = |before: &str, inner: &str, after: &str| {
        format!(
            "SELECT {}{inner}{} FROM (VALUES ('a')) AS t(s)",
            before.repeat(30),
            after.repeat(30)
        )
    };
    for (before, inner, after) in [
        ("UPPER(", "'a'", ")"),
        ("UPPER(", "s", ")"),
        ("COALESCE(", "s", ", 'x')"),
        ("NULLIF(", "s", ", 'x')"),
        ("CONCAT('x', ", "s", ")"),
        ("REPLACE(", "s", ", 'x', 'y')"),
        ("CASE WHEN s = ", "'a'", " THEN 'b' ELSE s END"),
        ("POSITION(", "s", " IN s)"),
        ("GREATEST(", "s", ", 'x')"),
        ("TRIM(", "s", ")"),
        ("IFNULL(", "s", ", 'x')"),
    ] {
        let given = given(&nested(before, inner, after), None).await;
        assert!(given.is_ok(), "{before}: {given:?}");
    }
    let conditions = format!(
        "SELECT {} TRUE {} FROM (VALUES ('a')) AS t(s)",
        "NOT (".repeat(60),
        ")".repeat(60)
    );
    assert_eq!(rows(&conditions).await, ["true"]);
    let sum = format!("SELECT x{} FROM (VALUES (1)) AS t(x)", " + x".repeat(100));
    assert_eq!(rows(&sum).await, ["101"]);
}

#[tokio::test]
async fn names_of_fields_are_announced_or_not() {
    let text = "SELECT JSON_OBJECT(KEY 'a' VALUE key, KEY key VALUE 1, KEY (key || 'x') VALUE 2), \
                JSON_OBJECT(key VALUE 3, 'b': 4) FROM (VALUES ('k')) AS t(key)";
    assert_eq!(rows(text).await, [r#"{"a":"k","k":1,"kx":2} {"k":3,"b":4}"#]);
}

#[tokio::test]
async fn settings_that_are_true_or_false_are_nothing_else() {
    let (_, engine) = engine(0);
    for name in ["useApproximateTopN", "henge.lower", "sqlStringifyArrays"] {
        let mut wrong = request("SELECT 1");
        wrong.context.insert(name.to_owned(), json!("perhaps"));
        let error = engine.run(wrong).await.err().unwrap().message;
        assert!(error.contains(name) && error.contains("true or false"), "{error}");
    }
}
