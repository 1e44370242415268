//! Page views as columns, and as a segment.

use std::sync::Arc;

use henge_segment::{ColumnData, MappedSegment, Result, SegmentWriter, StringTable, WriteOptions};
use henge_types::{Interval, SegmentId, TIME_COLUMN, Version};

use super::segment_schema;
use super::{DATA_SOURCE, PageView, TEXT_FIELD_COUNT, TEXT_FIELDS, TextField, Texts};

const DAY_MS: i64 = 86_400_000;

/// The columns of some views.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// `__time`
    pub time_ms: Vec<i64>,
    /// For each of [`TEXT_FIELDS`] the ids of its values; 0 is null.
    pub texts: [Vec<u32>; TEXT_FIELD_COUNT],
    /// `duration_ms`
    pub duration_ms: Vec<i64>,
    /// `bytes`
    pub bytes: Vec<i64>,
    /// `revenue`
    pub revenue: Vec<f64>,
}

impl Extend<PageView> for Columns {
    fn extend<I: IntoIterator<Item = PageView>>(&mut self, views: I) {
        for view in views {
            self.time_ms.push(view.time_ms);
            self.texts.iter_mut().zip(view.texts).for_each(|(column, id)| column.push(id));
            self.duration_ms.push(view.duration_ms);
            self.bytes.push(view.bytes);
            self.revenue.push(view.revenue);
        }
    }
}

impl FromIterator<PageView> for Columns {
    fn from_iter<I: IntoIterator<Item = PageView>>(views: I) -> Self {
        let mut columns = Self::default();
        columns.extend(views);
        columns
    }
}

impl Columns {
    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.time_ms.len()
    }

    /// The ids of a STRING field.
    #[must_use]
    pub fn text_ids(&self, field: TextField) -> &[u32] {
        &self.texts[field as usize]
    }

    /// Bytes of the columns in memory: four for a text's id, eight for a number.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.row_count() * (TEXT_FIELD_COUNT * size_of::<u32>() + 4 * size_of::<i64>())
    }

    /// Writes a segment that holds the values which occur, and no others.
    ///
    /// # Errors
    /// When the segment cannot be written.
    pub fn write_segment(&self, texts: &Texts, options: WriteOptions) -> Result<Vec<u8>> {
        let mut writer = SegmentWriter::new(
            Vec::new(),
            SegmentId::new(DATA_SOURCE, self.interval(), Version(1), 0),
            segment_schema(),
            self.row_count(),
            options,
        )?;
        let long = |values| ColumnData::Long { values, nulls: None };
        writer.write_column(TIME_COLUMN, long(&self.time_ms))?;
        for field in TEXT_FIELDS {
            let (dictionary, ids) = used(self.text_ids(field), texts.table(field));
            let data = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: true };
            writer.write_column(field.name(), data)?;
        }
        writer.write_column("duration_ms", long(&self.duration_ms))?;
        writer.write_column("bytes", long(&self.bytes))?;
        let revenue = ColumnData::Double { values: &self.revenue, nulls: None };
        writer.write_column("revenue", revenue)?;
        writer.finish_into().map(|(_, bytes)| bytes)
    }

    /// Writes a segment and opens it.
    ///
    /// # Errors
    /// When the segment cannot be written or read.
    pub fn segment(&self, texts: &Texts, options: WriteOptions) -> Result<MappedSegment> {
        MappedSegment::open(Arc::new(self.write_segment(texts, options)?))
    }

    /// The days the rows fall into.
    #[must_use]
    pub fn interval(&self) -> Interval {
        let day = |time_ms: Option<&i64>| {
            time_ms.map_or(0, |time_ms| time_ms.div_euclid(DAY_MS) * DAY_MS)
        };
        let (first, last) = (day(self.time_ms.first()), day(self.time_ms.last()));
        Interval { start_ms: first, end_ms: last + DAY_MS }
    }
}

/// The values that occur, and the ids numbered anew to fit.
fn used(ids: &[u32], table: &StringTable) -> (StringTable, Vec<u32>) {
    let mut new_ids = vec![0_u32; table.len() + 1];
    ids.iter().for_each(|id| new_ids[*id as usize] = 1);
    let mut kept = StringTable::new();
    for (position, new_id) in new_ids[1..].iter_mut().enumerate() {
        if *new_id == 1 {
            kept.push(table.get(position));
            *new_id = kept.len() as u32;
        }
    }
    new_ids[0] = 0;
    let ids = ids.iter().map(|id| new_ids[*id as usize]).collect();
    (kept, ids)
}
