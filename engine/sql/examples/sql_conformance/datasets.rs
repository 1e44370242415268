//! The datasets of a conformance folder, each as one segment in memory.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use henge_index::{DimensionSchema, IndexLimits, IndexSnapshot, WriteIndex};
use henge_ingest::{
    ParseLimits, RejectReason, Rejection, RowError, RowParser, RowSink, index_schema,
};
use henge_query::ingest::DataSchema;
use henge_types::{Interval, SegmentId, ValueRef, Version};
use serde_json::Value;

/// Tables whose columns need stored JSON or stored arrays.
const BEYOND: [&str; 5] = ["arrays", "nested", "all_auto", "all_auto_realtime", "larry"];

/// Whether a case needs stored JSON, stored arrays or lookups.
pub(crate) fn needs_more(case: &Value) -> bool {
    let tables = case["dataset"].as_str().unwrap_or_default();
    let features = case["features"].as_array().cloned().unwrap_or_default();
    tables.split(',').any(|table| BEYOND.contains(&table.trim()))
        || features.iter().any(|feature| feature == "needs:lookup")
}

/// The names of the datasets, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder.join("datasets")).unwrap();
    let name = |file: std::ffi::OsString| {
        file.to_str().and_then(|name| name.strip_suffix(".spec.json")).map(str::to_owned)
    };
    let mut names: Vec<String> =
        files.filter_map(|entry| name(entry.unwrap().file_name())).collect();
    names.sort();
    names
}

/// Reads a dataset.
pub(crate) fn load(folder: &Path, name: &str) -> Arc<IndexSnapshot> {
    let folder = folder.join("datasets");
    let spec: Value =
        serde_json::from_slice(&std::fs::read(folder.join(format!("{name}.spec.json"))).unwrap())
            .unwrap();
    let mut schema = spec.clone();
    if let Some(members) = schema.as_object_mut() {
        members.retain(|name, _| {
            [
                "dataSource",
                "timestampSpec",
                "dimensionsSpec",
                "metricsSpec",
                "granularitySpec",
                "transformSpec",
            ]
            .contains(&name.as_str())
        });
    }
    let schema =
        Arc::new(DataSchema::from_value(&schema).unwrap_or_else(|error| panic!("{name}: {error}")));
    let mut parser = RowParser::new(Arc::clone(&schema), ParseLimits::default()).unwrap();
    let mut rows = Rows {
        schema,
        index: None,
        dimensions: parser.dimensions().to_vec(),
        kept: Vec::new(),
        rejected: None,
    };
    for file in spec["files"].as_array().into_iter().flatten() {
        let body = read(&folder.join(file.as_str().unwrap_or_default()));
        parser.parse_batch(&body, &mut rows).unwrap();
    }
    if let Some(reason) = &rows.rejected {
        println!("{name}: rows were refused, the first of them because {reason}");
    }
    rows.finish(name)
}

fn read(file: &PathBuf) -> Vec<u8> {
    let bytes = std::fs::read(file).unwrap();
    if file.extension().is_some_and(|extension| extension == "gz") {
        let mut text = Vec::new();
        GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
        return text;
    }
    bytes
}

/// Takes the parser's rows into an index. Where columns are discovered it is begun anew with the columns found so
/// far, and what it had comes again.
struct Rows {
    schema: Arc<DataSchema>,
    index: Option<WriteIndex>,
    dimensions: Vec<DimensionSchema>,
    kept: Vec<(i64, Vec<Kept>)>,
    rejected: Option<RejectReason>,
}

/// A value of its own.
#[derive(Clone)]
enum Kept {
    Null,
    Long(i64),
    Double(f64),
    Text(String),
    Texts(Vec<Option<String>>),
    Bytes(Vec<u8>),
}

impl Rows {
    fn finish(mut self, name: &str) -> Arc<IndexSnapshot> {
        let limits = IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX };
        let mut index =
            WriteIndex::new(index_schema(&self.schema, &self.dimensions), limits).unwrap();
        let width = self.dimensions.len();
        let metrics = self.schema.metrics_spec.len();
        for (time_ms, values) in std::mem::take(&mut self.kept) {
            // Rows before a dimension was discovered lack it.
            let known = values.len() - metrics;
            let texts: Vec<Vec<Option<&str>>> = values.iter().map(Kept::parts).collect();
            let mut row: Vec<ValueRef<'_>> =
                values.iter().zip(&texts).map(|(value, texts)| value.as_ref(texts)).collect();
            for _ in known..width {
                row.insert(known, ValueRef::Null);
            }
            index.add(time_ms, &row).unwrap();
        }
        self.index = Some(index);
        let id = SegmentId::new(name, Interval::ETERNITY, Version(1), 0);
        self.index.as_mut().map(|index| index.snapshot(id)).unwrap()
    }
}

impl Kept {
    fn of(value: &ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Long(number) => Self::Long(*number),
            ValueRef::Double(number) => Self::Double(*number),
            ValueRef::String(text) => Self::Text((*text).to_owned()),
            ValueRef::Multi(texts) => {
                Self::Texts(texts.iter().map(|text| text.map(str::to_owned)).collect())
            }
            ValueRef::Complex(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }

    fn parts(&self) -> Vec<Option<&str>> {
        match self {
            Self::Texts(texts) => texts.iter().map(Option::as_deref).collect(),
            _ => Vec::new(),
        }
    }

    fn as_ref<'a>(&'a self, texts: &'a [Option<&'a str>]) -> ValueRef<'a> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Long(number) => ValueRef::Long(*number),
            Self::Double(number) => ValueRef::Double(*number),
            Self::Text(text) => ValueRef::String(text),
            Self::Texts(_) => ValueRef::Multi(texts),
            Self::Bytes(bytes) => ValueRef::Complex(bytes),
        }
    }
}

impl RowSink for Rows {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.kept.push((timestamp_ms, values.iter().map(Kept::of).collect()));
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        self.rejected.get_or_insert(rejection.reason);
    }

    fn new_dimension(&mut self, dimension: &DimensionSchema) {
        self.dimensions.push(dimension.clone());
    }

    fn restart(&mut self, dimensions: &[DimensionSchema]) -> Result<(), RowError> {
        self.kept.clear();
        self.dimensions = dimensions.to_vec();
        Ok(())
    }
}
