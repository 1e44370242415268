//! gRPC as all processes speak it: who may call, how errors travel, bounds of connections and
//! messages, the server loop with health and reflection, and channels to other processes.

mod channel;
mod deadline;
mod error;
mod identity;
mod options;
mod outbox;
mod serve;

pub use channel::{RpcError, endpoint};
pub use deadline::time_left;
pub use error::{class_of, reason_of, status};
pub use identity::{
    ClusterKey, Introduce, PROTOCOL_VERSION, RefuseStrangers, RequireToken, TOKEN_REFUSED,
};
pub use options::{RpcLimits, RpcOptions};
pub use outbox::Outbox;
pub use serve::{RpcServices, serve};
