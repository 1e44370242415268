//! Sketches as text: how Druid carries them in JSON, both ways.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::error::{Result, SketchError};

/// Clients differ on padding when they send; what we write is padded.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Standard base64, padded.
#[must_use]
pub fn to_base64(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Reads standard base64, padded or not.
///
/// # Errors
/// [`SketchError::Base64`] when the text is something else.
pub fn from_base64(text: &str) -> Result<Vec<u8>> {
    ENGINE.decode(text).map_err(|error| SketchError::Base64(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_with_and_without_padding() {
        for length in 0..10_u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(77)).collect();
            let text = to_base64(&bytes);
            assert_eq!(from_base64(&text).unwrap(), bytes);
            assert_eq!(from_base64(text.trim_end_matches('=')).unwrap(), bytes);
        }
    }

    #[test]
    fn h_49_text_that_is_not_base64_is_refused() {
        assert!(from_base64("a b").is_err());
        assert!(from_base64("é").is_err());
        assert!(from_base64("A").is_err());
    }
}
