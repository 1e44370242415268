//! The memory allocator: glibc's, told to give back what it does not need. It makes up to eight arenas
//! a core, each of which keeps what its threads freed, and learns from large buffers to keep such ones
//! as well: hundreds of MiB after a busy hour (docs/adr/013-memory-accounts.md has the figures).
//! Elsewhere nothing is done.

use std::time::Duration;

use super::blocking;

/// Larger buffers are the operating system's again once they are freed. The most that the library takes:
/// queries ask for buffers of a few MiB again and again, and pages that come anew each time cost more
/// than what is done with them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM_BYTES: i32 = 32 << 20;
/// Free memory at the end of an arena that is kept while there is work.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_AT_END_BYTES: i32 = 512 << 20;
/// Free memory within arenas that is not worth looking for.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_FREE_BYTES: usize = 32 << 20;
/// How often it is looked whether free memory can be given back.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether memory is short.
const LOOK_AT_PRESSURE_EVERY: Duration = Duration::from_millis(200);
/// A process that used less of one CPU than a tenth between two looks is idle.
const IDLE_SHARE: u32 = 10;

/// Bounds the arenas and what they keep. To be called before threads are started.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library's settings are not reachable otherwise")]
pub fn bound_arenas() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arenas = i32::try_from(cores / 2).unwrap_or(i32::MAX).max(2);
    // SAFETY: `mallopt` may be called at any time and takes plain numbers. What it refuses stays as
    // it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, arenas);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_AT_END_BYTES);
    }
}

/// Bounds the arenas and what they keep. To be called before threads are started.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn bound_arenas() {}

/// Gives free memory back to the operating system, when it is worth it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library's heap is not reachable otherwise")]
fn trim() {
    // SAFETY: both may be called at any time from any thread; they lock what they look at.
    unsafe {
        if libc::mallinfo2().fordblks > KEPT_FREE_BYTES {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

/// Gives free memory back, for ever, whenever the process is idle: while there is work, what was freed
/// is soon wanted again. And whenever more than three quarters of `scarce_from_bytes` are resident: what
/// is free must not add to what may be held.
pub async fn keep_trimmed(scarce_from_bytes: usize) {
    let mut before = cpu_time();
    let looks = LOOK_EVERY.as_millis() / LOOK_AT_PRESSURE_EVERY.as_millis();
    loop {
        for _ in 0..looks {
            tokio::time::sleep(LOOK_AT_PRESSURE_EVERY).await;
            if resident_bytes().is_some_and(|bytes| bytes > scarce_from_bytes / 4 * 3) {
                let _ = blocking(trim).await;
            }
        }
        let now = cpu_time();
        if now.saturating_sub(before) < LOOK_EVERY / IDLE_SHARE {
            // It walks the heap: nothing for the network's threads.
            let _ = blocking(trim).await;
        }
        before = now;
    }
}

/// Memory of the process's own that is resident, mapped files aside; `None` where nobody tells.
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: usize = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib << 10)
}

/// What the process used of all CPUs.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_goes_on_after_both() {
        bound_arenas();
        let held: Vec<Vec<u8>> = (0..1_000).map(|size| vec![1; size * 100]).collect();
        let kept: Vec<&Vec<u8>> = held.iter().step_by(7).collect();
        trim();
        assert!(kept.iter().all(|bytes| bytes.iter().all(|byte| *byte == 1)));
    }
}
