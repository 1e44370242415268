//! Tells whether this process stood still: one that was stopped, or got no time, and goes on knows nothing
//! of what was committed and announced meanwhile, and would answer from a view of before.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The process looks at the time so often.
pub(crate) const BEAT: Duration = Duration::from_millis(100);
/// Without a look for so long, it stood still.
const PAUSE: Duration = Duration::from_millis(400);

/// When the process looked at the time.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// `None` while nobody keeps it beating: nothing is known then.
    state: Mutex<Option<Beats>>,
}

#[derive(Debug, Clone, Copy)]
struct Beats {
    last: Instant,
    running_since: Instant,
}

impl Pulse {
    /// It beats from now on, at least every [`BEAT`].
    pub(crate) fn start(&self) {
        let now = Instant::now();
        *self.state.lock() = Some(Beats { last: now, running_since: now });
    }

    /// Since when the process has gone on without standing still, as far as it can tell. What was read
    /// before that may be long out of date.
    pub(crate) fn beat(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        let beats = state.as_mut()?;
        let now = Instant::now();
        if now.duration_since(beats.last) >= PAUSE {
            beats.running_since = now;
        }
        beats.last = now;
        Some(beats.running_since)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_first_looks_after_a_pause_tells_and_nobody_before() {
        let pulse = Pulse::default();
        assert_eq!(pulse.beat(), None);
        pulse.start();
        let started = Instant::now();
        for _ in 0..10 {
            advance(BEAT).await;
            assert_eq!(pulse.beat(), Some(started));
        }
        advance(Duration::from_secs(13)).await;
        let resumed = Instant::now();
        assert_eq!(pulse.beat(), Some(resumed));
        advance(BEAT).await;
        assert_eq!(pulse.beat(), Some(resumed), "whoever looks later learns it, too");
    }
}
