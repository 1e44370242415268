//! The reference as JSON Schema: `GET /v1/schema/query`.

use serde_json::{Map, Value, json};

use super::{Field, Place, Shape, places};

/// All of it. Fields that nothing reads are allowed, as they are in queries.
#[must_use]
pub fn json_schema() -> Value {
    let places: Map<String, Value> =
        places().iter().map(|place| (place.name.clone(), of_place(place))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A native query of Henge",
        "$ref": "#/$defs/query",
        "$defs": places,
    })
}

fn of_place(place: &Place) -> Value {
    let type_field = if place.name == "query" { "queryType" } else { "type" };
    let text = place.text.iter().map(|text| json!({ "type": "string", "description": text }));
    let shapes = place.shapes.iter().map(|shape| of_shape(shape, type_field, place));
    json!({ "description": place.title, "anyOf": text.chain(shapes).collect::<Vec<_>>() })
}

fn of_shape(shape: &Shape, type_field: &str, place: &Place) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    if !shape.types.is_empty() {
        properties.insert(type_field.to_owned(), json!({ "enum": shape.types }));
        // A dimension without a type is one of a column.
        if !(place.name == "dimension" && shape.types.iter().any(|name| name == "default")) {
            required.push(type_field.to_owned());
        }
    }
    for field in &shape.fields {
        properties.insert(field.name.clone(), of_field(field));
        required.extend(field.is_required.then(|| field.name.clone()));
    }
    json!({
        "type": "object",
        "description": shape.about,
        "properties": properties,
        "required": required,
        "examples": [shape.example],
    })
}

fn of_field(field: &Field) -> Value {
    let mut schema = of_kind(&field.kind);
    schema.insert("description".to_owned(), field.about.clone().into());
    if let Some(default) = &field.default {
        schema.insert("default".to_owned(), default.clone());
    }
    Value::Object(schema)
}

/// What a kind of field holds. Null stands for a field that is left out.
fn of_kind(kind: &str) -> Map<String, Value> {
    let schema = match kind {
        _ if kind.starts_with('[') => {
            let item = of_kind(kind.trim_matches(['[', ']']));
            json!({ "type": ["array", "null"], "items": item })
        }
        "text" => json!({ "type": ["string", "number", "boolean", "null"] }),
        "expression" => json!({ "type": ["string", "null"] }),
        "integer" | "number" => json!({ "type": ["number", "string", "null"] }),
        "boolean" => json!({ "type": ["boolean", "string", "null"] }),
        "ordering" | "intervals" => json!({ "type": ["string", "array", "object", "null"] }),
        "any" => json!({}),
        place => json!({ "anyOf": [{ "$ref": format!("#/$defs/{place}") }, { "type": "null" }] }),
    };
    schema.as_object().cloned().unwrap_or_default()
}
