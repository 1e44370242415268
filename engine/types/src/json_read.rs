//! Reading JSON that people write: errors name the field, and no field is given twice.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Reads a value whose errors name the field that is wrong, as `field 'period': …`.
///
/// # Errors
/// What serde says, behind the name of the field where it says none.
pub fn read_named<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    let error = match T::deserialize(value) {
        Ok(read) => return Ok(read),
        Err(error) => error.to_string(),
    };
    // Of fields that are unknown or missing serde gives the names.
    let Value::Object(fields) = value else { return Err(error) };
    if error.contains(" field `") {
        return Err(error);
    }
    let is_wrong = |name: &&String| {
        let mut others = fields.clone();
        others.remove(name.as_str());
        T::deserialize(&Value::Object(others)).err().is_none_or(|other| other.to_string() != error)
    };
    // Without its type nothing can be read, so that one is wrong only where no other field is.
    let (kind, others): (Vec<_>, Vec<_>) = fields.keys().partition(|name| *name == "type");
    Err(match others.into_iter().chain(kind).find(is_wrong) {
        Some(name) => format!("field '{}': {error}", name.escape_debug()),
        None => error,
    })
}

/// Refuses objects that give a field twice: readers take one of the two, and who wrote them may mean the other.
///
/// # Errors
/// A sentence with the name of the field and its place, or what else is wrong with the text.
pub fn refuse_repeated(json: &[u8]) -> Result<(), String> {
    serde_json::from_slice::<Once>(json).map(|Once| ()).map_err(|error| error.to_string())
}

/// Any value whose objects give each field once.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Once, A::Error> {
        while seq.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format!("'{}' is given twice", name.escape_debug())));
            }
            names.insert(name);
            map.next_value::<Once>()?;
        }
        Ok(Once)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
    enum Rule {
        Load { copies: Option<u32>, period: crate::Period },
    }

    #[test]
    fn h_103_the_field_that_is_wrong_is_named() {
        let Rule::Load { copies, period } =
            read_named(&json!({"type": "load", "copies": 2, "period": "P1D"})).unwrap();
        assert_eq!((copies, period.days), (Some(2), 1));
        for (value, part) in [
            (json!({"type": "load", "copies": -1, "period": "P1D"}), "field 'copies': "),
            (json!({"type": "load", "copies": 1, "period": "a day"}), "field 'period': "),
            (json!({"type": "loud", "period": "P1D"}), "field 'type': "),
            (json!({"type": "load"}), "missing field `period`"),
            (json!({"type": "load", "period": "P1D", "copy": 1}), "unknown field `copy`"),
            (json!([1]), ""),
        ] {
            let error = read_named::<Rule>(&value).unwrap_err();
            assert!(error.contains(part), "{value}: {error}");
        }
    }

    #[test]
    fn h_103_what_is_given_twice_is_refused_at_any_depth() {
        refuse_repeated(br#"{"a": [{"b": 1}, {"b": null}], "b": {"a": "x", "c": 1.5, "d": true}}"#)
            .unwrap();
        let twice = refuse_repeated(br#"[1, {"a": {"hot": 1, "cold": 2, "hot": -3}}]"#);
        assert!(twice.unwrap_err().starts_with("'hot' is given twice at line 1"));
        assert!(refuse_repeated(b"{").is_err());
    }
}
