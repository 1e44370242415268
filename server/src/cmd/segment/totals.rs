//! Where the bytes of a datasource are: the columns of all its segments, added up.

use std::collections::BTreeMap;

use henge_segment::{ColumnReport, InspectReport};
use serde::Serialize;

use crate::cmd::output::{Align, TextTable, grouped, size};

/// The segments of one datasource.
#[derive(Debug, Default, Serialize)]
pub(super) struct DatasourceTotals {
    datasource: String,
    segments: usize,
    row_count: u64,
    size_bytes: u64,
    bytes_per_row: f64,
    columns: Vec<ColumnTotals>,
    /// Bytes of the projections, their own footers included.
    projection_bytes: u64,
    /// Bytes of no column: schema, identity, padding; less what the codec of footers saves.
    other_bytes: i64,
}

/// One column in all segments.
#[derive(Debug, Default, Serialize)]
struct ColumnTotals {
    name: String,
    column_type: String,
    role: String,
    /// Most distinct values in a segment; STRING only.
    cardinality: Option<u32>,
    /// Blocks by encoding.
    encodings: BTreeMap<String, usize>,
    /// Values and null masks.
    data_bytes: u64,
    dictionary_bytes: u64,
    /// Bitmap indexes.
    index_bytes: u64,
    total_bytes: u64,
    bytes_per_row: f64,
    /// Part of the bytes of all segments.
    share: f64,
}

/// Adds up segments by datasource, in the order of the first segment of each.
pub(super) fn add_up(reports: &[InspectReport]) -> Vec<DatasourceTotals> {
    let mut all: Vec<DatasourceTotals> = Vec::new();
    for report in reports {
        let position = all.iter().position(|totals| totals.datasource == report.datasource);
        let position = position.unwrap_or_else(|| {
            let datasource = report.datasource.clone();
            all.push(DatasourceTotals { datasource, ..DatasourceTotals::default() });
            all.len() - 1
        });
        all[position].add(report);
    }
    all.iter_mut().for_each(DatasourceTotals::finish);
    all
}

impl DatasourceTotals {
    fn add(&mut self, report: &InspectReport) {
        self.segments += 1;
        self.row_count += report.row_count as u64;
        self.size_bytes += report.size_bytes;
        self.projection_bytes +=
            report.projections.iter().map(|projection| projection.segment.size_bytes).sum::<u64>();
        for column in &report.columns {
            let known = self.columns.iter().position(|totals| totals.name == column.name);
            let position = known.unwrap_or_else(|| {
                let name = column.name.clone();
                self.columns.push(ColumnTotals { name, ..ColumnTotals::default() });
                self.columns.len() - 1
            });
            self.columns[position].add(column);
        }
    }

    fn finish(&mut self) {
        let rows = self.row_count.max(1) as f64;
        self.bytes_per_row = self.size_bytes as f64 / rows;
        for column in &mut self.columns {
            column.total_bytes = column.data_bytes + column.dictionary_bytes + column.index_bytes;
            column.bytes_per_row = column.total_bytes as f64 / rows;
            column.share = column.total_bytes as f64 / self.size_bytes.max(1) as f64;
        }
        let columns: u64 = self.columns.iter().map(|column| column.total_bytes).sum();
        self.other_bytes = self.size_bytes as i64 - (columns + self.projection_bytes) as i64;
    }

    /// The columns, one a line, and their sum.
    pub(super) fn table(&self) -> TextTable {
        let mut table = TextTable::new(&[
            ("column", Align::Left),
            ("type", Align::Left),
            ("distinct", Align::Right),
            ("encodings (blocks)", Align::Left),
            ("data", Align::Right),
            ("dictionary", Align::Right),
            ("index", Align::Right),
            ("total", Align::Right),
            ("bytes/row", Align::Right),
            ("share", Align::Right),
        ]);
        for column in &self.columns {
            table.row(column.cells());
        }
        let sum = |part: fn(&ColumnTotals) -> u64| size(self.columns.iter().map(part).sum());
        if self.projection_bytes > 0 {
            table.row(self.line("projections", Default::default(), self.projection_bytes as i64));
        }
        table.row(self.line("footers, padding", Default::default(), self.other_bytes));
        let parts = [
            sum(|column| column.data_bytes),
            sum(|column| column.dictionary_bytes),
            sum(|column| column.index_bytes),
        ];
        let name = format!("{} in all", self.columns.len());
        table.row(self.line(&name, parts, self.size_bytes as i64));
        table
    }

