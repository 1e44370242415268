//! gRPC as all processes speak it: who may call, how errors travel, bounds of connections and
//! messages, the server loop with health and reflection, and channels to other processes.

mod channel;
mod error;
mod identity;
mod options;
mod serve;

pub use channel::{RpcError, endpoint};
pub use error::{class_of, status};
pub use identity::{Introduce, PROTOCOL_VERSION, RefuseStrangers};
pub use options::RpcOptions;
pub use serve::{RpcServices, serve};
