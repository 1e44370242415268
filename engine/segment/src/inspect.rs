//! What a segment is made of: the report of `henge segment inspect`.

use std::collections::BTreeMap;

use henge_types::{ColumnRole, ProjectionDefinition, format_timestamp};
use serde::Serialize;

use crate::error::Result;
use crate::reader::MappedSegment;
use crate::reader::stored::{Contents, PieceRole};
use crate::view::SegmentView;

/// A segment as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InspectReport {
    /// Identity.
    pub id: String,
    /// Datasource.
    pub datasource: String,
    /// Format version.
    pub format_version: u32,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Bytes of the footer once decompressed.
    pub footer_bytes: usize,
    /// Rows.
    pub row_count: usize,
    /// Bytes of the file over rows.
    pub bytes_per_row: f64,
    /// Smallest `__time`.
    pub min_time: Option<String>,
    /// Largest `__time`.
    pub max_time: Option<String>,
    /// Whether rows ascend by `__time`.
    pub time_sorted: bool,
    /// The dimensions that rows are sorted by before `__time`, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before_time: Vec<String>,
    /// Whether rows were rolled up.
    pub rollup: bool,
    /// The columns, in the order of the schema.
    pub columns: Vec<ColumnReport>,
    /// The projections.
    pub projections: Vec<ProjectionReport>,
}

/// One projection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProjectionReport {
    /// What it holds.
    pub definition: ProjectionDefinition,
    /// The segment it is.
    pub segment: InspectReport,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ColumnReport {
    /// Name.
    pub name: String,
    /// Type, as Druid names it.
    pub column_type: String,
    /// `time`, `dimension` or `metric`.
    pub role: String,
    /// Whether rows may hold several values.
    pub multi_value: bool,
    /// Whether a row may be null.
    pub has_nulls: bool,
    /// Distinct values, null not counted; STRING only.
    pub cardinality: Option<u32>,
    /// Smallest value; numbers only.
    pub min: Option<String>,
    /// Largest value; numbers only.
    pub max: Option<String>,
    /// Null rows; numbers only.
    pub null_count: Option<u64>,
    /// Blocks by encoding.
    pub encodings: BTreeMap<String, usize>,
    /// Pieces by codec; pieces inside the footer or an index count as `inline`.
    pub codecs: BTreeMap<String, usize>,
    /// Stored bytes of values.
    pub data_bytes: u64,
    /// Stored bytes of null masks.
    pub null_bytes: u64,
    /// Stored bytes of the dictionary.
    pub dictionary_bytes: u64,
    /// Stored bytes of the bitmap index.
    pub bitmap_bytes: u64,
    /// Bytes of the directory in the footer, before the footer's codec: statistics of blocks,
    /// references to pieces, and the pieces that are kept inline.
    pub directory_bytes: u64,
    /// Bytes of all pieces before the codec.
    pub raw_bytes: u64,
}

impl MappedSegment {
    /// What the segment is made of. Reads the footer and the index pieces, no values.
    ///
    /// # Errors
    /// `Corrupt` when an index piece is damaged.
    pub fn inspect(&self) -> Result<InspectReport> {
        let columns = (0..self.columns.len())
            .map(|position| self.inspect_column(position))
            .collect::<Result<Vec<_>>>()?;
        let projections = self
            .projections()
            .iter()
            .zip(self.embedded())
            .map(|(projection, segment)| {
                let definition = projection.definition.clone();
                Ok(ProjectionReport { definition, segment: segment.inspect()? })
            })
            .collect::<Result<Vec<_>>>()?;
        let time = self.time_range();
        Ok(InspectReport {
            id: self.id().to_string(),
            datasource: self.id().datasource.to_string(),
            format_version: self.source.format_version(),
            size_bytes: self.size_bytes(),
            footer_bytes: self.source.footer.len(),
            row_count: self.row_count(),
            bytes_per_row: self.size_bytes() as f64 / self.row_count().max(1) as f64,
            min_time: time.map(|(min, _)| format_timestamp(min)),
            max_time: time.map(|(_, max)| format_timestamp(max)),
            time_sorted: self.is_time_sorted(),
            before_time: self.schema().before_time().map(str::to_owned).collect(),
            rollup: self.schema().rollup,
            columns,
            projections,
        })
    }

    fn inspect_column(&self, position: usize) -> Result<ColumnReport> {
        let mut report = ColumnReport::default();
        if let Some(schema) = self.schema().columns.get(position) {
            report.name.clone_from(&schema.name);
            report.column_type = schema.column_type.to_string();
            report.role = match schema.role {
                ColumnRole::Time => "time",
                ColumnRole::Dimension => "dimension",
                ColumnRole::Metric => "metric",
            }
            .to_owned();
            report.multi_value = schema.multi_value;
            report.has_nulls = schema.has_nulls;
        }
        if let Some(column) = self.columns.get(position) {
            let Contents { cardinality, min, max, null_count, encodings } = column.contents();
            (report.cardinality, report.null_count) = (cardinality, null_count);
            (report.min, report.max) = (min, max);
            for encoding in encodings {
                *report.encodings.entry(encoding.name().to_owned()).or_default() += 1;
            }
        }
        report.directory_bytes = self.directory_bytes(position);
        self.for_each_piece(position, &mut |role, piece| {
            let stored = piece.stored_length() as u64;
            match role {
                PieceRole::Data => report.data_bytes += stored,
                PieceRole::Nulls => report.null_bytes += stored,
                PieceRole::Dictionary => report.dictionary_bytes += stored,
                PieceRole::Bitmaps => report.bitmap_bytes += stored,
            }
            report.raw_bytes += piece.raw_length() as u64;
            let codec = match piece.is_inline() {
                true => "inline".to_owned(),
                false => format!("{:?}", piece.codec()).to_lowercase(),
            };
            *report.codecs.entry(codec).or_default() += 1;
            Ok(())
        })?;
        Ok(report)
    }
}
