//! Rows that come as typed values, from formats with columns: the same steps as for JSON, without
//! JSON text.

use crate::discovery::DiscoveredType;
use crate::error::IngestError;
use crate::fields::{Field, is_no_column};
use crate::json::faults::fault_reason;
use crate::json::write::{write_json_text, write_value};
use crate::parser::RowParser;
use crate::raw::{EventBuffer, Raw, UnknownField};
use crate::rejection::{BatchCounts, RejectReason, Rejection, RowSink};

/// A value of a typed row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'a> {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A decimal.
    Double(f64),
    /// Text.
    Text(&'a str),
    /// Several values; lists within are null.
    List(&'a [FieldValue<'a>]),
}

/// The columns of a table and where their values belong.
#[derive(Debug, Default)]
pub struct TableFields {
    names: Vec<String>,
    /// What the layout knows each as; `None` for fields that may become columns.
    positions: Vec<Option<Field>>,
    /// How many names the layout had when the positions were looked up.
    known_names: usize,
    /// Columns whose texts are JSON: events have them within.
    is_json: Vec<bool>,
    /// The row at hand as an event, where fields come from within.
    event: String,
}

impl TableFields {
    /// The columns, in the order in which rows give their values.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        Self { names, known_names: usize::MAX, ..Self::default() }
    }

    /// The same, where the texts of some columns are JSON that a `flattenSpec` may reach into.
    #[must_use]
    pub fn with_json(self, is_json: impl FnMut(&String) -> bool) -> Self {
        Self { is_json: self.names.iter().map(is_json).collect(), ..self }
    }

    /// Writes a row as the event that it would be in JSON.
    fn write_event(&self, values: &[FieldValue<'_>], event: &mut String) {
        event.clear();
        event.push('{');
        for (at, (name, value)) in self.names.iter().zip(values).enumerate() {
            if *value == FieldValue::Null {
                continue;
            }
            if event.len() > 1 {
                event.push(',');
            }
            write_json_text(event, name);
            event.push(':');
            match value {
                FieldValue::Text(json) if self.is_json.get(at) == Some(&true) => {
                    event.push_str(json);
                }
                value => write_value(event, value),
            }
        }
        event.push('}');
    }
}

/// Where a typed row comes from, for the message when it is refused.
#[derive(Clone, Copy)]
pub struct RowOrigin<'a> {
    /// Byte of the input at which it starts; the row's number where rows have no bytes.
    pub offset: usize,
    /// The row as people can read it.
    pub raw: &'a dyn Fn() -> String,
}

