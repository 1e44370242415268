//! Surviving a mapped file that somebody else cuts short.
//!
//! To read a page that lies beyond the file's end raises SIGBUS, which ends the process. The handler
//! here marks the mapping damaged, counts the damage and puts zeros in place of what is gone, so that
//! the reader goes on and finds out: a damaged mapping reads as empty from then on, and whoever began
//! to read before compares [`damages`] afterwards. Faults elsewhere go to the handler before.
#![allow(unsafe_code, reason = "signal handlers and mapping over a faulting page are system calls")]

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};

use parking_lot::Mutex;

/// Regions of one link of the list.
const LINK_REGIONS: usize = 256;

/// Mappings found damaged since the start.
static DAMAGES: AtomicU64 = AtomicU64::new(0);
static FIRST: Link = Link::new();
/// Regions that are free to be used again.
static FREE: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
static PAGE_BYTES: AtomicUsize = AtomicUsize::new(4096);

/// Links are appended and never freed, so that the handler can walk them without a lock.
struct Link {
    slots: [Slot; LINK_REGIONS],
    next: AtomicPtr<Link>,
}

/// A mapped region; unused while `start` is 0.
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    is_damaged: AtomicBool,
}

impl Link {
    const fn new() -> Self {
        Self {
            slots: [const {
                Slot {
                    start: AtomicUsize::new(0),
                    end: AtomicUsize::new(0),
                    is_damaged: AtomicBool::new(false),
                }
            }; LINK_REGIONS],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

/// A mapping that is guarded until this is dropped, which must be before it is unmapped.
pub(super) struct Region(&'static Slot);

impl Region {
    /// Guards the mapping of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        install();
        let slot = free_slot();
        let start = bytes.as_ptr() as usize;
        slot.is_damaged.store(false, Ordering::SeqCst);
        slot.end.store(start + bytes.len(), Ordering::SeqCst);
        slot.start.store(start, Ordering::SeqCst);
        Self(slot)
    }

    /// True once a part of the file was found gone.
    #[inline]
    pub(super) fn is_damaged(&self) -> bool {
        self.0.is_damaged.load(Ordering::Acquire)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.0.start.store(0, Ordering::SeqCst);
        FREE.lock().push(self.0);
    }
}

/// Mappings found damaged since the start: what was read while this moved may be zeros.
#[must_use]
pub fn damages() -> u64 {
    DAMAGES.load(Ordering::SeqCst)
}

fn free_slot() -> &'static Slot {
    static APPENDED: Once = Once::new();
    let mut free = FREE.lock();
    APPENDED.call_once(|| free.extend(&FIRST.slots));
    if free.is_empty() {
        let link: &'static Link = Box::leak(Box::new(Link::new()));
        let mut last = &FIRST;
        while let Some(next) = next_of(last) {
            last = next;
        }
        last.next.store(ptr::from_ref(link).cast_mut(), Ordering::Release);
        free.extend(&link.slots);
    }
    // Never empty here.
    free.pop().unwrap_or(&FIRST.slots[0])
}

fn next_of(link: &Link) -> Option<&'static Link> {
    // SAFETY: the pointer is null or a leaked link, which is never freed or moved.
    unsafe { link.next.load(Ordering::Acquire).as_ref() }
}

fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: `sysconf` and `sigaction` take valid arguments: zeroed `sigaction`s are valid, and
        // the handler has the signature that SA_SIGINFO asks for and does only what is allowed in
        // one (atomics and system calls).
        unsafe {
            let page_bytes = libc::sysconf(libc::_SC_PAGESIZE);
            PAGE_BYTES.store(usize::try_from(page_bytes).unwrap_or(4096), Ordering::SeqCst);
            let mut action: libc::sigaction = std::mem::zeroed();
            let mut previous: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                on_bus_error;
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) == 0 {
                let _ = PREVIOUS.set(previous);
                libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut());
            }
        }
    });
}

extern "C" fn on_bus_error(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid `siginfo_t` for a memory fault, which has an address.
    let address = unsafe { (*info).si_addr() } as usize;
    if !mend(address) {
        pass_on(signal, info, context);
    }
}

/// Marks the region that holds the address and maps zeros from its page to the region's end.
fn mend(address: usize) -> bool {
    let mut link = Some(&FIRST);
    while let Some(current) = link {
        for slot in &current.slots {
            let (start, end) = (slot.start.load(Ordering::SeqCst), slot.end.load(Ordering::SeqCst));
            if start == 0 || address < start || address >= end {
                continue;
            }
            // Before there are zeros to be read.
            slot.is_damaged.store(true, Ordering::SeqCst);
            DAMAGES.fetch_add(1, Ordering::SeqCst);
            let page = address & !(PAGE_BYTES.load(Ordering::SeqCst) - 1);
            // SAFETY: the pages belong to a registered mapping, which stays registered while it is
            // mapped; they are replaced by readable ones of the same extent, and its owner unmaps
            // them with the rest. Nothing else is mapped there.
            let mapped = unsafe {
                libc::mmap(
                    page as *mut libc::c_void,
                    end - page,
                    libc::PROT_READ,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                    -1,
                    0,
                )
            };
            return mapped != libc::MAP_FAILED;
        }
        link = next_of(current);
    }
    false
}

/// Does what would have been done without this handler.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = PREVIOUS.get();
    let handler = previous.map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        // SAFETY: `SIG_DFL` is a valid disposition; the instruction is run again and ends the process.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    let with_info = previous.is_some_and(|p| p.sa_flags & libc::SA_SIGINFO != 0);
    // SAFETY: the address is that of a handler which was installed with these flags, so it has the
    // signature that they say, and it gets what the kernel gave.
    unsafe {
        if with_info {
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                std::mem::transmute(handler);
            handler(signal, info, context);
        } else {
            let handler: extern "C" fn(libc::c_int) = std::mem::transmute(handler);
            handler(signal);
        }
    }
}
