//! What clients in the field know must go on to be so: no number, name or type changes, nothing
//! vanishes. A definition that is no longer used stays, or a new version of the package begins.

use std::collections::BTreeMap;

use prost_types::{FieldDescriptorProto, FileDescriptorSet};

/// What of `known` is no longer so, one line each.
pub(super) fn faults(known: &FileDescriptorSet, now: &FileDescriptorSet) -> Vec<String> {
    let (known, now) = (said_by(known), said_by(now));
    let changed = known.iter().filter_map(|(place, was)| match now.get(place) {
        Some(is) if is == was => None,
        Some(is) => Some(format!("{place} was {was} and is {is}: clients know it as it was")),
        None => Some(format!("{place} ({was}) is gone: clients know it")),
    });
    changed.collect()
}

/// Everything that clients rely on: the place, and what is said there.
fn said_by(set: &FileDescriptorSet) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    for file in set.file.iter().filter(|file| file.package().starts_with("henge.")) {
        let package = file.package();
        for message in &file.message_type {
            let name = format!("{package}.{}", message.name());
            for field in &message.field {
                said.insert(format!("{name} field {}", field.number()), shown(field));
            }
            said.insert(name, "a message".to_owned());
        }
        for kind in &file.enum_type {
            let name = format!("{package}.{}", kind.name());
            for value in &kind.value {
                said.insert(format!("{name} value {}", value.number()), value.name().to_owned());
            }
            said.insert(name, "an enum".to_owned());
        }
        for service in &file.service {
            let name = format!("{package}.{}", service.name());
            for method in &service.method {
                let stream = |is_stream| if is_stream { "stream " } else { "" };
                let shape = format!(
                    "({}{}) returns ({}{})",
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type(),
                );
                said.insert(format!("{name}.{}", method.name()), shape);
            }
            said.insert(name, "a service".to_owned());
        }
    }
    said
}

fn shown(field: &FieldDescriptorProto) -> String {
    let (kind, label) = (field.r#type().as_str_name(), field.label().as_str_name());
    let choice = match (field.proto3_optional(), field.oneof_index) {
        (true, _) => " (optional)",
        (false, Some(_)) => " (one of several)",
        (false, None) => "",
    };
    format!("{} {label} {kind} {}{choice}", field.name(), field.type_name())
}

#[cfg(test)]
mod tests {
    use super::super::tests::set_of;
    use super::faults;

    const KNOWN: &str = "message A { string b = 1; repeated A c = 2; optional int64 d = 3; }
        enum K { K_UNSPECIFIED = 0; K_ONE = 1; }
        service S { rpc M(A) returns (stream A); }";

    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(KNOWN.contains(from));
        faults(&set_of(KNOWN), &set_of(&KNOWN.replace(from, to)))
    }

    #[test]
    fn definitions_may_grow() {
        let grown = [
            ("string b = 1;", "string b = 1; string e = 4;"),
            ("K_ONE = 1;", "K_ONE = 1; K_TWO = 2;"),
            ("rpc M(A)", "rpc N(A) returns (A); rpc M(A)"),
            ("enum K", "message B {} enum K"),
        ];
        for (from, to) in grown {
            assert_eq!(changed(from, to), Vec::<String>::new(), "{to}");
        }
    }

    #[test]
    fn what_clients_know_neither_changes_nor_vanishes() {
        for (from, to, named) in [
            ("string b = 1;", "string b = 4;", "henge.v1.A field 1"),
            ("string b = 1;", "bytes b = 1;", "TYPE_STRING"),
            ("string b = 1;", "string x = 1;", "was b"),
            ("string b = 1;", "", "is gone"),
            ("repeated A", "A", "LABEL_REPEATED"),
            ("optional int64", "int64", "(optional)"),
            ("K_ONE = 1;", "", "value 1"),
            ("K_ONE", "K_TWO", "was K_ONE"),
            ("returns (stream A)", "returns (A)", "henge.v1.S.M"),
            ("rpc M(A) returns (stream A);", "", "henge.v1.S.M"),
            ("service S { rpc M(A) returns (stream A); }", "", "a service"),
        ] {
            let found = changed(from, to).join("\n");
            assert!(found.contains(named), "{from} to {to}: {found}");
        }
    }
}
