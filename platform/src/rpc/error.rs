//! The one place where an error becomes a status of gRPC, and back. The code of the class travels
//! beside the status, because several classes share one status.

use std::error::Error;

use henge_types::ErrorClass;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status, TimeoutExpired};

/// Names the class.
const CLASS: &str = "henge-error-class";

/// A message travels in a header: beyond this it is cut.
const MAX_MESSAGE_BYTES: usize = 2 << 10;

/// The status that says an error.
#[must_use]
pub fn status(class: ErrorClass, message: &str) -> Status {
    let code = match class {
        ErrorClass::InvalidInput => Code::InvalidArgument,
        ErrorClass::NotFound => Code::NotFound,
        ErrorClass::Unsupported => Code::Unimplemented,
        ErrorClass::ResourceLimit | ErrorClass::Capacity => Code::ResourceExhausted,
        ErrorClass::Timeout => Code::DeadlineExceeded,
        ErrorClass::Cancelled => Code::Cancelled,
        ErrorClass::Unavailable => Code::Unavailable,
        ErrorClass::Conflict => Code::Aborted,
        ErrorClass::Contradiction => Code::FailedPrecondition,
        ErrorClass::Corrupt => Code::DataLoss,
        ErrorClass::Internal => Code::Internal,
    };
    let shown = &message[..message.floor_char_boundary(MAX_MESSAGE_BYTES)];
    let mut status = Status::new(code, shown);
    status.metadata_mut().insert(CLASS, MetadataValue::from_static(class.code()));
    status
}

/// The class of an error that came as a status. One that no server of ours made comes from the way
/// to it: the server is away then, unless the status says better.
#[must_use]
pub fn class_of(status: &Status) -> ErrorClass {
    let named = status.metadata().get(CLASS).and_then(|class| class.to_str().ok());
    if let Some(class) = named {
        return ErrorClass::of_code(class).unwrap_or(ErrorClass::Internal);
    }
    match status.code() {
        Code::DeadlineExceeded => ErrorClass::Timeout,
        Code::Cancelled if status.message() == TimeoutExpired(()).to_string() => {
            ErrorClass::Timeout
        }
        Code::InvalidArgument | Code::Unauthenticated | Code::PermissionDenied => {
            ErrorClass::InvalidInput
        }
        Code::NotFound => ErrorClass::NotFound,
        Code::Unimplemented => ErrorClass::Unsupported,
        Code::OutOfRange | Code::ResourceExhausted => ErrorClass::ResourceLimit,
        Code::DataLoss => ErrorClass::Corrupt,
        Code::Aborted | Code::AlreadyExists | Code::FailedPrecondition => ErrorClass::Conflict,
        Code::Ok | Code::Cancelled | Code::Unknown | Code::Internal | Code::Unavailable => {
            ErrorClass::Unavailable
        }
    }
}

/// What a call to `address` failed of: all that the status and what lies below it say.
#[must_use]
pub fn reason_of(address: &str, status: &Status) -> String {
    let mut reason = format!("{address}: {}", status.message());
    // The message says "transport error", and what lies below it says which.
    let mut below = status.source();
    while let Some(error) = below {
        let text = error.to_string();
        if !reason.contains(&text) {
            reason = format!("{reason}: {text}");
        }
        below = error.source();
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_comes_back_as_it_was() {
        for class in [
            ErrorClass::InvalidInput,
            ErrorClass::NotFound,
            ErrorClass::Unsupported,
            ErrorClass::ResourceLimit,
            ErrorClass::Capacity,
            ErrorClass::Timeout,
            ErrorClass::Cancelled,
            ErrorClass::Unavailable,
            ErrorClass::Conflict,
            ErrorClass::Contradiction,
            ErrorClass::Corrupt,
            ErrorClass::Internal,
        ] {
            let status = status(class, "é");
            assert_eq!((class_of(&status), status.message()), (class, "é"));
        }
    }

    #[test]
    fn what_comes_from_the_way_is_told_from_what_a_server_says() {
        for (status, class) in [
            (Status::unavailable("connection refused"), ErrorClass::Unavailable),
            (Status::unknown("h2 protocol error"), ErrorClass::Unavailable),
            (Status::cancelled("stream reset"), ErrorClass::Unavailable),
            (Status::cancelled(TimeoutExpired(()).to_string()), ErrorClass::Timeout),
            (Status::out_of_range("message too large"), ErrorClass::ResourceLimit),
        ] {
            assert_eq!(class_of(&status), class, "{status}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_letters() {
        let status = status(ErrorClass::Internal, &"é".repeat(10_000));
        assert_eq!(status.message().len(), MAX_MESSAGE_BYTES);
    }
}
