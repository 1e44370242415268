//! What the catalogue makes of announcements: types, order of columns, versions.

use henge_platform::discovery::{AnnouncedSchema, AnnouncedSegment, ChangeSet};
use henge_platform::metadata::PublishedSegment;
use henge_types::{Interval, SegmentId, ShardSpec, Version};
use serde_json::json;
use tokio::time::Instant;

use super::*;

fn id(day: i64) -> SegmentId {
    let interval = Interval { start_ms: day * 86_400_000, end_ms: (day + 1) * 86_400_000 };
    SegmentId::new("t", interval, Version(1), 0)
}

fn published(day: i64, columns: &[(&str, &str, bool)]) -> PublishedSegment {
    let columns = columns.iter().map(|(name, column_type, multi_value)| {
        json!({"name": name, "column_type": column_type, "multi_value": multi_value})
    });
    PublishedSegment {
        id: id(day),
        shard_spec: ShardSpec::SINGLE,
        object_key: "k".into(),
        size_bytes: 1,
        checksum: 1,
        row_count: 1,
        min_time_ms: 0,
        max_time_ms: 0,
        schema_json: json!({ "columns": columns.collect::<Vec<_>>() }).to_string(),
    }
}

fn buffered(day: i64, columns: &[(&'static str, ColumnType)]) -> ChangeSet {
    let segment = AnnouncedSegment {
        id: id(day),
        shard_spec: ShardSpec::SINGLE,
        tier: "hot".into(),
        priority: 0,
        realtime: true,
        size_bytes: 0,
        schema: Arc::new(AnnouncedSchema::of(columns.iter().cloned())),
    };
    ChangeSet { add: vec![segment], ..ChangeSet::default() }
}

fn shown(known: &Known) -> Vec<String> {
    let columns = known.tables["t"].table.columns.iter();
    let one = |column: &Column| {
        let many = if column.multi_value { "*" } else { "" };
        format!("{}{many} {}", column.name, column.column_type)
    };
    columns.map(one).collect()
}

#[test]
fn columns_are_those_of_all_segments_and_buffered_rows_with_the_widest_types() {
    let mut view = ClusterView::default();
    let used = [
        published(0, &[("__time", "LONG", false), ("a", "STRING", false), ("x", "LONG", false)]),
        published(
            1,
            &[
                ("a", "STRING", true),
                ("__time", "LONG", false),
                ("x", "DOUBLE", false),
                ("late", "COMPLEX<HLLSketch>", false),
            ],
        ),
    ];
    view.replace_used(&used, Instant::now());
    let columns =
        [("__time", ColumnType::Long), ("a", ColumnType::Long), ("new", ColumnType::Float)];
    view.apply(&"r".into(), &buffered(2, &columns), Instant::now());
    let mut known = Known::default();
    known.follow(&Arc::new(view));
    let expected = ["__time LONG", "a* STRING", "x DOUBLE", "late COMPLEX<HLLSketch>", "new FLOAT"];
    assert_eq!(shown(&known), expected);
}

#[test]
fn the_version_grows_with_what_statements_see_and_with_nothing_else() {
    let columns = [("__time", "LONG", false), ("a", "STRING", false)];
    let mut view = ClusterView::default();
    view.replace_used(&[published(0, &columns)], Instant::now());
    let mut known = Known::default();
    known.follow(&Arc::new(view.clone()));
    let (first, table) = (known.version, Arc::clone(&known.tables["t"].table));
    // Another segment of the same columns.
    view.replace_used(&[published(0, &columns), published(1, &columns)], Instant::now());
    known.follow(&Arc::new(view.clone()));
    assert_eq!(known.version, first);
    assert!(Arc::ptr_eq(&known.tables["t"].table, &table));
    // Rows with a column that is new.
    let buffered = buffered(2, &[("__time", ColumnType::Long), ("b", ColumnType::Long)]);
    view.apply(&"r".into(), &buffered, Instant::now());
    known.follow(&Arc::new(view.clone()));
    assert_eq!((known.version, shown(&known).len()), (first + 1, 3));
    // No datasource any more.
    known.follow(&Arc::new(ClusterView::default()));
    assert_eq!((known.version, known.tables.len()), (first + 2, 0));
}
