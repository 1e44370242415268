//! Native queries over segments of this process.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_schema::SchemaRef;
use henge_answer::Form;
use henge_exec::{ExecContext, ExecError, finalise, merge, run};
use henge_inline::rows_of_batches;
use henge_query::Query;
use henge_segment::SegmentView;
use henge_sql::{NativeAnswer, NativeQuery, Result, SqlError};

/// The answer over the segments that a function gives for the query.
pub(crate) fn answer(
    query: &NativeQuery,
    segments: impl FnOnce(&Query) -> Vec<Arc<dyn SegmentView>>,
) -> Result<NativeAnswer> {
    let parsed = Query::from_value(&query.json)
        .map_err(|error| SqlError::new(error.class(), format!("{error} in {}", query.json)))?;
    let failed =
        |error: ExecError| SqlError::new(error.class(), format!("{error} in {}", query.json));
    let context = ExecContext::default();
    let segments = segments(&parsed);
    let partials = segments.iter().map(|segment| run(&parsed, segment.as_ref(), &context));
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

/// The answer over rows.
pub(crate) fn answer_over(
    query: &NativeQuery,
    schema: &SchemaRef,
    rows: &[RecordBatch],
) -> Result<NativeAnswer> {
    let rows = rows_of_batches(schema, rows, None)
        .map_err(|error| SqlError::new(error.class(), error.to_string()))?;
    answer(query, |parsed| vec![Arc::new(rows.for_query(parsed))])
}
