//! Settings of the coordinator.

/// How many copies of what, and how patient the coordinator is with hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoordinatorOptions {
    /// Hosts that are to have each used segment where no rule says otherwise; in different zones where there
    /// are any.
    pub replicas: usize,
    /// Copies that are on their way to a better place at once; 0: nothing is moved.
    pub moves_at_once: usize,
    /// Copies of segments that have one already, asked for by one run: what nobody has is never held up by
    /// them.
    pub further_copies_per_run: usize,
    /// A run plans no longer than this.
    pub plan_ms: u64,
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
        Self {
            replicas: 1,
            moves_at_once: 100,
            further_copies_per_run: 5_000,
            plan_ms: 5_000,
            grace_ms: 30_000,
            load_timeout_ms: 300_000,
            drop_timeout_ms: 30_000,
        }
    }
}
