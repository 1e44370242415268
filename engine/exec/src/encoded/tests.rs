//! Partials come back as they were, damaged bytes are refused, and what was written before is read.

use std::sync::Arc;

use henge_scan::ExecError;
use henge_sketch::{HllSketch, KllSketch, ThetaSketch};
use henge_types::{ColumnType, Interval, SegmentId, Version};
use henge_vector::{
    Column, Decimal128Array, ListsBuilder, NodeIds, Numbering, SegmentIds, Sketches, Text,
    TextValues, nulls_of,
};
use xxhash_rust::xxh3::xxh3_64;

use super::{HEADER_BYTES, VERSION};
use crate::bucket_starts::BucketStarts;
use crate::partial::{GroupedPartial, Partial};
use crate::partial_rows::{
    ColumnAnalysis, RowBatch, RowColumn, RowsPartial, SearchHit, SearchPartial, SegmentAnalysis,
};

fn groups(bucket_starts: BucketStarts) -> Partial {
    let (mut hll, mut theta, mut kll) = (
        HllSketch::hyper_unique().unwrap(),
        ThetaSketch::new(16).unwrap(),
        KllSketch::new(8).unwrap(),
    );
    hll.update_str("a");
    theta.update_str("a");
    kll.update_f64(0.5);
    let second_null = || nulls_of(2, |row| row == 0);
    let wide = Decimal128Array::from(vec![Some(-1), Some(1 << 70)]);
    Partial::Grouped(GroupedPartial {
        bucket_starts,
        keys: vec![
            Column::Text(Text::of([None, Some("éz")].into_iter())),
            Column::longs(vec![i64::MIN, 0], second_null()),
            Column::doubles(vec![f64::NAN, 1.5], None),
            Column::wide_floats(vec![0.1, 0.0], second_null()),
        ],
        states: vec![
            Column::longs(vec![1, i64::MAX], None),
            Column::Wide(wide.with_precision_and_scale(38, 0).unwrap()),
            Column::doubles(vec![0.1, 2.0], second_null()),
            Column::wide_floats(vec![0.1, 2.0], None),
            Column::from(Sketches::new(vec![Some(Box::new(hll)), None])),
            Column::from(Sketches::new(vec![None, Some(Box::new(theta))])),
            Column::from(Sketches::new(vec![Some(Box::new(kll)), None])),
        ],
        data_range_ms: vec![None, Some((1, 2))],
    })
}

fn segment(partition: u32) -> SegmentId {
    let day = Interval { start_ms: 0, end_ms: 86_400_000 };
    SegmentId::new("t", day, Version(1), partition)
}

fn rows() -> Partial {
    let (mut lists, mut values) = (ListsBuilder::default(), TextValues::default());
    let id = values.push("x");
    lists.push(id);
    lists.push(0);
    lists.end_row();
    lists.end_row();
    let column =
        |name: &str, column_type, values| RowColumn { name: Arc::from(name), column_type, values };
    let columns = vec![
        column("__time", Some(ColumnType::Long), Column::longs(vec![5, 4], None)),
        column("f", Some(ColumnType::Float), Column::floats(vec![0.1, 0.2], None)),
        column("tags", Some(ColumnType::String), Column::Lists(lists.finish(values))),
        column("missing", None, Column::Null(2)),
        column("v", None, Column::Mixed(vec![henge_expr::ExprValue::Null, 7.into()])),
    ];
    let ordered = RowBatch { segment: segment(0), columns, row_count: 2, time_ms: vec![5, 4] };
    let mut plain = RowBatch { segment: segment(1), time_ms: Vec::new(), ..ordered.clone() };
    plain.truncate(1);
    Partial::Rows(RowsPartial { batches: vec![ordered, plain] })
}

fn search() -> Partial {
    let hit = |dimension: &str, value: Option<&str>, count| SearchHit {
        bucket_start_ms: 3,
        dimension: dimension.into(),
        value: value.map(str::to_owned),
        count,
    };
    let hits = vec![hit("a", Some("x"), 1), hit("b", None, u64::MAX), hit("a", Some(""), 2)];
    Partial::Search(SearchPartial { hits, data_start_ms: Some(-1) })
}

fn analyses() -> Partial {
    let column = ColumnAnalysis {
        column_type: ColumnType::String,
        has_multiple_values: true,
        has_nulls: false,
        size_bytes: 7,
        cardinality: Some(2),
        min_value: Some("a".into()),
        max_value: None,
        error_message: None,
    };
    Partial::SegmentMetadata(vec![SegmentAnalysis {
        id: "merged".into(),
        intervals: Some(vec![Interval { start_ms: 0, end_ms: 1 }]),
        columns: vec![("c".into(), column)],
        size_bytes: 1,
        row_count: 2,
        aggregators: None,
        query_granularity: Some(henge_types::Granularity::All),
        rollup: Some(true),
        projections: Some([("p".to_owned(), (None, 3))].into()),
    }])
}

