//! The machine under the roles: time, memory, the CPU pool, durable files, owned folders and crash
//! points for tests.

pub mod allocator;
pub mod clock;
pub mod cpu_pool;
pub mod crash_point;
pub mod files;
pub mod folder_lock;
pub mod machine;
pub mod mapping;
pub mod memory;

pub use clock::{Clock, ManualClock, SystemClock};
pub use cpu_pool::{CpuPool, CpuTask, PoolError, PoolOptions, Priority, Step, Turn};
pub use crash_point::{CRASH_POINTS, crash_point};
pub use files::{TemporaryFile, remove_temporary_files, sync_dir, write_atomically};
pub use folder_lock::{FolderLock, FolderLockError, FolderOwner};
pub use machine::{HandleLimit, raise_handle_limit};
pub use mapping::{MappedFile, map_file, mapped_damages};
pub use memory::{AccountFull, Charge, MemoryAccount};
