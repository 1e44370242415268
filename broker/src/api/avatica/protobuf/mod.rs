//! Avatica in protobuf: every request and every answer is a `WireMessage`, which names the message that it holds
//! as Java names its class.

mod request;
mod response;

pub(super) use request::read;
pub(super) use response::{refuse, write};

const REQUESTS: &str = "org.apache.calcite.avatica.proto.Requests$";
const RESPONSES: &str = "org.apache.calcite.avatica.proto.Responses$";
