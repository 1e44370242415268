//! Finished answers as clients read them: an [`Answer`]'s columns as Druid's JSON or as Arrow.
//!
//! Pure: bytes are appended to a buffer, and whoever owns the buffer is told how long it is.

mod arrow;
mod json;

use arrow_array::RecordBatch;
use henge_exec::{Answer, Result};
use henge_query::Query;

/// What an answer is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Druid's JSON of the query's type, without spaces.
    #[default]
    Json,
    /// The same with line breaks and indents.
    IndentedJson,
    /// An Arrow IPC stream.
    Arrow,
}

/// Told the length of the bytes as they grow; may stop it.
pub type Grow<'g> = dyn FnMut(usize) -> Result<()> + 'g;

/// Appends the answer to a query. `grow` is given the length after each row, or before and after each
/// record batch: the bytes may be many times the answer, in which long values stand once.
///
/// # Errors
/// Whatever `grow` fails with, and when the answer is another query's; what was written is then of no
/// use.
pub fn write(
    query: &Query,
    answer: &Answer,
    form: Form,
    out: &mut Vec<u8>,
    grow: &mut Grow<'_>,
) -> Result<()> {
    match form {
        Form::Json => json::write(query, answer, false, out, grow),
        Form::IndentedJson => json::write(query, answer, true, out, grow),
        Form::Arrow => arrow::write(query, answer, out, grow),
    }
}

/// The rows of an answer as Arrow record batches, for those who go on computing with them: none when it has
/// no rows. Types are those of [`Form::Arrow`], and known also where all values are null, as far as the query
/// says; the time of buckets is named `timestamp`, as in JSON. `grow` is given roughly the bytes of all
/// batches so far, before each is made.
///
/// # Errors
/// Whatever `grow` fails with, when two columns have one name, and for segmentMetadata, which has no plain rows.
pub fn to_batches(query: &Query, answer: &Answer, grow: &mut Grow<'_>) -> Result<Vec<RecordBatch>> {
    arrow::batches(query, answer, grow)
}

/// The answer as compact JSON, however long.
///
/// # Errors
/// When the answer is another query's.
pub fn to_json(query: &Query, answer: &Answer) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    write(query, answer, Form::Json, &mut out, &mut |_| Ok(()))?;
    Ok(out)
}
