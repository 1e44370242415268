//! Values that are never shown.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is written in place of a secret.
const HIDDEN: &str = "(hidden)";

/// A setting that may be a credential: neither logged nor rendered.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// The value, for whoever hands it on.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether somebody who shows this knows it; takes as long wherever the two differ.
    #[must_use]
    pub fn is_same_as(&self, shown: &[u8]) -> bool {
        let difference = |sum: u8, (a, b): (&u8, &u8)| sum | (a ^ b);
        self.0.len() == shown.len() && self.0.as_bytes().iter().zip(shown).fold(0, difference) == 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Nothing is no secret.
        serializer.serialize_str(if self.is_empty() { "" } else { HIDDEN })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)? {
            hidden if hidden == HIDDEN => Err(Error::custom(
                "'(hidden)' stands for a value that is not shown; write the value",
            )),
            value => Ok(Self(value)),
        }
    }
}
