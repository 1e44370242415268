//! Which names tiers may have, and the other names that rules may give them.

use crate::error::{TypeError, excerpt};

/// The longest name, in bytes.
const MAX_BYTES: usize = 64;

/// Checks that a tier, or an alias of tiers, may have this name: 1 to 64 ASCII letters, digits, `_` and `-`.
/// Names are written into logs, metrics and URLs as they are.
///
/// # Errors
/// When it has other letters, none or too many.
pub fn validate_tier_name(name: &str) -> Result<(), TypeError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match (1..=MAX_BYTES).contains(&name.len()) && name.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(TypeError::TierName { text: excerpt(name) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_77_names_of_tiers_are_plain() {
        for name in ["hot", "_default_tier", "nvme-2026", "A"] {
            validate_tier_name(name).unwrap();
        }
        for name in ["", "a b", "hot\nERROR", "hot\0", "hot/1", "h\u{e9}", &"t".repeat(65)] {
            let error = validate_tier_name(name).unwrap_err().to_string();
            assert!(!error.contains(['\n', '\0']) && error.contains("1 to 64 letters"), "{error}");
        }
    }
}
