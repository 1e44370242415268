//! Errors of this package.

use henge_types::ErrorClass;

/// What can go wrong with a segment's bytes.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The bytes failed verification or contradict themselves.
    #[error("corrupt segment: {0}")]
    Corrupt(Box<Damage>),
    /// The file is of a format version this build cannot read.
    #[error("unknown segment format version {0}: this build reads versions 1 to 2")]
    UnknownVersion(u32),
    /// The caller asked for something the segment cannot do.
    #[error("{0}")]
    Invalid(String),
    /// A limit of the format was exceeded while writing.
    #[error("segment limit exceeded: {0}")]
    Limit(String),
    /// A part of the segment is not here, and could not be fetched or kept.
    #[error("a part of the segment could not be fetched: {reason}")]
    Fetch {
        /// Why.
        reason: String,
        /// The class of that.
        class: ErrorClass,
    },
    /// Writing failed.
    #[error("write segment: {0}")]
    Io(#[from] std::io::Error),
}

/// Bytes that are not what was written, and where, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Damage {
    /// The projection that they belong to.
    pub projection: Option<String>,
    /// The column.
    pub column: Option<String>,
    /// The block of the column, from 0.
    pub block: Option<usize>,
    /// What is wrong.
    pub reason: String,
    /// The piece, from which column and block are found.
    pub(crate) piece: Option<PieceAt>,
}

/// A piece by where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PieceAt {
    /// The open file, or the projection in it.
    pub(crate) instance: u64,
    pub(crate) offset: u64,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(projection) = &self.projection {
            write!(f, "projection '{projection}': ")?;
        }
        if let Some(column) = &self.column {
            write!(f, "column '{column}': ")?;
        }
        if let Some(block) = self.block {
            write!(f, "block {block}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl SegmentError {
    /// The error that damaged bytes lead to.
    #[must_use]
    pub fn corrupt(reason: impl Into<String>) -> Self {
        Self::Corrupt(Box::new(Damage { reason: reason.into(), ..Damage::default() }))
    }

    /// What is damaged, when that is the error.
    #[must_use]
    pub fn damage(&self) -> Option<&Damage> {
        match self {
            Self::Corrupt(damage) => Some(damage),
            Self::UnknownVersion(_)
            | Self::Invalid(_)
            | Self::Limit(_)
            | Self::Fetch { .. }
            | Self::Io(_) => None,
        }
    }

    /// The same error with more of the place it was found at; only what is corrupt says where.
    #[must_use]
    pub(crate) fn at(mut self, note: impl FnOnce(&mut Damage)) -> Self {
        if let Self::Corrupt(damage) = &mut self {
            note(damage);
        }
        self
    }

    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Corrupt(_) | Self::UnknownVersion(_) => ErrorClass::Corrupt,
            Self::Invalid(_) => ErrorClass::InvalidInput,
            Self::Limit(_) => ErrorClass::ResourceLimit,
            Self::Fetch { class, .. } => *class,
            Self::Io(_) => ErrorClass::Internal,
        }
    }
}

/// The package's result.
pub type Result<T, E = SegmentError> = std::result::Result<T, E>;
