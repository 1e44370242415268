//! SQL over this broker: the catalogue that its view feeds, native queries of statements, system tables, and the
//! life of a statement.
//!
//! | module | story |
//! | --- | --- |
//! | `catalog` | datasources and columns, by announcements |
//! | `source`, `over` | native queries of statements over datasources, and over rows at hand |
//! | `system`, `cluster` | `sys` tables, and what somebody else has to tell for them |
//! | `statements` | what is at work: names, deadlines, what native queries told and hold |
//! | `planning` | where statements are planned: threads of their own, with so many places |
//! | `divide`, `boundaries` | large scans in parts by time, for clients that fetch them beside each other |
//! | `run`, `context` | from a statement to its rows: bounds, deadline, cancellation, figures |
//! | `whole` | answers for drivers, which cannot tell that one is partial |
//! | `figures` | the numbers of all statements |

mod boundaries;
mod catalog;
mod cluster;
mod context;
mod divide;
mod figures;
mod over;
mod planning;
mod run;
mod source;
mod statements;
mod system;
mod whole;

use std::sync::Arc;

use henge_platform::runtime::{Clock, SideThreads};
use henge_platform::telemetry::Metrics;
use henge_sql::{SqlEngine, SqlOptions};

pub use cluster::{ClusterFacts, Process};
pub(crate) use divide::Division;
pub use run::{Answered, SqlFailure};
pub(crate) use statements::Statements;

use self::catalog::BrokerCatalog;
use self::figures::StatementFigures;
use self::planning::Planning;
use self::source::BrokerSource;
use crate::Broker;

/// What SQL needs beside the broker.
#[derive(Debug)]
pub struct SqlDependencies {
    /// What CURRENT_TIMESTAMP is.
    pub clock: Arc<dyn Clock>,
    /// What processes there are.
    pub cluster: Arc<dyn ClusterFacts>,
    /// Where figures are shown.
    pub metrics: Metrics,
    /// Where what is no native query is computed.
    pub threads: SideThreads,
    /// Where statements are planned: as many as may be planned at once.
    pub planners: SideThreads,
    /// Bounds of the engine.
    pub options: SqlOptions,
}

/// Answers statements: whoever takes them from clients, over whatever protocol, comes here.
#[derive(Debug)]
pub struct Sql {
    pub(crate) broker: Arc<Broker>,
    engine: Arc<SqlEngine>,
    planning: Planning,
    cluster: Arc<dyn ClusterFacts>,
    clock: Arc<dyn Clock>,
    threads: SideThreads,
    figures: StatementFigures,
}

impl Sql {
    /// SQL over a broker.
    #[must_use]
    pub fn new(broker: Arc<Broker>, dependencies: SqlDependencies) -> Self {
        let SqlDependencies { clock, cluster, metrics, threads, planners, options } = dependencies;
        let catalog = BrokerCatalog::new(Arc::clone(&broker));
        let source = BrokerSource {
            broker: Arc::clone(&broker),
            cluster: Arc::clone(&cluster),
            clock: Arc::clone(&clock),
        };
        let planning = Planning::new(planners, options.planners);
        let engine = Arc::new(SqlEngine::new(Arc::new(catalog), Arc::new(source), options));
        let figures = StatementFigures::new(&metrics);
        Self { broker, engine, planning, cluster, clock, threads, figures }
    }

    /// Stops the statements with this id; false when there is none.
    #[must_use]
    pub fn cancel(&self, sql_query_id: &str) -> bool {
        self.broker.statements.cancel(sql_query_id)
    }
}
