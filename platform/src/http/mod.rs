//! HTTP as all roles speak it: one mapping of error classes to answers, bounded bodies, request
//! ids, JSON for unknown routes, answers charged until they are read, and a server loop with timers
//! against slow clients.

mod answers;
mod body;
mod error;
mod fallback;
mod guard;
mod paced;
mod request_id;
mod serve;
mod streamed;
mod token;
mod unbuilt;

pub use answers::charge_answers;
pub use body::{BodyLimits, LimitedBody, RawBody};
pub use error::{DruidError, NOT_TAKEN};
pub use fallback::with_fallbacks;
pub use guard::{AllowedHosts, refuse_strangers};
pub(crate) use paced::Paced;
pub use paced::ReadPace;
pub use request_id::assign_request_id;
pub use serve::{ServeOptions, serve};
pub use streamed::{Piece, streamed};
pub(crate) use token::is_bearer_of;
pub use token::require_token;
