//! Named places where a test makes the process die as `kill -9` would: no unwinding, no flushing.
//!
//! Compiled to nothing unless the feature `crash-points` is on. A test binary arms one point with
//! `arm`; the n-th visit then aborts the process.

#[cfg(feature = "crash-points")]
static ARMED: parking_lot::Mutex<Option<(String, u32)>> = parking_lot::Mutex::new(None);

/// Marks a place; dies here when a test has armed `name`.
#[inline]
pub fn crash_point(name: &str) {
    #[cfg(feature = "crash-points")]
    {
        let mut armed = ARMED.lock();
        if let Some((armed_name, visits_left)) = armed.as_mut()
            && armed_name == name
        {
            *visits_left = visits_left.saturating_sub(1);
            if *visits_left == 0 {
                std::process::abort();
            }
        }
    }
    #[cfg(not(feature = "crash-points"))]
    let _ = name;
}

/// Arms a point: the process aborts at visit number `visit` (from 1).
#[cfg(feature = "crash-points")]
pub fn arm(name: &str, visit: u32) {
    *ARMED.lock() = Some((name.to_owned(), visit.max(1)));
}
