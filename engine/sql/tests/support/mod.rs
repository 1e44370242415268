//! Catalogues that are lists of tables, and sources that give the same rows to whoever asks; for the tests of the
//! package, those beside its code included, and for its examples.

#![allow(dead_code, reason = "each of those who share it uses a part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

pub(crate) mod native;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use henge_sql::{
    Catalog, Column, LookupEntries, NativeAnswer, NativeQuery, Result, Source, SqlRequest, Table,
};
use henge_types::ColumnType;

/// A catalogue that never changes.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    tables: Vec<Arc<Table>>,
    lookups: Vec<(String, LookupEntries)>,
    looked_up: AtomicUsize,
}

impl Tables {
    /// These datasources, in the order of their names.
    pub(crate) fn of(tables: impl IntoIterator<Item = Table>) -> Self {
        Self { tables: tables.into_iter().map(Arc::new).collect(), ..Self::default() }
    }

    /// With a lookup of one entry.
    pub(crate) fn and_lookup(mut self, name: &str, key: &str, value: &str) -> Self {
        let entries = [(key.to_owned(), Some(value.to_owned()))];
        self.lookups.push((name.to_owned(), Arc::from(entries)));
        self
    }

    /// How often a datasource was asked for.
    pub(crate) fn looked_up(&self) -> usize {
        self.looked_up.load(Ordering::Relaxed)
    }
}

impl Catalog for Tables {
    fn version(&self) -> u64 {
        1
    }

    fn table_names(&self) -> Vec<String> {
        self.tables.iter().map(|table| table.name.clone()).collect()
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        self.tables.iter().find(|table| table.name == name).cloned()
    }

    fn lookup_names(&self) -> Vec<String> {
        self.lookups.iter().map(|(name, _)| name.clone()).collect()
    }

    fn lookup(&self, name: &str) -> Option<LookupEntries> {
        let found = self.lookups.iter().find(|(known, _)| known == name);
        found.map(|(_, entries)| Arc::clone(entries))
    }
}

/// A datasource of `__time` and these columns.
pub(crate) fn table(name: &str, columns: impl IntoIterator<Item = Column>) -> Table {
    let columns = std::iter::once(column("__time", ColumnType::Long)).chain(columns);
    Table { name: name.to_owned(), columns: columns.collect() }
}

/// A column of one value a row.
pub(crate) fn column(name: &str, column_type: ColumnType) -> Column {
    Column { name: name.to_owned(), column_type, multi_value: false }
}

/// A column of texts.
pub(crate) fn text(name: &str) -> Column {
    column(name, ColumnType::String)
}

/// A column of whole numbers.
pub(crate) fn long(name: &str) -> Column {
    column(name, ColumnType::Long)
}

/// A column of several texts a row.
pub(crate) fn texts(name: &str) -> Column {
    Column { multi_value: true, ..text(name) }
}

/// A source whose answer to each native query is a function's; system tables have these rows.
pub(crate) struct Answers<F> {
    answer: F,
    system: Vec<RecordBatch>,
}

impl<F> Answers<F>
where
    F: Fn(&NativeQuery) -> Result<Vec<RecordBatch>> + Send + Sync,
{
    /// What a function answers.
    pub(crate) fn by(answer: F) -> Self {
        Self { answer, system: Vec::new() }
    }

    /// The same, with rows in the system tables.
    pub(crate) fn and_system(self, rows: RecordBatch) -> Self {
        Self { system: vec![rows], ..self }
    }
}

/// A source without rows.
pub(crate) fn no_rows() -> Arc<dyn Source> {
    Arc::new(Answers::by(|_| Ok(Vec::new())))
}

impl<F> fmt::Debug for Answers<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

#[async_trait]
impl<F> Source for Answers<F>
where
    F: Fn(&NativeQuery) -> Result<Vec<RecordBatch>> + Send + Sync,
{
    async fn ask(&self, query: NativeQuery) -> Result<NativeAnswer> {
        Ok(NativeAnswer { batches: (self.answer)(&query)?, ..NativeAnswer::default() })
    }

    async fn ask_over(
        &self,
        query: NativeQuery,
        _: SchemaRef,
        _: Vec<RecordBatch>,
    ) -> Result<NativeAnswer> {
        self.ask(query).await
    }

    async fn system_rows(&self, _: &str) -> Result<Vec<RecordBatch>> {
        Ok(self.system.clone())
    }
}

/// Each row as text, with this between its cells.
pub(crate) fn lines(batch: &RecordBatch, between: &str) -> Vec<String> {
    let options = FormatOptions::new().with_null("null");
    let columns = batch.columns().iter();
    let columns: Vec<ArrayFormatter<'_>> =
        columns.map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let cell = |column: &ArrayFormatter<'_>, row| match column.value(row).to_string().as_str() {
        "-0.0" => "0.0".to_owned(),
        text => text.to_owned(),
    };
    let line = |row| columns.iter().map(|column| cell(column, row)).collect::<Vec<_>>();
    (0..batch.num_rows()).map(|row| line(row).join(between)).collect()
}

/// A statement without context and parameters.
pub(crate) fn request(text: &str) -> SqlRequest {
    SqlRequest { text: text.to_owned(), ..SqlRequest::default() }
}
