//! [`AnswerSql`]: who plans and runs statements for drivers.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use henge_sql::{Result, SqlAnswer, SqlColumn, SqlRequest};
use henge_types::Interval;

use crate::sql::Division;
use crate::{Answered, Sql};

/// What is known of a statement that was not run.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// The columns of its answer.
    pub(crate) columns: Vec<SqlColumn>,
    /// Its parameters, in order.
    pub(crate) parameters: Vec<SqlColumn>,
}

/// Plans, runs and cancels statements.
#[async_trait]
pub(crate) trait AnswerSql: Debug + Send + Sync {
    /// Plans a statement.
    ///
    /// # Errors
    /// When it is wrong.
    async fn prepare(&self, request: SqlRequest) -> Result<Prepared>;

    /// Runs a statement under the id that its context has as `sqlQueryId`. Dropping the answer stops it.
    ///
    /// # Errors
    /// When it is wrong, or fails before its first row.
    async fn run(&self, request: SqlRequest) -> Result<SqlAnswer>;

    /// Divides a large scan by time, so that its parts can be fetched beside each other.
    ///
    /// # Errors
    /// When the statement cannot be planned.
    async fn divide(&self, request: SqlRequest) -> Result<Division>;

    /// Runs the part of a statement that lies in an interval, as [`AnswerSql::run`] runs the whole.
    ///
    /// # Errors
    /// As [`AnswerSql::run`], and when the statement is none that has parts.
    async fn run_part(&self, request: SqlRequest, part: Interval) -> Result<SqlAnswer>;

    /// Stops the statements with this id; one that nobody knows is ignored.
    async fn cancel(&self, sql_query_id: &str);
}

#[async_trait]
impl AnswerSql for Arc<Sql> {
    async fn prepare(&self, request: SqlRequest) -> Result<Prepared> {
        let (columns, parameters) = Sql::prepare(self, request).await?;
        Ok(Prepared { columns, parameters })
    }

    async fn run(&self, request: SqlRequest) -> Result<SqlAnswer> {
        let answered = Sql::run(self, request).await.map_err(|failure| failure.error)?;
        Ok(whole(answered))
    }

    async fn divide(&self, request: SqlRequest) -> Result<Division> {
        Sql::divide(self, request).await
    }

    async fn run_part(&self, request: SqlRequest, part: Interval) -> Result<SqlAnswer> {
        let answered = Sql::run_part(self, request, Some(part)).await;
        Ok(whole(answered.map_err(|failure| failure.error)?))
    }

    async fn cancel(&self, sql_query_id: &str) {
        // One that is not known has ended.
        let _ = Sql::cancel(self, sql_query_id);
    }
}

/// An answer that is not partial in silence.
fn whole(answered: Answered) -> SqlAnswer {
    let Answered { columns, batches, context, .. } = answered.whole();
    SqlAnswer { columns, batches, context }
}
