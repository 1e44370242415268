//! The machine under the roles: time, randomness, memory, the CPU pool and blocking work, durable files,
//! owned folders, crash points and the simulated thread for tests.

pub mod allocator;
pub mod blocking;
pub mod clock;
pub mod cpu_pool;
pub mod crash_point;
pub mod files;
pub mod folder_lock;
pub mod machine;
pub mod mapping;
pub mod memory;
pub mod random;
pub mod simulation;

pub use blocking::{BlockingThreads, WorkLost, blocking};
pub use clock::{Clock, ManualClock, SystemClock};
pub use cpu_pool::{CpuPool, CpuTask, PoolError, PoolOptions, Priority, Step, Turn};
pub use crash_point::{CRASH_POINTS, crash_point};
pub use files::{TemporaryFile, remove_temporary_files, sync_dir, write_atomically};
pub use folder_lock::{FolderLock, FolderLockError, FolderOwner};
pub use machine::{HandleLimit, raise_handle_limit};
pub use mapping::{MappedFile, map_file, mapped_damages};
pub use memory::{AccountFull, Charge, MemoryAccount};
pub use random::random;
