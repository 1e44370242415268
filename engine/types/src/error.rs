//! Who is at fault: the class every error of the workspace maps to, and from which HTTP and gRPC
//! codes are derived in one place (`henge-platform::http`). Also this package's own error.

use std::borrow::Cow;

/// The class of an error. Each package's error enum answers `class()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The caller sent something wrong; the message names the field and the fix.
    InvalidInput,
    /// The thing asked for does not exist.
    NotFound,
    /// Well-formed but not supported by this version.
    Unsupported,
    /// A limit of memory, rows, bytes or concurrency was hit by this request alone.
    ResourceLimit,
    /// The service is too busy now; the same request may succeed later.
    Capacity,
    /// The deadline passed.
    Timeout,
    /// The caller or an operator cancelled the work.
    Cancelled,
    /// A dependency or a replica is away for the moment.
    Unavailable,
    /// The state changed under the caller (compare-and-swap lost).
    Conflict,
    /// The request contradicts an earlier one that it claims to repeat.
    Contradiction,
    /// Stored bytes failed verification.
    Corrupt,
    /// A bug or an unexpected failure of the environment.
    Internal,
}

impl ErrorClass {
    const CODES: [(Self, &str); 12] = [
        (Self::InvalidInput, "invalidInput"),
        (Self::NotFound, "notFound"),
        (Self::Unsupported, "unsupported"),
        (Self::ResourceLimit, "resourceLimit"),
        (Self::Capacity, "capacity"),
        (Self::Timeout, "timeout"),
        (Self::Cancelled, "cancelled"),
        (Self::Unavailable, "unavailable"),
        (Self::Conflict, "conflict"),
        (Self::Contradiction, "contradiction"),
        (Self::Corrupt, "corrupt"),
        (Self::Internal, "internal"),
    ];

    /// The code under which the class travels between processes.
    #[must_use]
    pub fn code(self) -> &'static str {
        Self::CODES.iter().find(|(class, _)| *class == self).map_or("internal", |(_, code)| code)
    }

    /// The class of a code; `None` for those that this version does not know.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::CODES.iter().find(|(_, known)| *known == code).map(|(class, _)| *class)
    }
}

/// A text or value that is not a valid timestamp, interval, period, granularity, zone, name or id.
///
/// Texts are clipped to a short excerpt, so an error never carries a hostile megabyte along.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// Not a timestamp.
    #[error("timestamp '{text}' is not valid: {reason}")]
    Timestamp {
        /// What was sent, clipped.
        text: String,
        /// What is wrong and how to write it instead.
        reason: Cow<'static, str>,
    },
    /// Not an interval.
    #[error("interval '{text}' is not valid: {reason}")]
    Interval {
        /// What was sent, clipped.
        text: String,
        /// What is wrong and how to write it instead.
        reason: Cow<'static, str>,
    },
    /// Not a period.
    #[error("period '{text}' is not valid: {reason}")]
    Period {
        /// What was sent, clipped.
        text: String,
        /// What is wrong and how to write it instead.
        reason: Cow<'static, str>,
    },
    /// Not a granularity.
    #[error("granularity '{text}' is not valid: {reason}")]
    Granularity {
        /// What was sent, clipped.
        text: String,
        /// What is wrong and how to write it instead.
        reason: Cow<'static, str>,
    },
    /// Not a time zone.
    #[error("time zone '{text}' is unknown: use a name such as Europe/Paris or an offset +05:30")]
    TimeZone {
        /// What was sent, clipped.
        text: String,
    },
    /// Not a name a datasource may have.
    #[error("datasource name '{text}' is not allowed: {reason}")]
    DatasourceName {
        /// What was sent, clipped.
        text: String,
        /// What is wrong and how to write it instead.
        reason: Cow<'static, str>,
    },
    /// Not a name a tier, or an alias of tiers, may have.
    #[error("tier name '{text}' is not allowed: write 1 to 64 letters, digits, '_' and '-'")]
    TierName {
        /// What was sent, clipped.
        text: String,
    },
    /// Not a segment id.
    #[error("segment id '{text}' is not valid: {reason}")]
    SegmentId {
        /// What was sent, clipped.
        text: String,
        /// What is wrong and how to write it instead.
        reason: Cow<'static, str>,
    },
}

impl TypeError {
    /// All of them are the caller's to mend.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        ErrorClass::InvalidInput
    }
}

/// The head of a text for an error message: short, and with control characters escaped.
pub(crate) fn excerpt(text: &str) -> String {
    const LIMIT: usize = 80;
    let mut out: String = text.chars().take(LIMIT).flat_map(char::escape_debug).collect();
    if text.chars().nth(LIMIT).is_some() {
        out.push_str("...");
    }
    out
}
