//! An address that may hold a password, which is shown nowhere.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// The address of a database; empty for none.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseAddress(String);

impl DatabaseAddress {
    /// As it was given, with the password: for connecting, not for showing.
    #[must_use]
    pub fn with_password(&self) -> &str {
        &self.0
    }

    /// True when none was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for DatabaseAddress {
    fn from(address: String) -> Self {
        Self(address)
    }
}

/// Without what may be a password: all between the user and the host, and all after the database.
impl fmt::Display for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return f.write_str(if self.0.is_empty() { "" } else { "***" });
        };
        let (rest, end) = match rest.split_once('?') {
            Some((rest, _)) => (rest, "?***"),
            None => (rest, ""),
        };
        match rest.rsplit_once('@') {
            None => write!(f, "{scheme}://{rest}{end}"),
            Some((user, place)) => match user.split_once(':') {
                None => write!(f, "{scheme}://{user}@{place}{end}"),
                Some((user, _)) => write!(f, "{scheme}://{user}:***@{place}{end}"),
            },
        }
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DatabaseAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
