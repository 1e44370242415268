//! Which pages of a mapping are in memory, asking for those that are to be, and what a thread waited for.
#![allow(unsafe_code, reason = "two system calls that fill what they are given")]

use std::ops::Range;

use memmap2::{Advice, Mmap};

/// A page is not smaller, and on the machines that this runs on not larger.
pub(super) const PAGE_BYTES: usize = 4_096;
/// The kernel takes no more of one call than it sends to a disk at once; all take as much as this.
const ADVISED_BYTES: usize = 256 << 10;
/// Pages that are looked at with one call.
const PAGES_A_CALL: usize = 1_024;

/// Of a range of a mapping, which begins with a page: bytes that are in memory.
pub(super) fn resident_bytes(map: &Mmap, range: &Range<usize>) -> usize {
    let mut resident = 0;
    let mut flags = [0_u8; PAGES_A_CALL];
    for start in range.clone().step_by(PAGES_A_CALL * PAGE_BYTES) {
        let length = (range.end - start).min(PAGES_A_CALL * PAGE_BYTES);
        let pages = length.div_ceil(PAGE_BYTES);
        let Some(bytes) = map.get(start..start + length) else { break };
        // SAFETY: the bytes are of this mapping, which lives as long as the borrow, and begin with a page;
        // there is a flag for each page of them. Nothing is read or written but the flags.
        let outcome = unsafe {
            libc::mincore(bytes.as_ptr().cast_mut().cast(), bytes.len(), flags.as_mut_ptr())
        };
        if outcome == 0 {
            let here = flags.iter().take(pages).filter(|flag| **flag & 1 == 1).count();
            resident += (here * PAGE_BYTES).min(length);
        }
    }
    resident
}

/// Asks the system to read a range, which begins with a page, and does not wait for it.
pub(super) fn ask_for(map: &Mmap, range: &Range<usize>) {
    for start in range.clone().step_by(ADVISED_BYTES) {
        let length = (range.end - start).min(ADVISED_BYTES);
        // Where it cannot be asked for it is read when it is needed.
        let _ = map.advise_range(Advice::WillNeed, start, length);
    }
}

/// What a thread, or the process, had from disks so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageReads {
    /// Pages that were not in memory when they were needed.
    pub faults: u64,
    /// Bytes that were read from disks, those included that were read ahead.
    pub read_bytes: u64,
}

impl PageReads {
    /// Of the calling thread.
    #[must_use]
    pub fn of_thread() -> Self {
        Self::of(libc::RUSAGE_THREAD)
    }

    /// Of all threads.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(libc::RUSAGE_SELF)
    }

    /// What came since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            faults: self.faults.saturating_sub(earlier.faults),
            read_bytes: self.read_bytes.saturating_sub(earlier.read_bytes),
        }
    }

    fn of(whom: libc::c_int) -> Self {
        /// The unit that the system counts in, whatever the disk's.
        const BLOCK_BYTES: u64 = 512;
        // SAFETY: zeros are a valid `rusage`, which the call fills.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(whom, &raw mut usage);
            usage
        };
        let count = |count: libc::c_long| u64::try_from(count).unwrap_or_default();
        Self { faults: count(usage.ru_majflt), read_bytes: count(usage.ru_inblock) * BLOCK_BYTES }
    }
}