/// One of each kind.
fn every_kind() -> [(&'static str, Partial); 7] {
    [
        ("groups", groups(BucketStarts::At(vec![-1, 5]))),
        ("groups_of_all", groups(BucketStarts::All(2))),
        ("rows", rows()),
        ("search", search()),
        ("time_boundary", Partial::TimeBoundary { min_ms: Some(i64::MIN), max_ms: None }),
        ("analyses", analyses()),
        ("newest_event", Partial::DataSourceMetadata { max_ingested_event_time_ms: Some(9) }),
    ]
}

#[test]
fn partials_of_every_kind_come_back_as_they_were() {
    for (name, partial) in every_kind() {
        let bytes = partial.encode().unwrap();
        let read = Partial::decode(&bytes).unwrap();
        assert_eq!(read.encode().unwrap(), bytes, "{name}");
        match (&partial, &read) {
            (Partial::Grouped(a), Partial::Grouped(b)) => {
                assert_eq!(a.bucket_starts, b.bucket_starts);
                assert_eq!(a.data_range_ms, b.data_range_ms);
                assert_eq!((a.keys.len(), a.states.len()), (b.keys.len(), b.states.len()));
            }
            (Partial::Rows(a), Partial::Rows(b)) => {
                assert_eq!(a.batches.len(), b.batches.len());
                for (a, b) in a.batches.iter().zip(&b.batches) {
                    assert_eq!((a.row_count, &a.time_ms), (b.row_count, &b.time_ms));
                    assert_eq!(a.segment, b.segment);
                    let names = |batch: &RowBatch| -> Vec<_> {
                        let columns = batch.columns.iter();
                        columns.map(|c| (c.name.clone(), c.column_type.clone())).collect()
                    };
                    assert_eq!(names(a), names(b));
                }
            }
            (Partial::Search(a), Partial::Search(b)) => {
                assert_eq!((&a.hits, a.data_start_ms), (&b.hits, b.data_start_ms));
            }
            (a, b) => assert_eq!(format!("{a:?}"), format!("{b:?}")),
        }
    }
}

/// `UPDATE_GOLDEN=1` writes the files: only a new version is a reason to.
#[test]
fn golden_files_are_read_and_written() {
    for (name, partial) in every_kind() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
        let path = format!("{folder}/partial_{name}.v{VERSION}");
        let bytes = partial.encode().unwrap();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let golden = std::fs::read(&path).unwrap();
        assert_eq!(Partial::decode(&golden).unwrap().encode().unwrap(), golden, "{name}");
        assert_eq!(golden, bytes, "{name}: the encoded form changed");
    }
}

#[test]
fn h_53_f_64_every_damaged_byte_and_every_cut_is_noticed() {
    for (name, partial) in every_kind() {
        let bytes = partial.encode().unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            let error = Partial::decode(&damaged).unwrap_err();
            let expected = match at {
                4..8 => matches!(error, ExecError::Unsupported(_)),
                _ => matches!(error, ExecError::Corrupt(_)),
            };
            assert!(expected, "{name}: byte {at}: {error}");
            assert!(Partial::decode(&bytes[..at]).is_err(), "{name}: cut at {at}");
        }
    }
}

#[test]
fn h_53_wrong_bytes_under_a_right_checksum_are_refused_or_read() {
    for (_, partial) in every_kind() {
        let bytes = partial.encode().unwrap();
        for at in HEADER_BYTES..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut hostile = bytes.clone();
                hostile[at] = value;
                let checksum = xxh3_64(&hostile[HEADER_BYTES..]);
                hostile[8..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
                // Either still a partial or refused; never a panic, nor much memory.
                if let Ok(read) = Partial::decode(&hostile) {
                    assert!(read.memory_bytes() < 1 << 20);
                    let _ = read.encode();
                }
            }
        }
    }
}

/// A node's dictionary of two values.
#[derive(Debug)]
struct Numbers;

impl Numbering for Numbers {
    fn dictionary(&self) -> usize {
        1
    }
    fn id_count(&self) -> usize {
        3
    }
    fn value(&self, id: u32) -> Option<&str> {
        [None, Some("b"), Some("a")][id as usize]
    }
    fn intern(&self, _: &[&str]) -> (Vec<u32>, Arc<dyn Numbering>) {
        (Vec::new(), Arc::new(Self))
    }
}

#[test]
fn ids_of_the_node_become_text_and_those_of_a_segment_are_refused() {
    let of = |keys| GroupedPartial {
        bucket_starts: BucketStarts::All(3),
        keys: vec![keys],
        ..GroupedPartial::default()
    };
    let node = Column::NodeIds(NodeIds::new(vec![1, 0, 2], Arc::new(Numbers)));
    let read = GroupedPartial::decode(&of(node).encode().unwrap()).unwrap();
    let Column::Text(text) = &read.keys[0] else { panic!("text") };
    assert_eq!([text.get(0), text.get(1), text.get(2)], [Some("b"), None, Some("a")]);
    let refused = of(Column::SegmentIds(SegmentIds::new(vec![1, 2, 3]))).encode().unwrap_err();
    assert!(matches!(&refused, ExecError::Internal(_)), "{refused}");
    assert!(refused.to_string().contains("segment's dictionary"), "{refused}");
}