impl std::fmt::Debug for RowOrigin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowOrigin").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl RowParser {
    /// Makes a field a dimension before its first value, when discovery would take it or when it is
    /// declared without a type.
    pub fn discover_field(&mut self, name: &str, needs: DiscoveredType) {
        let layout = &self.layout;
        let is_new = layout.discovers && !layout.table.contains(name);
        if !(is_new || layout.table.is_pending(name)) || layout.transform_of(name).is_some() {
            return;
        }
        let schema = layout.discovered(name, layout.first_type(name, Some(needs)));
        // The format says what the column holds: its values do not change that.
        self.add_dimension(schema, None);
    }

    /// The fields that rows need: of the timestamp, the dimensions known so far, the metrics, the
    /// transforms and the filter.
    #[must_use]
    pub fn fields_read(&self) -> Vec<String> {
        self.layout.fields_read().map(str::to_owned).collect()
    }

    /// Whether the spec says that a field is not to be stored.
    #[must_use]
    pub fn is_excluded(&self, name: &str) -> bool {
        self.schema.dimensions_spec.exclusions.iter().any(|excluded| excluded == name)
    }

    /// True when nothing but types stands between a field and its column: no transform, no filter,
    /// no intervals, no fields from within others.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let schema = &self.schema;
        schema.transform_spec.transforms.is_empty()
            && schema.transform_spec.filter.is_none()
            && schema.granularity_spec.intervals.is_empty()
            && self.flattening.is_none()
    }

    /// Starts a batch of typed rows.
    pub fn begin_rows(&mut self) {
        self.counts = BatchCounts::default();
        self.start_batch();
    }

    /// What became of the rows since [`RowParser::begin_rows`].
    #[must_use]
    pub fn counts(&self) -> BatchCounts {
        self.counts
    }

    /// Takes a row of typed values, one a field. A row that is refused is reported to the sink.
    ///
    /// # Errors
    /// When the sink stops.
    pub fn parse_row(
        &mut self,
        fields: &mut TableFields,
        values: &[FieldValue<'_>],
        origin: RowOrigin<'_>,
        sink: &mut dyn RowSink,
    ) -> Result<(), IngestError> {
        let mut event = std::mem::take(&mut fields.event);
        let taken = match self.flattening {
            None => {
                self.bind(fields);
                self.take_values(fields, values)
            }
            Some(_) => {
                fields.write_event(values, &mut event);
                self.take_event(&event)
            }
        };
        let stored = match taken {
            Ok(()) => self.store_counted(&event, sink),
            Err(reason) => Ok(Err(reason)),
        };
        fields.event = event;
        if let Err(reason) = stored? {
            self.refuse_row(reason, origin, sink);
        }
        if std::mem::take(&mut self.retyped) && !self.surveys {
            // Rows of a table come one by one and not again.
            sink.restart(&self.layout.schemas).map_err(|error| self.stopped(error))?;
        }
        Ok(())
    }

    /// Counts and reports a row that could not even be read.
    pub fn refuse_row(
        &mut self,
        reason: RejectReason,
        origin: RowOrigin<'_>,
        sink: &mut dyn RowSink,
    ) {
        let mut raw = (origin.raw)();
        let mut end = raw.len().min(self.limits.max_raw_bytes);
        while !raw.is_char_boundary(end) {
            end -= 1;
        }
        raw.truncate(end);
        let position = self.counts.received;
        let rejection =
            Rejection { position, offset_bytes: origin.offset, reason, raw: raw.as_bytes() };
        sink.rejected(rejection);
        self.counts.received += 1;
        self.counts.rejected += 1;
    }

    /// Looks the names up again when discovery has added some.
    fn bind(&mut self, fields: &mut TableFields) {
        let discovers = self.layout.discovers;
        let table = &mut self.layout.table;
        if fields.known_names != table.len() {
            fields.known_names = table.len();
            let field = |name: &String| match table.meet(name) {
                Some(position) => Some(Field::Known(position)),
                None => {
                    let is_ignored = !discovers || is_no_column(name);
                    is_ignored.then(|| Field::Ignored(table.ignore(name)))
                }
            };
            fields.positions = fields.names.iter().map(field).collect();
        }
    }

    /// Reads a row that was written as an event: fields from within are made in one place, of JSON. A row may have
    /// any length.
    fn take_event(&mut self, event: &str) -> Result<(), RejectReason> {
        match self.read_json(event, 0, event.len()) {
            Ok(_) => Ok(()),
            Err(fault) => {
                Err(fault_reason(&fault, event.len(), event, event.as_bytes(), &self.limits))
            }
        }
    }

    fn take_values(
        &mut self,
        fields: &TableFields,
        values: &[FieldValue<'_>],
    ) -> Result<(), RejectReason> {
        let buffer = &mut self.buffer;
        buffer.clear(self.layout.table.len());
        let named = fields.names.iter().zip(&fields.positions);
        for ((name, field), value) in named.zip(values) {
            match field {
                Some(Field::Known(position)) => {
                    let raw = raw_value(*value, buffer, self.limits.max_multi_values)?;
                    buffer.fields[*position] = raw;
                }
                _ if *value == FieldValue::Null => {}
                Some(Field::Ignored(number)) => {
                    // Of most only the number counts.
                    let raw = match self.ignored.has_example(*number) {
                        true => Raw::Bool(true),
                        false => raw_value(*value, buffer, usize::MAX)?,
                    };
                    buffer.ignored.push((*number, raw));
                }
                None => {
                    let value = raw_value(*value, buffer, self.limits.max_multi_values)?;
                    let name = buffer.keep(name);
                    buffer.unknown.push(UnknownField { name, value });
                }
            }
        }
        Ok(())
    }
}

fn raw_value(
    value: FieldValue<'_>,
    buffer: &mut EventBuffer,
    max_multi_values: usize,
) -> Result<Raw, RejectReason> {
    Ok(match value {
        FieldValue::Null => Raw::Null,
        FieldValue::Bool(value) => Raw::Bool(value),
        FieldValue::Long(value) => Raw::Long(value),
        FieldValue::Double(value) => Raw::Double(value),
        FieldValue::Text(text) => Raw::Text(buffer.keep(text)),
        FieldValue::List(values) => {
            if values.len() > max_multi_values {
                let limit = max_multi_values;
                return Err(RejectReason::OverLimit { what: "values in a list", limit });
            }
            let first = buffer.items.len() as u32;
            for value in values {
                let item = match value {
                    FieldValue::List(_) => Raw::Null,
                    scalar => raw_value(*scalar, buffer, max_multi_values)?,
                };
                buffer.items.push(item);
            }
            Raw::List { first, count: values.len() as u32 }
        }
    })
}
