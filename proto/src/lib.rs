//! What Henge says over gRPC: the Rust of the definitions in `proto/`, written by `cargo xtask
//! proto` and committed, and their descriptors. No type of the domain lives here: whoever serves or
//! calls converts.

/// Version 1: messages, services and their clients.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, reason = "generated")]
#[allow(clippy::all, clippy::pedantic, reason = "generated")]
pub mod v1 {
    include!("generated/henge.v1.rs");
}

/// What JDBC drivers of Avatica say in protobuf, which is Avatica's to define.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, reason = "generated")]
#[allow(clippy::all, clippy::pedantic, reason = "generated")]
pub mod avatica {
    include!("generated/avatica.rs");
}

/// What clients of Arrow Flight say of sessions, which is Arrow's to define.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, reason = "generated")]
#[allow(clippy::all, clippy::pedantic, reason = "generated")]
pub mod flight {
    include!("generated/flight.rs");
}

/// The definitions of version 1 as encoded descriptors: for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/henge.v1.bin");
