//! Tests of segment ids and datasource names.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn day() -> Interval {
    Interval::parse("2015-09-12/2015-09-13").unwrap()
}

const TEXT: &str = "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_000000000007";

#[test]
fn text_and_json_survive() {
    let id = SegmentId::new("wikipedia", day(), Version(7), 0);
    assert_eq!(id.to_string(), TEXT);
    assert_eq!(TEXT.parse::<SegmentId>().unwrap(), id);
    let second = SegmentId { partition: 2, ..id.clone() };
    assert_eq!(second.to_string(), format!("{TEXT}_2"));
    assert_eq!(second.to_string().parse::<SegmentId>().unwrap(), second);
    let json = serde_json::to_string(&second).unwrap();
    assert_eq!(
        json,
        r#"{"datasource":"wikipedia","interval":"2015-09-12T00:00:00.000Z/2015-09-13T00:00:00.000Z","version":7,"partition":2}"#
    );
    assert_eq!(serde_json::from_str::<SegmentId>(&json).unwrap(), second);
    assert!(serde_json::from_str::<SegmentId>(&json.replace("wikipedia", "../etc")).is_err());
}

#[test]
fn versions_order_as_text_and_as_numbers() {
    let texts = [1, 9, 10, 99, 1_000_000].map(|version| Version(version).to_string());
    assert!(texts.is_sorted());
}

#[test]
fn h_35_forged_ids_are_refused() {
    for forged in [
        "",
        "_",
        "wikipedia",
        "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z",
        "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_7",
        "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_000000000007_0",
        "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_000000000007_02",
        "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_000000000007_+2",
        "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_000000000007_-1",
        "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_000000000007_4294967296",
        "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_0000000000007",
        "wikipedia_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_99999999999999999999999",
        "wikipedia_2015-09-13T00:00:00.000Z_2015-09-12T00:00:00.000Z_000000000007",
        "wikipedia_2015-09-12_2015-09-13_000000000007",
        "../etc_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_000000000007",
        "_2015-09-12T00:00:00.000Z_2015-09-13T00:00:00.000Z_000000000007",
    ] {
        assert!(forged.parse::<SegmentId>().is_err(), "{forged}");
    }
}

#[test]
fn h_35_names_that_look_like_ids_stay_names() {
    for name in
        [TEXT, "a_b_c", "_", "x_000000000001", "x_000000000001_3", "2015-09-12T00:00:00.000Z"]
    {
        for partition in [0, 3, u32::MAX] {
            let id = SegmentId::new(name, day(), Version(12), partition);
            assert_eq!(id.to_string().parse::<SegmentId>().unwrap(), id);
        }
    }
}

#[test]
fn h_32_names_that_walk_the_file_system_are_refused() {
    for name in [
        "../../etc/passwd",
        "..",
        ".",
        "/abs",
        "a/b",
        "a\\b",
        "%2e%2e%2f",
        "%252e",
        "",
        ".hidden",
        "..\\x",
    ] {
        assert!(validate_datasource_name(name).is_err(), "{name}");
        let component = encode_path_component(name);
        assert!(!component.is_empty() && !component.contains(['/', '\\', '.', '%']), "{component}");
    }
}

#[test]
fn h_33_names_that_cannot_be_seen_or_typed_are_refused() {
    let long = "n".repeat(10_240);
    for name in [
        "a\tb",
        "a\nb",
        "a\0b",
        "a\u{1b}[31m",
        " a",
        "a ",
        "   ",
        "\u{a0}",
        "a\u{2028}b",
        "a\u{202e}b",
        "\u{feff}a",
        "a\u{200b}b",
        &long,
        &"Я".repeat(128),
    ] {
        let error = validate_datasource_name(name).unwrap_err();
        assert_eq!(error.class(), crate::ErrorClass::InvalidInput);
        assert!(error.to_string().len() < 600, "{error}");
    }
    for name in [
        "wikipedia",
        "CON",
        "web events",
        "v1.2",
        "ночь",
        "日本語",
        "🦀",
        "👩‍👩‍👧",
        "-rf",
        "a_b-c:d",
        "x'; DROP TABLE segments; --",
        &"n".repeat(255),
        &"Я".repeat(75),
        &"N".repeat(150),
    ] {
        assert_eq!(validate_datasource_name(name), Ok(()), "{name}");
        assert!(encode_path_component(name).len() <= 255);
    }
}

#[test]
fn h_34_names_equal_after_folding_have_their_own_directories() {
    let names =
        ["wiki", "Wiki", "WIKI", "wi-ki", "~77iki", "é", "e\u{301}", "É", "ß", "ss", "ﬁ", "fi"];
    let mut seen = HashMap::new();
    for name in names {
        let component = encode_path_component(name);
        assert!(component.bytes().all(|byte| byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || b"_-~".contains(&byte)));
        assert_eq!(seen.insert(component, name), None, "{name}");
    }
    assert_eq!(encode_path_component("wiki_2-x"), "wiki_2-x");
    assert_eq!(encode_path_component("Wiki"), "~57iki");
    assert_eq!(encode_path_component("-rf"), "~2drf");
    assert_eq!(encode_path_component(""), "~");
}

#[test]
fn h_34_components_that_no_name_has_are_no_names() {
    for other in ["~zz", "~5", "~~a1", "Wiki", "wi~6bi", "a b", "~~", "~ff", "-rf", ".."] {
        assert_eq!(decode_path_component(other), None, "{other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn h_34_every_component_leads_back_to_its_one_name(name in "\\PC{0,120}|[a-zA-Z~_.-]{0,200}") {
        let component = encode_path_component(&name);
        prop_assert_eq!(decode_path_component(&component), Some(name.clone()));
        if validate_datasource_name(&name).is_ok() {
            prop_assert!(component.len() <= 255);
        }
    }

    #[test]
    fn every_id_survives_its_text(
        name in "[a-zA-Z0-9_é -]{1,20}",
        start in crate::MIN_TIME_MS..0,
        length in 0_i64..crate::MAX_TIME_MS,
        version: u64,
        partition: u32,
    ) {
        prop_assume!(validate_datasource_name(&name).is_ok());
        let interval = Interval::new(start, start + length).unwrap();
        let id = SegmentId::new(name, interval, Version(version), partition);
        prop_assert_eq!(id.to_string().parse::<SegmentId>(), Ok(id));
    }

    #[test]
    fn h_35_hostile_ids_never_panic(text in "[a-z_0-9TZ:.-]{0,80}|\\PC{0,30}") {
        if let Ok(id) = text.parse::<SegmentId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }
}
