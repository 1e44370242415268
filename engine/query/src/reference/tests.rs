//! The words fit what the parser does.

use serde_json::Value;

use super::words::{COUNT, all};
use super::{gaps, json_schema, markdown, observe, places};
use crate::query::Query;

#[test]
fn every_type_and_every_field_has_its_words() {
    assert_eq!(all().len(), COUNT, "a file of words cannot be read");
    assert_eq!(gaps(), [] as [String; 0], "write them into src/reference/words");
}

/// Otherwise types that are new would not be missed.
#[test]
fn the_parser_names_the_types_of_every_place_that_has_some() {
    for words in all().iter().filter(|words| {
        !["granularity", "orderBy", "scanOrder", "context"].contains(&&*words.place)
    }) {
        assert!(observe::known_types(words).is_some(), "{}", words.place);
    }
}

#[test]
fn the_parser_says_what_has_to_be_given_and_what_is_taken_else() {
    let field = |place: &str, of_type: &str, name: &str| {
        let place = places().iter().find(|known| known.name == place).unwrap();
        let has = |types: &[String]| types.iter().any(|known| known == of_type);
        let shape = place.shapes.iter().find(|shape| has(&shape.types)).unwrap();
        shape.fields.iter().find(|field| field.name == name).cloned()
    };
    assert!(field("filter", "selector", "dimension").unwrap().is_required);
    assert!(!field("filter", "selector", "value").unwrap().is_required);
    assert_eq!(field("aggregator", "HLLSketchMerge", "lgK").unwrap().default, Some(12.into()));
    assert!(!field("aggregator", "longSum", "fieldName").unwrap().is_required, "or expression");
    assert!(field("filter", "equals", "extractionFn").is_none(), "it is refused");
    assert_eq!(field("query", "scan", "resultFormat").unwrap().default, Some("list".into()));
}

#[test]
fn every_example_is_a_query_of_which_all_is_read() {
    for shape in places().iter().flat_map(|place| &place.shapes) {
        let text = shape.query.to_string();
        // Which lookups there are is the server's to know.
        if text.contains("countries") {
            continue;
        }
        let read = Query::parse_with_warnings(text.as_bytes(), true, None);
        assert!(read.is_ok(), "{text}: {:?}", read.err());
    }
}

/// Every place that the schema refers to is there.
#[test]
fn the_schema_holds_together() {
    fn refer(value: &Value, to: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(place)) = fields.get("$ref") {
                    to.push(place.clone());
                }
                fields.values().for_each(|value| refer(value, to));
            }
            Value::Array(items) => items.iter().for_each(|item| refer(item, to)),
            _ => {}
        }
    }
    let schema = json_schema();
    let mut referred = Vec::new();
    refer(&schema, &mut referred);
    assert!(referred.len() > 20);
    for place in referred {
        assert!(schema.pointer(place.trim_start_matches('#')).is_some(), "{place}");
    }
}

#[test]
fn the_page_has_every_place_and_the_functions() {
    let page = markdown();
    for place in places() {
        assert!(page.contains(&format!("\n## {}\n", place.title)), "{}", place.title);
    }
    assert!(page.contains("| `timestamp_floor` |"), "{page}");
}
