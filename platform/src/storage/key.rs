//! Keys of objects. A segment's key is built from encoded parts of its id, never from a raw name.

use henge_types::{SegmentId, encode_path_component, format_timestamp};

use super::error::{Result, StorageError};

const MAX_KEY_BYTES: usize = 1_024;

/// The key of a segment. `unique` tells attempts apart, so that a late upload can never replace a
/// published object: pass fresh random bits.
#[must_use]
pub fn segment_object_key(id: &SegmentId, unique: u64) -> String {
    let part = |text: &str| encode_path_component(text);
    format!(
        "segments/{}/{}_{}/{}/{}_{unique:016x}.segment",
        part(&id.datasource),
        part(&format_timestamp(id.interval.start_ms)),
        part(&format_timestamp(id.interval.end_ms)),
        id.version,
        id.partition,
    )
}

/// Accepts keys of non-empty plain parts between slashes; nothing that could leave the store.
///
/// # Errors
/// `InvalidKey`.
pub(crate) fn validate_key(key: &str) -> Result<()> {
    let plain = |c: char| !c.is_control() && !"\\:".contains(c);
    let part_is_fine = |part: &str| {
        !part.is_empty() && part.len() <= 255 && !part.starts_with('.') && part.chars().all(plain)
    };
    if key.len() <= MAX_KEY_BYTES && key.split('/').all(part_is_fine) {
        return Ok(());
    }
    Err(StorageError::InvalidKey(key.chars().take(MAX_KEY_BYTES).collect()))
}

#[cfg(test)]
mod tests {
    use henge_types::{Interval, Version};

    use super::*;

    fn key_of(datasource: &str) -> String {
        let interval = Interval { start_ms: 0, end_ms: 86_400_000 };
        segment_object_key(&SegmentId::new(datasource, interval, Version(7), 2), 255)
    }

    #[test]
    fn h_32_keys_stay_inside_whatever_the_name() {
        for name in ["../../etc/passwd", "..", ".", "/abs", "a/b", "a\\b", "%2e%2e%2f", "a\0b"] {
            let key = key_of(name);
            validate_key(&key).unwrap();
            assert_eq!(key.split('/').count(), 5, "{key}");
        }
    }

    #[test]
    fn h_34_names_equal_after_case_folding_have_distinct_keys() {
        let folded = |name| key_of(name).to_lowercase();
        assert_ne!(folded("Sales"), folded("sales"));
        assert_ne!(key_of("e\u{301}"), key_of("\u{e9}"));
    }

    #[test]
    fn keys_that_leave_the_store_are_refused() {
        for key in ["", "/a", "a//b", "a/../b", "..", "a/.hidden", "a\\b", "a\nb", "c:x", "a/"] {
            assert!(validate_key(key).is_err(), "{key:?}");
        }
        assert!(validate_key("a/b-c_d.segment").is_ok());
    }
}
