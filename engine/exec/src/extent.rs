//! Whether anything else is merged with what was found.

/// How much of an answer's rows a contribution is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Some of them: it is merged with others, so every group counts.
    #[default]
    Part,
    /// All of them: nothing else is merged with it, so groups that cannot be in the answer of a topN,
    /// or of a groupBy with a limit, may be left out.
    Whole,
}

impl Extent {
    /// `Whole` under a condition.
    #[must_use]
    pub fn whole_if(is_whole: bool) -> Self {
        if is_whole { Self::Whole } else { Self::Part }
    }

    /// True when nothing else is merged.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self == Self::Whole
    }

    /// `Whole` when both are.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::whole_if(self.is_whole() && other.is_whole())
    }
}
