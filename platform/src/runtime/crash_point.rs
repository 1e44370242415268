//! Named places where a test makes the process die as `kill -9` would: no unwinding, no flushing.
//!
//! Compiled to nothing in release builds. In others the process aborts at the point that the environment
//! variable `CRASH_POINT` names, at its n-th visit (`name` or `name:3`).

/// All points. A test dies at each.
pub const CRASH_POINTS: [&str; 19] = [
    "wal/before-append",
    "wal/before-sync",
    "wal/after-sync",
    "wal/torn-kept-aside",
    "wal/mark-taken-back",
    "wal/loss-kept-aside",
    "wal/loss-written",
    "wal/loss-not-marked",
    "handoff/pushed",
    "handoff/published",
    "task/pushed",
    "compact/pushed",
    "compact/published",
    "metadata/before-commit",
    "metadata/after-commit",
    "metadata/before-manifest",
    "metadata/manifest-written",
    "storage/before-rename",
    "storage/before-pull-rename",
];

/// Marks a place.
#[inline]
pub fn crash_point(name: &str) {
    #[cfg(debug_assertions)]
    armed::visit(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// The point that is armed, and the visits that are left.
    static ARMED: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
        let armed = std::env::var("CRASH_POINT").ok()?;
        let (name, visit) = armed.split_once(':').unwrap_or((&armed, "1"));
        Some((name.to_owned(), AtomicU32::new(visit.parse().unwrap_or(1))))
    });

    pub(super) fn visit(name: &str) {
        debug_assert!(super::CRASH_POINTS.contains(&name), "crash point '{name}' is not listed");
        if let Some((armed, left)) = &*ARMED
            && armed == name
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            std::process::abort();
        }
    }
}
