//! AnswerSql for tests: each text answers the batches that it was given.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream;
use henge_sql::{Result, SqlAnswer, SqlColumn, SqlError, SqlRequest};
use henge_types::Interval;
use parking_lot::Mutex;

use super::{AnswerSql, Prepared};
use crate::sql::Division;

#[derive(Debug, Clone)]
struct Answer {
    prepared: Prepared,
    batches: Vec<RecordBatch>,
}

/// Knows what it was told, and remembers what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    answers: BTreeMap<String, Answer>,
    /// How every statement is divided.
    pub(crate) division: Division,
    /// The parts that were run.
    pub(crate) parts: Mutex<Vec<Interval>>,
    pub(crate) ran: Mutex<Vec<SqlRequest>>,
    pub(crate) cancelled: Mutex<Vec<String>>,
}

/// A column of an answer.
pub(crate) fn column(name: &str, sql_type: &str, array: &ArrayRef) -> SqlColumn {
    SqlColumn {
        name: name.to_owned(),
        field: Arc::new(Field::new(name, array.data_type().clone(), true)),
        sql_type: sql_type.to_owned(),
        native_type: String::new(),
    }
}

impl Fake {
    /// Answers a text with these columns, in batches of so many rows.
    pub(crate) fn on(
        mut self,
        text: &str,
        columns: Vec<(&str, &str, ArrayRef)>,
        parameters: &[&str],
        batch_rows: usize,
    ) -> Self {
        let fields: Vec<SqlColumn> =
            columns.iter().map(|(name, sql_type, array)| column(name, sql_type, array)).collect();
        let schema =
            Schema::new(fields.iter().map(|one| Arc::clone(&one.field)).collect::<Vec<_>>());
        let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, _, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(schema), arrays).unwrap();
        let starts = (0..batch.num_rows()).step_by(batch_rows);
        let slice = |start| batch.slice(start, batch_rows.min(batch.num_rows() - start));
        let parameters = parameters
            .iter()
            .map(|sql_type| SqlColumn { sql_type: (*sql_type).to_owned(), ..fields[0].clone() });
        let prepared = Prepared { parameters: parameters.collect(), columns: fields };
        let batches = starts.map(slice).collect();
        self.answers.insert(text.to_owned(), Answer { prepared, batches });
        self
    }

    fn answer(&self, text: &str) -> Result<Answer> {
        let known = self.answers.get(text).cloned();
        known.ok_or_else(|| SqlError::invalid(format!("no answer to: {text}")).at(1, 8))
    }
}

#[async_trait]
impl AnswerSql for Fake {
    async fn prepare(&self, request: SqlRequest) -> Result<Prepared> {
        Ok(self.answer(&request.text)?.prepared)
    }

    async fn run(&self, request: SqlRequest) -> Result<SqlAnswer> {
        let Answer { prepared, batches } = self.answer(&request.text)?;
        let context = request.context.clone();
        self.ran.lock().push(request);
        let batches = stream::iter(batches.into_iter().map(Ok)).boxed();
        Ok(SqlAnswer { columns: prepared.columns, batches, context })
    }

    async fn divide(&self, request: SqlRequest) -> Result<Division> {
        self.answer(&request.text)?;
        Ok(self.division.clone())
    }

    async fn run_part(&self, request: SqlRequest, part: Interval) -> Result<SqlAnswer> {
        self.parts.lock().push(part);
        self.run(request).await
    }

    async fn cancel(&self, sql_query_id: &str) {
        self.cancelled.lock().push(sql_query_id.to_owned());
    }
}
