//! The memory allocator: glibc's, told to give back what it does not need. It makes up to eight arenas
//! a core, each of which keeps what its threads freed, and learns from large buffers to keep such ones
//! as well: hundreds of MiB after a busy hour (docs/adr/013-memory-accounts.md has the figures).
//! Elsewhere nothing is done.

use std::time::Duration;

/// Larger buffers are the operating system's again once they are freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM_BYTES: i32 = 1 << 20;
/// Free memory within arenas that is not worth looking for.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_FREE_BYTES: usize = 32 << 20;
/// How often free memory is given back.
const TRIM_EVERY: Duration = Duration::from_secs(10);

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
        libc::mallopt(libc::M_TRIM_THRESHOLD, MAPPED_FROM_BYTES);
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

/// Gives free memory back now and then, for ever.
pub async fn keep_trimmed() {
    loop {
        tokio::time::sleep(TRIM_EVERY).await;
        // It walks the heap: nothing for the network's threads.
        let _ = tokio::task::spawn_blocking(trim).await;
    }
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
