//! The style of definitions: names as everybody writes them, and a comment on everything, since the
//! definitions are what people who write clients read.

use std::collections::BTreeSet;

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};

/// Field numbers of descriptor.proto, which paths of locations are made of.
const MESSAGES: i32 = 4;
const ENUMS: i32 = 5;
const SERVICES: i32 = 6;
const FIELDS: i32 = 2;
const METHODS: i32 = 2;
const VALUES: i32 = 2;

/// What is wrong, one line each.
pub(super) fn faults(set: &FileDescriptorSet) -> Vec<String> {
    let ours = set.file.iter().filter(|file| file.package().starts_with("henge."));
    ours.flat_map(|file| {
        let mut linter = Linter::of(file);
        linter.check();
        linter.faults
    })
    .collect()
}

struct Linter<'a> {
    file: &'a FileDescriptorProto,
    commented: BTreeSet<&'a [i32]>,
    faults: Vec<String>,
}

impl<'a> Linter<'a> {
    fn of(file: &'a FileDescriptorProto) -> Self {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        let commented = locations
            .filter(|location| !location.leading_comments().trim().is_empty())
            .map(|location| &location.path[..])
            .collect();
        Self { file, commented, faults: Vec::new() }
    }

    fn check(&mut self) {
        let file = self.file;
        let folder = file.package().replace('.', "/");
        let is_at_home = file.name().rsplit_once('/').is_some_and(|(found, _)| found == folder);
        self.demand(is_at_home, || format!("package {} belongs into {folder}/", file.package()));
        for (index, message) in (0..).zip(&file.message_type) {
            self.message(message, &[MESSAGES, index]);
        }
        for (index, kind) in (0..).zip(&file.enum_type) {
            self.kind(kind, &[ENUMS, index]);
        }
        for (index, service) in (0..).zip(&file.service) {
            self.comment(service.name(), &[SERVICES, index]);
            for (number, method) in (0..).zip(&service.method) {
                let name = method.name();
                self.comment(name, &[SERVICES, index, METHODS, number]);
                for (used, end) in
                    [(method.input_type(), "Request"), (method.output_type(), "Response")]
                {
                    let wanted = format!(".{}.{name}{end}", file.package());
                    self.demand(used == wanted, || format!("{name}: {used} should be {wanted}"));
                }
            }
        }
    }

    fn message(&mut self, message: &DescriptorProto, path: &[i32]) {
        let name = message.name();
        if message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry) {
            return;
        }
        self.comment(name, path);
        self.demand(is_camel(name), || format!("{name}: messages are written LikeThis"));
        for (index, field) in (0..).zip(&message.field) {
            let field_name = field.name();
            self.comment(&format!("{name}.{field_name}"), &[path, &[FIELDS, index]].concat());
            self.demand(is_snake(field_name), || {
                format!("{name}.{field_name}: fields are written like_this")
            });
        }
        let nested = !message.enum_type.is_empty()
            || message.nested_type.iter().any(|inner| inner.options.is_none());
        self.demand(!nested, || format!("{name}: types stand by themselves, not within others"));
    }

    fn kind(&mut self, kind: &EnumDescriptorProto, path: &[i32]) {
        let name = kind.name();
        self.comment(name, path);
        self.demand(is_camel(name), || format!("{name}: enums are written LikeThis"));
        let prefix = shouted(name);
        for (index, value) in (0..).zip(&kind.value) {
            self.comment(value.name(), &[path, &[VALUES, index]].concat());
            let starts = value.name().starts_with(&prefix);
            self.demand(starts, || format!("{}: begins with {prefix}", value.name()));
        }
        let zero = kind.value.iter().find(|value| value.number() == 0);
        let wanted = format!("{prefix}UNSPECIFIED");
        let is_unspecified = zero.is_some_and(|value| value.name() == wanted);
        self.demand(is_unspecified, || format!("{name}: the value 0 is {wanted}"));
    }

    fn comment(&mut self, name: &str, path: &[i32]) {
        let is_there = self.commented.contains(path);
        self.demand(is_there, || format!("{name}: say above it what it is"));
    }

    fn demand(&mut self, holds: bool, fault: impl Fn() -> String) {
        if !holds {
            self.faults.push(format!("proto/{}: {}", self.file.name(), fault()));
        }
    }
}

fn is_camel(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(char::is_alphanumeric)
}

fn is_snake(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `LikeThis` as `LIKE_THIS_`.
fn shouted(name: &str) -> String {
    let mut shouted = String::new();
    for (index, letter) in name.chars().enumerate() {
        if index > 0 && letter.is_ascii_uppercase() {
            shouted.push('_');
        }
        shouted.push(letter.to_ascii_uppercase());
    }
    shouted + "_"
}

#[cfg(test)]
mod tests {
    use super::super::tests::set_of;
    use super::faults;

    #[test]
    fn definitions_in_good_style_have_no_faults() {
        let text = "// A.\nservice S {\n// B.\nrpc Ask(AskRequest) returns (AskResponse);\n}\n\
            // C.\nmessage AskRequest {}\n// D.\nmessage AskResponse {\n// E.\nstring a_b = 1;\n}\n\
            // F.\nenum LikeThis {\n// G.\nLIKE_THIS_UNSPECIFIED = 0;\n}\n";
        assert_eq!(faults(&set_of(text)), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_is_named() {
        for (text, part) in [
            ("message A {}", "A: say above it what it is"),
            ("// A.\nmessage A { string b = 1; }", "A.b: say above"),
            ("// A.\nmessage A {\n// B.\nstring bC = 1;\n}", "A.bC: fields are written"),
            ("// A.\nmessage a_b {}", "a_b: messages are written"),
            ("// A.\nenum K {\n// B.\nK_X = 0;\n}", "the value 0 is K_UNSPECIFIED"),
            ("// A.\nenum K {\n// B.\nX = 0;\n}", "X: begins with K_"),
            (
                "// A.\nmessage A {}\n// S.\nservice S {\n// M.\nrpc M(A) returns (A);\n}",
                "should be .henge.v1.MRequest",
            ),
            ("// A.\nmessage A { enum K { K_UNSPECIFIED = 0; } }", "stand by themselves"),
        ] {
            let found = faults(&set_of(text)).join("\n");
            assert!(found.contains(part), "{text}: {found}");
        }
    }
}
