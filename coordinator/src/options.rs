//! Settings of the coordinator.

/// How many copies of what, and how patient the coordinator is with hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoordinatorOptions {
    /// Hosts that are to have each used segment; in different zones where there are any.
    pub replicas: usize,
    /// A host that is away, and a view of the cluster that is not complete, are waited for this long
    /// before further copies are made. What no host has is loaded at once.
    pub grace_ms: u64,
    /// A load that takes longer is tried again, perhaps elsewhere.
    pub load_timeout_ms: u64,
    /// The same for a drop.
    pub drop_timeout_ms: u64,
}

impl Default for CoordinatorOptions {
    fn default() -> Self {
        Self { replicas: 1, grace_ms: 30_000, load_timeout_ms: 300_000, drop_timeout_ms: 30_000 }
    }
}
