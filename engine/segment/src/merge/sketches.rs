//! Combining the sketches of rows that roll up to one, row by row as the writer asks for them.

use std::borrow::Cow;

use henge_types::MetricSpec;

use crate::error::{Result, SegmentError};
use crate::format::corrupt;
use crate::merge::order::{Groups, RowOrder};
use crate::metric::{CombineBytes, combine_bytes};
use crate::view::{ColumnView, ComplexColumn, SegmentView};

/// The rows of a complex column of the target.
pub(super) struct SketchRows<'a> {
    /// The first row of each view, and its column if it has one.
    parts: Vec<(usize, Option<&'a dyn ComplexColumn>)>,
    combine: Option<CombineBytes>,
    groups: Groups<'a>,
}

impl<'a> SketchRows<'a> {
    pub(super) fn new(
        views: &'a [&'a dyn SegmentView],
        name: &str,
        type_name: &str,
        metric: Option<&'a MetricSpec>,
        order: &'a RowOrder,
    ) -> Result<Self> {
        let mut parts = Vec::with_capacity(views.len());
        let mut first_row = 0;
        for view in views {
            let column = match view.column(name)? {
                None => None,
                Some(ColumnView::Complex(column)) if column.type_name() == type_name => {
                    Some(column)
                }
                Some(other) => {
                    return Err(SegmentError::Invalid(format!(
                        "column '{name}' is {other:?} in one segment, {type_name} is expected"
                    )));
                }
            };
            parts.push((first_row, column));
            first_row += view.row_count();
        }
        let combine = metric.map(|metric| combine_bytes(&metric.kind)).transpose()?;
        Ok(Self { parts, combine, groups: order.groups() })
    }

    fn get(&self, row: u32) -> Result<Option<Cow<'a, [u8]>>> {
        let row = row as usize;
        let part = self.parts.partition_point(|(first_row, _)| *first_row <= row) - 1;
        match self.parts[part] {
            (first_row, Some(column)) => column.get(row - first_row),
            (_, None) => Ok(None),
        }
    }

    fn combine(&self, group: &[u32]) -> Result<Option<Cow<'a, [u8]>>> {
        if let [row] = group {
            return self.get(*row);
        }
        let mut present = Vec::new();
        for row in group {
            present.extend(self.get(*row)?);
        }
        if present.len() < 2 {
            return Ok(present.pop());
        }
        let Some(combine) = &self.combine else {
            return Err(SegmentError::Invalid("a sketch column needs a sketch metric".into()));
        };
        let images: Vec<&[u8]> = present.iter().map(AsRef::as_ref).collect();
        let combined = combine(&images).map(|bytes| Some(Cow::Owned(bytes)));
        combined.map_err(|error| corrupt(format!("combine sketches: {error}")))
    }
}

impl<'a> Iterator for SketchRows<'a> {
    type Item = Result<Option<Cow<'a, [u8]>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.groups.next()?;
        Some(self.combine(group))
    }
}
