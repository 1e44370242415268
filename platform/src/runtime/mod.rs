//! The machine under the roles: time, the CPU pool, durable files, owned folders and crash points
//! for tests.

pub mod clock;
pub mod cpu_pool;
pub mod crash_point;
pub mod files;
pub mod folder_lock;
pub mod mapping;

pub use clock::{Clock, ManualClock, SystemClock};
pub use cpu_pool::{CpuPool, CpuTask, PoolError, PoolOptions, Priority, Step, Turn};
pub use crash_point::crash_point;
pub use files::{TemporaryFile, remove_temporary_files, sync_dir, write_atomically};
pub use folder_lock::{FolderLock, FolderLockError, FolderOwner};
pub use mapping::{SharedBytes, map_file};
