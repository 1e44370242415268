//! What is wrong with the text of an event, as the reason of its refusal.

use crate::json::frames::Problem;
use crate::json::scan::{Fault, FaultKind};
use crate::limits::ParseLimits;
use crate::rejection::RejectReason;

/// Why a place without an event is refused.
pub(crate) fn problem_reason(problem: Problem, offset: usize) -> RejectReason {
    match problem {
        Problem::NotAnObject(found) => RejectReason::NotAnObject { found },
        Problem::Syntax(message) => RejectReason::Syntax { offset, message: message.to_owned() },
    }
}

/// Why an event that could not be read is refused.
pub(crate) fn fault_reason(
    fault: &Fault,
    event_end: usize,
    text: &str,
    body: &[u8],
    limits: &ParseLimits,
) -> RejectReason {
    if fault.at >= event_end && event_end < body.len() {
        return RejectReason::OverLimit { what: "bytes", limit: limits.max_event_bytes };
    }
    if body.get(fault.at) != text.as_bytes().get(fault.at) {
        let message = "the text is not UTF-8".to_owned();
        return RejectReason::Syntax { offset: fault.at, message };
    }
    match fault.kind {
        FaultKind::OverLimit(what, limit) => RejectReason::OverLimit { what, limit },
        FaultKind::NameControl => RejectReason::FieldName { message: "holds a control character" },
        ref kind => RejectReason::Syntax { offset: fault.at, message: kind.message() },
    }
}
