//! [`Table`]: finished rows, column by column, and their JSON.

use henge_scan::Result;
use henge_vector::Column;

use crate::finalise::fields::Frame;
use crate::finalise::json;

/// Finished rows.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Each field with its name as it starts a JSON member, `"name":`.
    fields: Vec<(Vec<u8>, Column)>,
}

impl Table {
    /// All fields of a frame's rows.
    pub(crate) fn of(frame: Frame<'_>) -> Result<Self> {
        let fields = frame.into_output()?.into_iter().map(|(name, column)| {
            let mut key = Vec::with_capacity(name.len() + 3);
            json::write_key(&mut key, name);
            (key, column)
        });
        Ok(Self { fields: fields.collect() })
    }

    /// A row as an object.
    pub(crate) fn write_object(&self, out: &mut Vec<u8>, row: usize) {
        out.push(b'{');
        for (position, (key, column)) in self.fields.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            json::write_value(out, column, row);
        }
        out.push(b'}');
    }

    /// A row's values, each with a comma before it when `comma` is set or it is not the first.
    pub(crate) fn write_values(&self, out: &mut Vec<u8>, row: usize, mut comma: bool) {
        for (_, column) in &self.fields {
            if comma {
                out.push(b',');
            }
            comma = true;
            json::write_value(out, column, row);
        }
    }
}
