//! [`World`]: the catalogue and the source of one process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use henge_index::IndexSnapshot;
use henge_segment::SegmentView;
use henge_sql::{Catalog, Column, LookupEntries, NativeAnswer, NativeQuery, Result, Source, Table};
use serde_json::Value;

use crate::datasets;
use crate::support::native;

/// Datasets, read when they are first asked for.
#[derive(Debug)]
pub(crate) struct World {
    folder: PathBuf,
    names: Vec<String>,
    segments: Mutex<HashMap<String, Arc<IndexSnapshot>>>,
    lookups: HashMap<String, LookupEntries>,
    asked: Mutex<Vec<Value>>,
}

impl World {
    pub(crate) fn new(folder: &Path) -> Self {
        let text = std::fs::read(folder.join("datasets/lookups.json")).unwrap_or_default();
        let lookups: HashMap<String, HashMap<String, Option<String>>> =
            serde_json::from_slice(&text).unwrap_or_default();
        let lookups = lookups.into_iter().map(|(name, map)| (name, map.into_iter().collect()));
        Self {
            folder: folder.to_owned(),
            names: datasets::names(folder),
            segments: Mutex::default(),
            lookups: lookups.collect(),
            asked: Mutex::default(),
        }
    }

    /// The native queries since the last call.
    pub(crate) fn take_asked(&self) -> Vec<Value> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn segment(&self, name: &str) -> Option<Arc<IndexSnapshot>> {
        if !self.names.iter().any(|known| known == name) {
            return None;
        }
        let mut segments = self.segments.lock().unwrap();
        let load = || datasets::load(&self.folder, name);
        Some(Arc::clone(segments.entry(name.to_owned()).or_insert_with(load)))
    }
}

impl Catalog for World {
    fn version(&self) -> u64 {
        1
    }

    fn table_names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        let segment = self.segment(name)?;
        let columns = segment.schema().columns.iter().map(|column| Column {
            name: column.name.clone(),
            column_type: column.column_type.clone(),
            multi_value: column.multi_value,
        });
        Some(Arc::new(Table { name: name.to_owned(), columns: columns.collect() }))
    }

    fn lookup_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.lookups.keys().cloned().collect();
        names.sort();
        names
    }

    fn lookup(&self, name: &str) -> Option<LookupEntries> {
        self.lookups.get(name).cloned()
    }
}

#[async_trait]
impl Source for World {
    async fn ask(&self, query: NativeQuery) -> Result<NativeAnswer> {
        self.asked.lock().unwrap().push(query.json.clone());
        native::answer(&query, |parsed| {
            let names = parsed.base().data_source.table_names().into_iter();
            names.filter_map(|name| Some(self.segment(name)? as Arc<dyn SegmentView>)).collect()
        })
    }

    async fn ask_over(
        &self,
        query: NativeQuery,
        schema: SchemaRef,
        rows: Vec<RecordBatch>,
    ) -> Result<NativeAnswer> {
        self.asked.lock().unwrap().push(query.json.clone());
        native::answer_over(&query, &schema, &rows)
    }

    async fn system_rows(&self, _: &str) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }
}
