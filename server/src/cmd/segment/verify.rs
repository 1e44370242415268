//! `henge segment verify`: one line a file, and exit code 1 when one of them is corrupt.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use henge_segment::VerifyReport;

use super::{VerifyArgs, find_segments, open};
use crate::cmd::output::{counted, say, size};

pub(super) fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let paths = find_segments(&args.paths)?;
    let (mut bad, mut rows, mut size_bytes) = (0, 0, 0);
    for path in &paths {
        match verify(path) {
            Ok(report) => {
                rows += report.row_count as u64;
                size_bytes += report.size_bytes;
                say(format!("OK       {}  {}", path.display(), figures(&report)))?;
            }
            Err(error) => {
                bad += 1;
                say(format!("CORRUPT  {}  {error:#}", path.display()))?;
            }
        }
    }
    if paths.len() > 1 {
        let (files, good) = (paths.len() as u64, paths.len() as u64 - bad);
        let whole = format!("{}, {}", counted(rows, "row"), size(size_bytes));
        say(format!("{}: {good} OK ({whole}), {bad} corrupt", counted(files, "file")))?;
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verify(path: &Path) -> Result<VerifyReport> {
    Ok(open(path)?.verify()?)
}

fn figures(report: &VerifyReport) -> String {
    format!(
        "{}, {}, {}, {} with checksums",
        counted(report.row_count as u64, "row"),
        counted(report.column_count as u64, "column"),
        size(report.size_bytes),
        counted(report.piece_count as u64, "piece"),
    )
}

#[cfg(test)]
mod tests {
    use henge_segment::{ColumnData, SegmentWriter, WriteOptions};
    use henge_types::{
        ColumnRole, ColumnSchema, ColumnType, Granularity, Interval, SegmentId, SegmentSchema,
        TIME_COLUMN, Version,
    };

    use super::*;

    fn write_segment(path: &Path) {
        let schema = SegmentSchema {
            columns: vec![ColumnSchema {
                name: TIME_COLUMN.to_owned(),
                column_type: ColumnType::Long,
                role: ColumnRole::Time,
                multi_value: false,
                has_nulls: false,
            }],
            metrics: Vec::new(),
            rollup: false,
            query_granularity: Granularity::None,
        };
        let interval = Interval { start_ms: 0, end_ms: 86_400_000 };
        let id = SegmentId::new("t", interval, Version(1), 0);
        let times: Vec<i64> = (0..1_000).map(|row| row * row).collect();
        let options = WriteOptions::default();
        let mut writer = SegmentWriter::new(Vec::new(), id, schema, times.len(), options).unwrap();
        writer.write_column(TIME_COLUMN, ColumnData::Long { values: &times, nulls: None }).unwrap();
        let (_, bytes) = writer.finish_into().unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_whole_segment_is_ok_and_a_flipped_bit_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("one.segment");
        write_segment(&path);
        assert_eq!(verify(&path).unwrap().row_count, 1_000);
        let args = VerifyArgs { paths: vec![dir.path().to_owned()] };
        assert_eq!(run(&args).unwrap(), ExitCode::SUCCESS);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(verify(&path).is_err());
        assert_eq!(run(&args).unwrap(), ExitCode::FAILURE);
    }
}
