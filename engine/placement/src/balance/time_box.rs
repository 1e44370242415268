//! How long a plan may take. Whoever plans has no clock of its own.

use std::fmt;

/// A clock and the time at which a plan is to be done.
pub struct TimeBox<'a> {
    running_ms: Box<dyn Fn() -> u64 + 'a>,
    begun_ms: u64,
    until_ms: u64,
}

impl<'a> TimeBox<'a> {
    /// From now, by this clock of running time, for so long.
    #[must_use]
    pub fn new(running_ms: impl Fn() -> u64 + 'a, lasts_ms: u64) -> Self {
        let begun_ms = running_ms();
        let until_ms = begun_ms.saturating_add(lasts_ms);
        Self { running_ms: Box::new(running_ms), begun_ms, until_ms }
    }

    /// One without end, for which no clock is asked.
    #[must_use]
    pub fn endless() -> Self {
        Self::new(|| 0, u64::MAX)
    }

    /// True when the time is up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        (self.running_ms)() >= self.until_ms
    }

    /// True when three quarters of it are up: what was found by then is to be used.
    pub(super) fn is_late(&self) -> bool {
        let lasts_ms = self.until_ms - self.begun_ms;
        (self.running_ms)() >= self.begun_ms + (lasts_ms - lasts_ms / 4)
    }
}

impl fmt::Debug for TimeBox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeBox").field("until_ms", &self.until_ms).finish_non_exhaustive()
    }
}
