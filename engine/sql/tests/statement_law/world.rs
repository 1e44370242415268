//! [`World`]: two tables of drawn rows, the first in several segments, and their catalogue.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use henge_inline::{InlineSegment, rows_of_batches};
use henge_segment::SegmentView;
use henge_sql::{NativeAnswer, NativeQuery, Result, Source};
use henge_types::ColumnType;

use crate::draw::Draw;
use crate::support::{Tables, column, long, native, table, text};

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
}

/// The tables' columns.
pub(crate) fn catalogue() -> Tables {
    let numbers = [column("price", ColumnType::Double), column("ratio", ColumnType::Float)];
    let facts = [text("country"), text("city"), long("added")].into_iter().chain(numbers);
    Tables::of([table("t", facts), table("u", [text("k"), long("n")])])
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

#[async_trait]
impl Source for World {
    async fn ask(&self, query: NativeQuery) -> Result<NativeAnswer> {
        native::answer(&query, |parsed| {
            let names = parsed.base().data_source.table_names().into_iter();
            let segments = names.flat_map(|name| if name == "t" { &self.t } else { &self.u });
            let of_query =
                |rows: &InlineSegment| -> Arc<dyn SegmentView> { Arc::new(rows.for_query(parsed)) };
            segments.map(of_query).collect()
        })
    }

    async fn ask_over(
        &self,
        query: NativeQuery,
        schema: SchemaRef,
        rows: Vec<RecordBatch>,
    ) -> Result<NativeAnswer> {
        native::answer_over(&query, &schema, &rows)
    }

    async fn system_rows(&self, _: &str) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }
}
