//! `\p{…}`: POSIX classes, categories, scripts and binary properties.

use super::flags::Flags;

/// The inside of a class for a property's name; an error says what is not there.
pub(super) fn inside(name: &str, flags: Flags) -> Result<String, String> {
    if let Some(posix) = posix(name, flags) {
        return posix;
    }
    if let Some((key, value)) = name.split_once('=') {
        return match key.to_ascii_lowercase().as_str() {
            "sc" | "script" => script(value),
            "gc" | "general_category" => category(value, flags).ok_or_else(|| unknown(name)),
            _ => Err(format!("\\p{{{key}=…}} is not supported; name a script or a category")),
        };
    }
    if name.starts_with("In") || name.starts_with("java") {
        return Err(format!(
            "\\p{{{name}}} is not supported; name a script (IsGreek), a category (Lu) or a range"
        ));
    }
    match name.strip_prefix("Is") {
        Some(short) => match category(short, flags) {
            Some(category) => Ok(category),
            None => binary(short).map_or_else(|| script(short), Ok),
        },
        None => category(name, flags).ok_or_else(|| unknown(name)),
    }
}

fn unknown(name: &str) -> String {
    format!("unknown property \\p{{{name}}}")
}

fn posix(name: &str, flags: Flags) -> Option<Result<String, String>> {
    let ascii = match name {
        // Either case matches where case does not count.
        "Lower" | "Upper" if flags.ignores_case => "a-zA-Z",
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => r"\x00-\x7F",
        "Alpha" => "a-zA-Z",
        "Digit" => "0-9",
        "Alnum" => "a-zA-Z0-9",
        "Punct" => r"!-/:-@\[-`{-~",
        "Graph" => "!-~",
        "Print" => " -~",
        "Blank" => r" \t",
        "Cntrl" => r"\x00-\x1F\x7F",
        "XDigit" => "0-9a-fA-F",
        "Space" => r" \t\n\x0B\x0C\r",
        _ => return None,
    };
    if !flags.unicode_classes {
        return Some(Ok(ascii.to_owned()));
    }
    let unicode = match name {
        "Lower" => r"\p{Lowercase}",
        "Upper" => r"\p{Uppercase}",
        "ASCII" => ascii,
        "Alpha" => r"\p{Alphabetic}",
        "Digit" => r"\p{Nd}",
        "Alnum" => r"\p{Alphabetic}\p{Nd}",
        "Punct" => r"\p{P}",
        "Space" => r"\p{White_Space}",
        "Cntrl" => r"\p{Cc}",
        _ => return Some(Err(format!("\\p{{{name}}} under (?U) is not supported"))),
    };
    Some(Ok(unicode.to_owned()))
}

const CATEGORIES: &[&str] = &[
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Me", "Mc", "N", "Nd", "Nl", "No", "Z", "Zs",
    "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn", "P", "Pd", "Ps", "Pe", "Pc", "Po", "Pi", "Pf", "S",
    "Sm", "Sc", "Sk", "So",
];

fn category(name: &str, flags: Flags) -> Option<String> {
    Some(match name {
        "LC" => r"\p{Lu}\p{Ll}\p{Lt}".to_owned(),
        "Lu" | "Ll" | "Lt" if flags.ignores_case => r"\p{Lu}\p{Ll}\p{Lt}".to_owned(),
        "LD" => r"\p{L}\p{Nd}".to_owned(),
        "L1" => r"\x00-\xFF".to_owned(),
        "all" => r"\x{0}-\x{10FFFF}".to_owned(),
        known if CATEGORIES.contains(&known) => format!("\\p{{{known}}}"),
        _ => return None,
    })
}

fn binary(name: &str) -> Option<String> {
    const KNOWN: [(&str, &str); 15] = [
        ("ALPHABETIC", "Alphabetic"),
        ("IDEOGRAPHIC", "Ideographic"),
        ("LETTER", "L"),
        ("LOWERCASE", "Lowercase"),
        ("UPPERCASE", "Uppercase"),
        ("TITLECASE", "Lt"),
        ("PUNCTUATION", "P"),
        ("CONTROL", "Cc"),
        ("WHITE_SPACE", "White_Space"),
        ("WHITESPACE", "White_Space"),
        ("DIGIT", "Nd"),
        ("HEX_DIGIT", "Hex_Digit"),
        ("HEXDIGIT", "Hex_Digit"),
        ("JOIN_CONTROL", "Join_Control"),
        ("EMOJI", "Emoji"),
    ];
    let upper = name.to_ascii_uppercase();
    let found = KNOWN.iter().find(|(known, _)| *known == upper);
    found.map(|(_, property)| format!("\\p{{{property}}}"))
}

/// Scripts are checked by whoever compiles them.
fn script(name: &str) -> Result<String, String> {
    let class = format!("\\p{{Script={name}}}");
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name && regex::Regex::new(&class).is_ok() {
        return Ok(class);
    }
    Err(unknown(name))
}
