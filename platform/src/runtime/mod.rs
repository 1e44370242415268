//! The machine under the roles: time, randomness, memory, the CPU pool and blocking work, durable files,
//! owned folders, crash points and the simulated thread for tests.

pub mod allocator;
mod blocking;
mod clock;
mod cpu_pool;
mod crash_point;
pub mod files;
mod folder_lock;
pub mod machine;
mod mapping;
mod memory;
mod random;
mod side_threads;
pub mod simulation;
mod tasks;
pub mod watch;

pub use blocking::{BlockingThreads, WorkLost, blocking};
pub use clock::{Clock, ManualClock, SystemClock};
pub use cpu_pool::{CpuPool, CpuTask, PoolError, PoolOptions, Priority, Step, Turn};
pub use crash_point::{CRASH_POINTS, crash_point};
pub use files::{TemporaryFile, remove_temporary_files, sync_dir, write_atomically};
pub use folder_lock::{FolderLock, FolderLockError, FolderOwner};
pub use machine::{HandleLimit, raise_handle_limit};
pub use mapping::{MappedFile, PageReads, map_file, mapped_damages};
pub use memory::{AccountFull, Charge, MemoryAccount};
pub use random::random;
pub use side_threads::{SideTask, SideThreads};
pub use tasks::spawn;
