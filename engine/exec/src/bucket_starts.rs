//! The time bucket of each group.

/// The starts of groups' time buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketStarts {
    /// So many groups in the one bucket of granularity `all`. Its start depends on the whole query and
    /// all of its data, so only the finished answer has one.
    All(usize),
    /// One start a group, in milliseconds.
    At(Vec<i64>),
}

impl Default for BucketStarts {
    /// No groups.
    fn default() -> Self {
        Self::At(Vec::new())
    }
}

impl BucketStarts {
    /// The starts of no groups, of a query with one bucket or with many.
    #[must_use]
    pub fn empty(has_one_bucket: bool) -> Self {
        if has_one_bucket { Self::All(0) } else { Self::default() }
    }

    /// Number of groups.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::All(count) => *count,
            Self::At(starts) => starts.len(),
        }
    }

    /// True without groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The start of a group's bucket; `None` for granularity `all`.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<i64> {
        match self {
            Self::All(_) => None,
            Self::At(starts) => Some(starts[group]),
        }
    }

    /// The starts in milliseconds, one a group; none for granularity `all`.
    #[must_use]
    pub fn at(&self) -> &[i64] {
        match self {
            Self::All(_) => &[],
            Self::At(starts) => starts,
        }
    }

    /// True when all groups are in the same bucket.
    pub(crate) fn is_one(&self) -> bool {
        let starts = self.at();
        starts.iter().all(|start| Some(start) == starts.first())
    }

    /// The starts of some groups.
    pub(crate) fn pick(&self, groups: &[u32]) -> Self {
        match self {
            Self::All(_) => Self::All(groups.len()),
            Self::At(starts) => {
                Self::At(groups.iter().map(|&group| starts[group as usize]).collect())
            }
        }
    }

    /// The starts of all groups, so many times over.
    pub(crate) fn repeat(&self, times: usize) -> Self {
        match self {
            Self::All(count) => Self::All(count.saturating_mul(times)),
            Self::At(starts) => Self::At(starts.repeat(times)),
        }
    }

    /// Adds the starts of other groups. Those of granularity `all` have none to add.
    pub(crate) fn append(&mut self, other: &Self) {
        match self {
            Self::All(count) => *count += other.len(),
            Self::At(starts) => starts.extend_from_slice(other.at()),
        }
    }

    /// Adds a group. For granularity `all` there is no choice of a start.
    pub(crate) fn push(&mut self, start_ms: i64) {
        match self {
            Self::All(count) => *count += 1,
            Self::At(starts) => starts.push(start_ms),
        }
    }

    /// The start of each group's bucket, where that of granularity `all` is known by now.
    pub(crate) fn into_shown(self, start_of_all_ms: i64) -> Vec<i64> {
        match self {
            Self::All(count) => vec![start_of_all_ms; count],
            Self::At(starts) => starts,
        }
    }
}
