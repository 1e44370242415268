//! The numbers of all statements.

use std::time::Duration;

use henge_platform::telemetry::{Counter, Histogram, Metrics};
use henge_types::ErrorClass;

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its last row was taken.
    Success,
    /// It was wrong: the client has to change it.
    Invalid,
    /// Too many were at work.
    Refused,
    /// It took too long.
    TimedOut,
    /// Somebody cancelled it, or its client went away.
    Cancelled,
    /// Something else went wrong.
    Failed,
}

impl Outcome {
    /// That of a statement that failed so.
    pub(super) fn of_error(class: ErrorClass) -> Self {
        match class {
            ErrorClass::InvalidInput | ErrorClass::NotFound | ErrorClass::Unsupported => {
                Self::Invalid
            }
            ErrorClass::Capacity => Self::Refused,
            ErrorClass::Timeout => Self::TimedOut,
            ErrorClass::Cancelled => Self::Cancelled,
            ErrorClass::ResourceLimit
            | ErrorClass::Unavailable
            | ErrorClass::Conflict
            | ErrorClass::Contradiction
            | ErrorClass::Corrupt
            | ErrorClass::Internal => Self::Failed,
        }
    }
}

/// Counters of statements by outcome, and their times.
#[derive(Debug)]
pub(super) struct StatementFigures {
    outcomes: [(Outcome, Counter); 6],
    times: Histogram,
    native_queries: Counter,
}

impl StatementFigures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let of = |outcome, label| {
            let labels = [("outcome", label)];
            (outcome, metrics.counter("henge_sql_statements_total", "Statements.", &labels))
        };
        let help =
            "Time of answered statements, from the first byte that was read to the last row.";
        Self {
            outcomes: [
                of(Outcome::Success, "success"),
                of(Outcome::Invalid, "invalid"),
                of(Outcome::Refused, "refused"),
                of(Outcome::TimedOut, "timedOut"),
                of(Outcome::Cancelled, "cancelled"),
                of(Outcome::Failed, "failed"),
            ],
            times: metrics.histogram("henge_sql_seconds", help, &[]),
            native_queries: metrics.counter(
                "henge_sql_native_queries_total",
                "Native queries that statements asked.",
                &[],
            ),
        }
    }

    pub(super) fn count(&self, outcome: Outcome, took: Duration, native_queries: u64) {
        let counter = self.outcomes.iter().find(|(known, _)| *known == outcome);
        counter.into_iter().for_each(|(_, counter)| counter.add(1));
        if outcome == Outcome::Success {
            self.times.observe(took);
        }
        self.native_queries.add(native_queries);
    }
}
