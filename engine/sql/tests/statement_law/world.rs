//! [`World`]: two tables of drawn rows, the first in several segments, and their catalogue.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use henge_answer::Form;
use henge_exec::{ExecContext, ExecError, finalise, merge, run};
use henge_inline::{InlineSegment, rows_of_batches};
use henge_query::Query;
use henge_sql::{Catalog, Column, NativeAnswer, NativeQuery, Result, Source, SqlError, Table};
use henge_types::ColumnType;

use crate::draw::Draw;

/// 2000-01-01, ms.
const START_MS: i64 = 946_684_800_000;
const MINUTE_MS: i64 = 60_000;

const TEXTS: [Option<&str>; 9] =
    [None, None, Some(""), Some("a"), Some("ab"), Some("B"), Some("ü"), Some("10"), Some("-2.5")];

/// The tables `t` and `u`.
#[derive(Debug)]
pub(crate) struct World {
    t: Vec<InlineSegment>,
    u: Vec<InlineSegment>,
}

impl World {
    /// Rows that follow from `seed`.
    pub(crate) fn drawn(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let segments = 1 + draw.below(3);
        let t = (0..segments).map(|_| facts(&mut draw)).collect();
        Self { t, u: vec![names(&mut draw)] }
    }

    fn answer(&self, query: &NativeQuery, rows: Option<InlineSegment>) -> Result<NativeAnswer> {
        let parsed = Query::from_value(&query.json)
            .map_err(|error| SqlError::new(error.class(), format!("{error} in {}", query.json)))?;
        let failed =
            |error: ExecError| SqlError::new(error.class(), format!("{error} in {}", query.json));
        let segments: Vec<InlineSegment> = match rows {
            Some(rows) => vec![rows],
            None => {
                let names = parsed.base().data_source.table_names();
                names
                    .iter()
                    .flat_map(|name| if *name == "t" { &self.t } else { &self.u })
                    .cloned()
                    .collect()
            }
        };
        let context = ExecContext::default();
        let partials = segments.iter().map(|rows| run(&parsed, &rows.for_query(&parsed), &context));
        let partials = partials.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
        let merged = merge(&parsed, partials, &context).map_err(failed)?;
        let answer = finalise(&parsed, merged, &context).map_err(failed)?;
        let mut bytes = Vec::new();
        henge_answer::write(&parsed, &answer, Form::Arrow, &mut bytes, &mut |_| Ok(()))
            .map_err(failed)?;
        let reader = StreamReader::try_new(bytes.as_slice(), None).unwrap();
        let batches = reader.collect::<std::result::Result<_, _>>().unwrap();
        Ok(NativeAnswer { batches, ..NativeAnswer::default() })
    }
}

fn facts(draw: &mut Draw) -> InlineSegment {
    let rows = 5 + draw.below(40);
    let mut texts =
        || -> ArrayRef { Arc::new((0..rows).map(|_| *draw.one(&TEXTS)).collect::<StringArray>()) };
    let (country, city) = (texts(), texts());
    let times = (0..rows).map(|_| START_MS + draw.below(60 * 24 * 70) as i64 * MINUTE_MS);
    let times = times.collect::<Vec<_>>();
    let added = (0..rows).map(|_| match draw.below(8) {
        0 => None,
        1 => Some(i64::MAX - draw.below(3) as i64),
        _ => Some(draw.below(20) as i64 - 5),
    });
    let added = added.collect::<Int64Array>();
    // Quarters: their sums are exact, in whatever order they are added.
    let mut quarters = || (draw.below(6) > 0).then(|| draw.below(80) as f64 / 4.0 - 5.0);
    let price = (0..rows).map(|_| quarters()).collect::<Float64Array>();
    let ratio = (0..rows).map(|_| quarters().map(|quarter| quarter as f32));
    let ratio = ratio.collect::<Float32Array>();
    segment(vec![
        ("__time", Arc::new(TimestampMillisecondArray::from(times))),
        ("country", country),
        ("city", city),
        ("added", Arc::new(added)),
        ("price", Arc::new(price)),
        ("ratio", Arc::new(ratio)),
    ])
}

fn names(draw: &mut Draw) -> InlineSegment {
    let rows = 3 + draw.below(8);
    let times = vec![START_MS; rows as usize];
    let keys = (0..rows).map(|_| *draw.one(&TEXTS)).collect::<StringArray>();
    let numbers = (0..rows).map(|_| draw.below(9) as i64 - 3).collect::<Int64Array>();
    segment(vec![
        ("__time", Arc::new(TimestampMillisecondArray::from(times))),
        ("k", Arc::new(keys)),
        ("n", Arc::new(numbers)),
    ])
}

fn segment(columns: Vec<(&str, ArrayRef)>) -> InlineSegment {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, values)| (name, values, true)),
    );
    let batch = batch.unwrap();
    let schema: Schema = batch.schema().as_ref().clone();
    rows_of_batches(&schema, &[batch], None).unwrap()
}

impl Catalog for World {
    fn version(&self) -> u64 {
        1
    }

    fn table_names(&self) -> Vec<String> {
        vec!["t".to_owned(), "u".to_owned()]
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        use ColumnType::{Double, Float, Long, String};
        let columns = match name {
            "t" => vec![
                ("__time", Long),
                ("country", String),
                ("city", String),
                ("added", Long),
                ("price", Double),
                ("ratio", Float),
            ],
            "u" => vec![("__time", Long), ("k", String), ("n", Long)],
            _ => return None,
        };
        let columns = columns.into_iter().map(|(name, column_type)| Column {
            name: name.to_owned(),
            column_type,
            multi_value: false,
        });
        Some(Arc::new(Table { name: name.to_owned(), columns: columns.collect() }))
    }

    fn lookup_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn lookup(&self, _: &str) -> Option<Arc<[(String, Option<String>)]>> {
        None
    }
}

#[async_trait]
impl Source for World {
    async fn ask(&self, query: NativeQuery) -> Result<NativeAnswer> {
        self.answer(&query, None)
    }

    async fn ask_over(
        &self,
        query: NativeQuery,
        schema: SchemaRef,
        rows: Vec<RecordBatch>,
    ) -> Result<NativeAnswer> {
        let rows = rows_of_batches(&schema, &rows, None)
            .map_err(|error| SqlError::new(error.class(), error.to_string()))?;
        self.answer(&query, Some(rows))
    }

    async fn system_rows(&self, _: &str) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }
}
