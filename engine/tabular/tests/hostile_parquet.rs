//! Damaged and hostile Parquet files: an error that says what is wrong, and nothing else.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use henge_tabular::{ParquetTable, Result, TabularError, WantedField};
use parquet::basic::Compression;
use support::{DEFAULT, Layout, Plain, parquet, required, texts};

const SCHEMA: &str = "message m { required int64 t; required binary w (STRING); }";

fn sample(compression: Compression) -> Vec<u8> {
    let words: Vec<String> = (0..200).map(|row| format!("word {}", row % 30)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let columns = vec![required(Plain::Int64((0..200).collect())), required(texts(&words))];
    parquet(SCHEMA, &[columns], Layout { compression, ..DEFAULT })
}

/// Reads everything; gives the number of rows.
fn read(file: &[u8]) -> Result<usize> {
    let table = ParquetTable::open(Arc::new(Bytes::copy_from_slice(file)))?;
    let wanted = ["t", "w"].map(|name| WantedField { name: name.into(), as_text: name == "w" });
    let mut reader = table.read(&wanted, false);
    let mut rows = 0;
    while let Some(batch) = reader.next_batch()? {
        rows += batch.row_count;
    }
    Ok(rows)
}

#[test]
fn h_01_files_of_other_formats_are_named() {
    for file in [&b""[..], b"PAR1", b"{\"a\":1}\n{\"a\":2}\n", &[0; 64]] {
        let error = read(file).unwrap_err();
        assert!(matches!(error, TabularError::Corrupt(_)), "{error}");
        assert!(error.to_string().contains("not a Parquet file"), "{error}");
    }
}

#[test]
fn h_02_truncated_files_are_refused() {
    let file = sample(Compression::UNCOMPRESSED);
    assert_eq!(read(&file).unwrap(), 200);
    for length in (0..file.len()).step_by(7) {
        assert!(read(&file[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn h_15_declared_lengths_beyond_the_file_are_refused() {
    let mut file = sample(Compression::UNCOMPRESSED);
    let at = file.len() - 8;
    file[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = read(&file).unwrap_err();
    assert!(error.to_string().contains("4294967295 bytes"), "{error}");
}

/// Every byte changed, one at a time: the library may find wrong values or fail, with an error or,
/// where it does not check, with a panic that the role's pool contains; but memory stays flat and
/// nothing of ours panics while opening.
#[test]
fn h_15_flipped_bytes_end_in_errors_or_values() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for compression in [Compression::UNCOMPRESSED, Compression::ZSTD(Default::default())] {
        let file = sample(compression);
        for at in 0..file.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = file.clone();
                damaged[at] ^= change;
                let outcome = catch_unwind(AssertUnwindSafe(|| read(&damaged)));
                if let Ok(Ok(rows)) = outcome {
                    assert!(rows <= 1 << 20, "{rows} rows from a small file");
                }
            }
        }
    }
    std::panic::set_hook(hook);
}

#[test]
fn h_01_damaged_structs_are_errors_or_rows() {
    let schema = "message m { required int64 t; optional group w { optional group l (LIST) {
        repeated group list { optional int32 element; } } } }";
    let list = support::Column {
        values: Plain::Int32((0..100).collect()),
        definitions: Some(vec![4; 100]),
        repetitions: Some((0..100).map(|at| i16::from(at % 3 > 0)).collect()),
    };
    let columns = vec![required(Plain::Int64((0..34).collect())), list];
    let file = parquet(schema, &[columns], DEFAULT);
    assert_eq!(read(&file).unwrap(), 34);
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x55;
        // The library may panic, which the role's CPU pool makes an error of.
        let _ = std::panic::catch_unwind(|| read(&damaged));
    }
}

#[test]
fn h_08_text_that_is_not_utf_8_is_refused_by_column() {
    let columns =
        vec![required(Plain::Int64(vec![1])), required(Plain::Bytes(vec![vec![b'a', 0xff]]))];
    let error = read(&parquet(SCHEMA, &[columns], DEFAULT)).unwrap_err();
    assert!(error.to_string().contains("'w'"), "{error}");
}
