//! What an error of the store means: pass it on, repeat the request, or tell people what to mend.

use std::error::Error;
use std::fmt;

use object_store::Error as StoreError;

/// Longest text of a store that is shown.
const SHOWN_CHARS: usize = 300;

/// Where the objects are, for people. Knows no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place(String);

impl Place {
    /// A bucket's URL, and the endpoint when it is not the provider's own.
    pub(super) fn new(url: &str, endpoint: &str) -> Self {
        match endpoint {
            "" => Self(format!("object store {url}")),
            endpoint => Self(format!("object store {url} at {endpoint}")),
        }
    }

    pub(super) fn memory() -> Self {
        Self::new("memory", "")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such object.
    Missing,
    /// The store says that there is an object already; some also say so of a race (409).
    Exists,
    /// The store cannot do this.
    Unsupported(String),
    /// The store will say the same until somebody mends something; the text says what.
    Refused(String),
    /// The store was busy or away, or nobody knows.
    Passing(String),
}

impl Failure {
    /// Less came than was announced.
    pub(super) fn broken_off() -> Self {
        Self::Passing("the object broke off".into())
    }

    pub(super) fn of(error: &StoreError) -> Self {
        let text = summary(error);
        if let Some(fix) = fix_of(&text) {
            return Self::Refused(format!("{text}; {fix}"));
        }
        match error {
            StoreError::NotFound { .. } => Self::Missing,
            StoreError::AlreadyExists { .. }
            | StoreError::Precondition { .. }
            | StoreError::NotModified { .. } => Self::Exists,
            StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
                Self::Unsupported(text)
            }
            // As S3 itself says it (501).
            _ if text.contains("NotImplemented") => Self::Unsupported(text),
            // A credential that ran out is fetched anew for the next attempt.
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }
                if !is_expired(&text) =>
            {
                Self::Refused(format!(
                    "access denied ({text}); the credentials need reading, writing, deleting and \
                     listing on the bucket"
                ))
            }
            StoreError::InvalidPath { .. } | StoreError::UnknownConfigurationKey { .. } => {
                Self::Refused(text)
            }
            _ => Self::Passing(text),
        }
    }
}

fn is_expired(text: &str) -> bool {
    ["ExpiredToken", "TokenRefreshRequired", "RequestExpired"]
        .iter()
        .any(|code| text.contains(code))
}

/// What people have to do, where the store's words say it.
fn fix_of(text: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["NoSuchBucket", "specified bucket does not exist", "ContainerNotFound"]) {
        return Some("there is no such bucket: create it, or mend storage.url");
    }
    if says(&["BareRedirect", "incorrectly configured region", "PermanentRedirect"]) {
        return Some("the bucket is in another region: set storage.region");
    }
    if says(&["InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed"]) {
        return Some("the store does not take these credentials: see [storage.options]");
    }
    if says(&["169.254.169.254", "169.254.170.2", "metadata.google.internal"]) {
        return Some(
            "there are no credentials in [storage.options] or the environment, and this machine \
             has no role that gives some",
        );
    }
    None
}

/// The code and the message of an XML answer, or else the error and its innermost cause.
pub(super) fn summary(error: &StoreError) -> String {
    let whole = error.to_string();
    let element = |name: &str| {
        let start = whole.find(&format!("<{name}>"))? + name.len() + 2;
        let length = whole[start..].find(&format!("</{name}>"))?;
        Some(&whole[start..start + length])
    };
    let text = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => {
            let mut innermost: &dyn Error = error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            let innermost = innermost.to_string();
            if whole.contains(&innermost) { whole } else { format!("{whole}: {innermost}") }
        }
    };
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> StoreError {
        StoreError::Generic { store: "S3", source: text.into() }
    }

    fn denied(text: &str) -> StoreError {
        StoreError::PermissionDenied { path: "k".into(), source: text.into() }
    }

    fn refused(error: &StoreError) -> String {
        match Failure::of(error) {
            Failure::Refused(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_name_the_fix() {
        let body = "403: <Error><Code>NoSuchBucket</Code><Message>No bucket</Message></Error>";
        let told = refused(&generic(body));
        assert_eq!(
            told,
            "NoSuchBucket: No bucket; there is no such bucket: create it, or mend storage.url"
        );
        let missing = StoreError::NotFound { path: "k".into(), source: body.into() };
        assert!(refused(&missing).contains("no such bucket"));
        assert!(refused(&denied("AccessDenied")).contains("access denied (The operation"));
        assert!(refused(&denied("<Code>InvalidAccessKeyId</Code>")).contains("[storage.options]"));
        assert!(refused(&generic("PUT http://169.254.169.254/latest")).contains("no credentials"));
        assert!(refused(&generic("incorrectly configured region")).contains("storage.region"));
    }

    #[test]
    fn f_42_what_may_pass_is_tried_again() {
        for error in [generic("503 SlowDown"), generic("connection refused"), generic("")] {
            assert!(matches!(Failure::of(&error), Failure::Passing(_)), "{error}");
        }
        // The provider of credentials fetches new ones.
        assert!(matches!(Failure::of(&denied("<Code>ExpiredToken</Code>")), Failure::Passing(_)));
    }

    #[test]
    fn what_a_store_says_is_cut() {
        let Failure::Passing(text) = Failure::of(&generic(&"x".repeat(10_000))) else { panic!() };
        assert_eq!(text.chars().count(), SHOWN_CHARS);
    }
}
