//! The table is what its documentation says, in every form.

use std::sync::Arc;

use henge_index::DimensionSchema;
use henge_ingest::{ParseLimits, Rejection, RowError, RowParser, RowSink};
use henge_segment::{ColumnView, SegmentView, WriteOptions};
use henge_types::ValueRef;

use super::*;

/// Rows of the parser as text.
#[derive(Default)]
struct Parsed(Vec<String>);

impl RowSink for Parsed {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.0.push(format!("{timestamp_ms} {values:?}"));
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        panic!("{rejection:?}");
    }

    fn new_dimension(&mut self, dimension: &DimensionSchema) {
        panic!("{dimension:?}");
    }
}

#[test]
fn texts_ascend_with_their_ids() {
    let texts = Texts::new();
    for field in TEXT_FIELDS {
        let table = texts.table(field);
        assert_eq!(table.len(), field.value_count() as usize);
        assert!(table.iter().is_sorted_by(|a, b| a < b), "{}", field.name());
        assert_eq!(texts.get(field, 0), None);
    }
}

#[test]
fn the_first_view_of_the_standard_table_is_known() {
    let line = json_lines(PageViews::standard().take(1), &Texts::new());
    assert_eq!(String::from_utf8(line).unwrap(), FIRST_LINE);
}

const FIRST_LINE: &str = concat!(
    r#"{"time":"2026-01-01T00:00:00.222Z","site":"www.example.com","uri":"/profile/page-0853","#,
    r#""referrer":null,"country":"ZA","browser":"Chrome","device":"tablet","#,
    r#""visitor_id":"visitor-339931","event_type":"view","#,
    r#""duration_ms":71889,"bytes":27236,"revenue":0.000172}"#,
    "\n"
);

#[test]
fn fields_are_distributed_as_documented() {
    let views: Vec<PageView> = PageViews::standard().take(50_000).collect();
    assert!(views.iter().is_sorted_by_key(|view| view.time_ms));
    for field in TEXT_FIELDS {
        assert!(views.iter().all(|view| view.text_id(field) <= field.value_count()));
    }
    let share = |matches: &dyn Fn(&PageView) -> bool| {
        views.iter().filter(|view| matches(view)).count() * 1_000 / views.len()
    };
    let null_referrers = share(&|view| view.text_id(TextField::Referrer) == 0);
    assert!((390..=410).contains(&null_referrers), "{null_referrers} per mille");
    let purchases = share(&|view| view.text_id(TextField::EventType) == texts::PURCHASE_ID);
    assert!((8..=12).contains(&purchases), "{purchases} per mille");
    let dear = share(&|view| view.revenue >= 5.0);
    assert_eq!(dear, purchases);
    let most_visited = share(&|view| view.text_id(TextField::Country) == 57);
    assert!(most_visited > 200, "{most_visited} per mille are from the US");
}

#[test]
fn json_lines_parse_to_the_rows() {
    let texts = Texts::new();
    let views = || PageViews::standard().take(500);
    let mut parser =
        RowParser::new(Arc::new(data_schema().unwrap()), ParseLimits::default()).unwrap();
    let mut parsed = Parsed::default();
    let counts = parser.parse_batch(&json_lines(views(), &texts), &mut parsed).unwrap();
    assert_eq!((counts.accepted, parser.take_changes().total()), (500, 0));
    let rows = Rows::new(views(), &texts);
    let expected: Vec<String> =
        rows.iter().map(|(time_ms, values)| format!("{time_ms} {values:?}")).collect();
    assert_eq!(parsed.0, expected);
}

#[test]
fn a_segment_reads_back_as_the_columns() {
    let texts = Texts::new();
    let columns: Columns = PageViews::standard().take(3_000).collect();
    let segment = columns.segment(&texts, WriteOptions::hot()).unwrap();
    assert_eq!(segment.row_count(), 3_000);
    for field in TEXT_FIELDS {
        let Some(ColumnView::String(column)) = segment.column(field.name()).unwrap() else {
            panic!("{} is not STRING", field.name());
        };
        let mut scratch = Vec::new();
        let ids = column.id_block(0, &mut scratch).unwrap();
        for (row, expected) in columns.text_ids(field).iter().enumerate() {
            let text = column.dictionary().get(ids.get(row)).unwrap();
            assert_eq!(text.as_deref(), texts.get(field, *expected));
        }
    }
    let Some(ColumnView::Double(revenue)) = segment.column("revenue").unwrap() else {
        panic!("revenue is not DOUBLE");
    };
    let mut scratch = Vec::new();
    let block = revenue.block(0, &mut scratch).unwrap();
    let read: Vec<f64> = (0..3_000).map(|row| block.values.get(row)).collect();
    assert_eq!(read, columns.revenue);
}
