//! Deep storage: where published segments live for good.
//!
//! Objects are written once under unique keys and never replaced. Every object has a recorded size
//! and checksum; what is pulled is verified before it takes its final name.

mod error;
mod key;
mod local;
mod object;
mod store;
mod unreliable;

pub use error::{Result, StorageError};
pub use key::segment_object_key;
pub use local::LocalDeepStorage;
pub use object::{
    ObjectBackend, ObjectDeepStorage, RetryPolicy, TransferOptions, fetch_url, is_fetched_url,
};
pub(crate) use object::{Provider, ProviderOption};
pub use store::{
    ChecksumReader, DeepStorage, ObjectInfo, Payload, PushedObject, checksum_bytes, checksum_file,
};
pub use unreliable::{FaultPlan, InjectedFaults, UnreliableObjects, UnreliableStorage};

#[cfg(test)]
mod contract;
