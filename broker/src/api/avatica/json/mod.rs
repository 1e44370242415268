//! Avatica in JSON.

mod request;
mod response;

pub(super) use request::read;
pub(super) use response::{refuse, write};