    /// A line that is no column's.
    fn line(&self, name: &str, parts: [String; 3], bytes: i64) -> [String; 10] {
        let [data, dictionary, index] = parts;
        let none = String::new;
        let sign = if bytes < 0 { "-" } else { "" };
        [
            name.to_owned(),
            none(),
            none(),
            none(),
            data,
            dictionary,
            index,
            format!("{sign}{}", size(bytes.unsigned_abs())),
            format!("{:.2}", bytes as f64 / self.row_count.max(1) as f64),
            percent(bytes as f64 / self.size_bytes.max(1) as f64),
        ]
    }

    /// The line above the table.
    pub(super) fn heading(&self) -> String {
        let segments = match self.segments {
            1 => "1 segment".to_owned(),
            several => format!("{several} segments"),
        };
        format!(
            "{}: {segments}, {} rows, {}, {:.2} bytes a row",
            self.datasource,
            grouped(self.row_count),
            size(self.size_bytes),
            self.bytes_per_row
        )
    }
}

impl ColumnTotals {
    fn add(&mut self, column: &ColumnReport) {
        self.column_type.clone_from(&column.column_type);
        self.role.clone_from(&column.role);
        self.cardinality = self.cardinality.max(column.cardinality);
        for (encoding, blocks) in &column.encodings {
            *self.encodings.entry(encoding.clone()).or_default() += blocks;
        }
        self.data_bytes += column.data_bytes + column.null_bytes;
        self.dictionary_bytes += column.dictionary_bytes;
        self.index_bytes += column.bitmap_bytes;
    }

    fn cells(&self) -> [String; 10] {
        let encodings: Vec<String> =
            self.encodings.iter().map(|(name, blocks)| format!("{name} {blocks}")).collect();
        let bytes = |bytes: u64| if bytes == 0 { "-".to_owned() } else { size(bytes) };
        [
            self.name.clone(),
            self.column_type.clone(),
            self.cardinality.map(|values| grouped(values.into())).unwrap_or_default(),
            encodings.join(", "),
            bytes(self.data_bytes),
            bytes(self.dictionary_bytes),
            bytes(self.index_bytes),
            bytes(self.total_bytes),
            format!("{:.2}", self.bytes_per_row),
            percent(self.share),
        ]
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(datasource: &str, rows: usize, size_bytes: u64) -> InspectReport {
        let column = ColumnReport {
            name: "page".into(),
            column_type: "STRING".into(),
            cardinality: Some(rows as u32),
            encodings: [("ids_packed".to_owned(), 2)].into(),
            data_bytes: 600,
            null_bytes: 100,
            dictionary_bytes: 200,
            bitmap_bytes: 50,
            ..ColumnReport::default()
        };
        InspectReport {
            id: String::new(),
            datasource: datasource.into(),
            format_version: 1,
            size_bytes,
            footer_bytes: 10,
            row_count: rows,
            bytes_per_row: 0.0,
            min_time: None,
            max_time: None,
            time_sorted: true,
            before_time: Vec::new(),
            rollup: false,
            columns: vec![column],
            projections: Vec::new(),
        }
    }

    #[test]
    fn segments_add_up_by_datasource() {
        let reports = [report("a", 60, 1_000), report("b", 5, 950), report("a", 40, 1_000)];
        let totals = add_up(&reports);
        assert_eq!(totals.len(), 2);
        let (a, page) = (&totals[0], &totals[0].columns[0]);
        assert_eq!((a.segments, a.row_count, a.size_bytes, a.other_bytes), (2, 100, 2_000, 100));
        assert_eq!((page.data_bytes, page.total_bytes, page.cardinality), (1_400, 1_900, Some(60)));
        assert_eq!((page.bytes_per_row, page.share, page.encodings["ids_packed"]), (19.0, 0.95, 4));
        assert_eq!(totals[1].other_bytes, 0);
        let shown = format!("{}\n{}", a.heading(), a.table());
        for expected in ["a: 2 segments, 100 rows", "ids_packed 4", "19.00", "95.0 %", "20.00"] {
            assert!(shown.contains(expected), "{expected} in {shown}");
        }
        assert!(serde_json::to_string(&totals[0]).unwrap().contains("\"index_bytes\":100"));
    }
}
