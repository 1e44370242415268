//! Room on disk for queries that do not fit into memory.

#[cfg(test)]
mod contract;
mod local;
mod memory;

use std::fmt::Debug;
use std::io;

pub use local::LocalSpillStorage;
pub use memory::MemorySpillStorage;

/// Where temporary files are made.
pub trait SpillStorage: Send + Sync + Debug {
    /// A new, empty file that nobody else sees. It is gone when dropped, and after a crash.
    ///
    /// # Errors
    /// When it cannot be made.
    fn create(&self) -> io::Result<Box<dyn SpillFile>>;
}

/// A temporary file: written at its end, read anywhere.
pub trait SpillFile: Send + Debug {
    /// Appends bytes and tells where they begin.
    ///
    /// # Errors
    /// When they cannot be written, for example on a full disk.
    fn append(&mut self, bytes: &[u8]) -> io::Result<u64>;

    /// Reads bytes written before.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;
}
