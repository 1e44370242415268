//! How answers of SQL are cut into pieces, and how one that breaks off ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::Int64Array;
use arrow_schema::{DataType, Field, Schema};
use henge_sql::SqlColumn;
use henge_sql::result::ResultFormat;

use super::*;

fn columns() -> Vec<SqlColumn> {
    vec![SqlColumn {
        name: "n".to_owned(),
        field: Arc::new(Field::new("n", DataType::Int64, true)),
        sql_type: "BIGINT".to_owned(),
        native_type: "LONG".to_owned(),
    }]
}

fn batch(rows: i64) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
    let values = Int64Array::from_iter_values(0..rows);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(values)]).unwrap()
}

/// An answer of `batches` batches of a thousand rows, and an error after them; counts those that were taken.
fn rows(batches: usize, fails: bool, takes_trailers: bool, taken: &Arc<AtomicUsize>) -> Rows {
    let layout = Layout { format: ResultFormat::ArrayLines, ..Layout::default() };
    let counter = Arc::clone(taken);
    let good = stream::iter(0..batches).map(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(batch(1_000))
    });
    let bad = fails.then(|| Err(SqlError::invalid("broken\nhalfway")));
    Rows {
        sql_query_id: "q".to_owned(),
        writer: Writer::new(&columns(), layout, Encoding::default()).unwrap(),
        out: Vec::new(),
        batch: None,
        batches: good.chain(stream::iter(bad)).boxed(),
        takes_trailers,
    }
}

/// The bytes of an answer, its trailers, and whether the connection was cut.
async fn all(rows: Rows) -> (Vec<u8>, Option<HeaderMap>, bool) {
    let (mut bytes, mut trailers, mut is_cut) = (Vec::new(), None, false);
    let mut pieces = Box::pin(pieces(rows));
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(Piece::Bytes(piece)) => bytes.extend_from_slice(&piece),
            Ok(Piece::Trailers(fields)) => trailers = Some(fields),
            Err(_) => is_cut = true,
        }
    }
    (bytes, trailers, is_cut)
}

#[tokio::test]
async fn a_whole_answer_ends_with_an_empty_line_and_says_so_in_trailers() {
    let taken = Arc::default();
    let (bytes, trailers, is_cut) = all(rows(3, false, false, &taken)).await;
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), 3_001);
    assert!(text.ends_with("[999]\n\n") && trailers.is_none() && !is_cut);
    let (bytes, trailers, is_cut) = all(rows(0, false, true, &taken)).await;
    assert_eq!((bytes.as_slice(), is_cut), (&b"\n"[..], false));
    assert_eq!(trailers.unwrap()[RESPONSE_COMPLETE], "true");
}

#[tokio::test]
async fn an_answer_that_breaks_off_cannot_be_taken_for_a_whole_one() {
    let taken = Arc::default();
    let (_, trailers, is_cut) = all(rows(1, true, false, &taken)).await;
    assert!(is_cut && trailers.is_none());
    let (bytes, trailers, is_cut) = all(rows(1, true, true, &taken)).await;
    assert!(!is_cut && bytes.ends_with(b"[999]\n") && !bytes.ends_with(b"\n\n"));
    let trailers = trailers.unwrap();
    assert_eq!(trailers[RESPONSE_COMPLETE], "false");
    assert_eq!(trailers[ERROR_MESSAGE], "broken halfway");
}

#[tokio::test]
async fn f_62_rows_are_made_when_they_are_asked_for() {
    let taken = Arc::new(AtomicUsize::new(0));
    let mut pieces = Box::pin(pieces(rows(1_000, false, false, &taken)));
    let Some(Ok(Piece::Bytes(first))) = pieces.next().await else { panic!("a piece") };
    assert!(first.len() < 2 * PIECE_BYTES, "{}", first.len());
    let after_first = taken.load(Ordering::Relaxed);
    assert!(after_first < 20, "{after_first}");
}

#[test]
fn trailers_are_for_those_who_take_them() {
    let takes = |te: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::TE, te.parse().unwrap());
        takes_trailers(&headers)
    };
    assert!(takes("trailers") && takes("gzip, Trailers"));
    assert!(!takes("gzip") && !takes_trailers(&HeaderMap::new()));
}
