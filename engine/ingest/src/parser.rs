//! [`RowParser`]: one datasource's events, batch by batch.

use std::borrow::Cow;
use std::sync::Arc;

use henge_index::DimensionSchema;
use henge_query::ingest::DataSchema;
use henge_types::ValueRef;

use crate::coerce::{Cell, Cells, Column, Target, coerce};
use crate::error::IngestError;
use crate::filter::{Row, RowFilter};
use crate::json::frames::{Frame, Frames, Problem};
use crate::json::read::read_event;
use crate::json::scan::{Fault, FaultKind, Scanner};
use crate::layout::{ColumnPlan, Layout, dimension_target};
use crate::limits::ParseLimits;
use crate::raw::{EventBuffer, Raw};
use crate::rejection::{BatchCounts, RejectReason, Rejection, RowError, RowSink};
use crate::timestamp::TimestampReader;
use crate::transform::Transforms;

/// Positions within a body are 32 bits.
const MAX_BODY_BYTES: usize = u32::MAX as usize / 2;

/// Turns bodies into rows of one schema. Its buffers are reused from event to event.
#[derive(Debug)]
pub struct RowParser {
    pub(crate) schema: Arc<DataSchema>,
    pub(crate) limits: ParseLimits,
    pub(crate) layout: Layout,
    timestamps: TimestampReader,
    pub(crate) transforms: Transforms,
    filter: Option<RowFilter>,
    pub(crate) buffer: EventBuffer,
    cells: Cells,
    values: Vec<ValueRef<'static>>,
    parts: Vec<Option<&'static str>>,
    pub(crate) counts: BatchCounts,
}

/// What becomes of an event that is well-formed.
enum Outcome {
    Accepted,
    Filtered,
}

impl RowParser {
    /// A parser for a schema.
    ///
    /// # Errors
    /// When the schema asks for what ingestion cannot do.
    pub fn new(schema: Arc<DataSchema>, limits: ParseLimits) -> Result<Self, IngestError> {
        let mut layout = Layout::new(&schema);
        let timestamps = TimestampReader::new(&schema.timestamp_spec)?;
        let transforms = Transforms::new(&schema, &mut layout);
        let filter = match &schema.transform_spec.filter {
            Some(filter) => Some(RowFilter::new(filter, &mut layout)?),
            None => None,
        };
        layout.finish();
        Ok(Self {
            schema,
            limits,
            layout,
            timestamps,
            transforms,
            filter,
            buffer: EventBuffer::default(),
            cells: Cells::default(),
            values: Vec::new(),
            parts: Vec::new(),
            counts: BatchCounts::default(),
        })
    }

    /// The dimensions of rows, in the order of their values: declared ones, then discovered ones.
    #[must_use]
    pub fn dimensions(&self) -> &[DimensionSchema] {
        &self.layout.schemas
    }

    /// Takes over dimensions that an earlier parser of this schema discovered, in their order;
    /// those already known are passed over.
    pub fn add_known_dimensions(&mut self, dimensions: &[DimensionSchema]) {
        for dimension in dimensions {
            if !self.layout.schemas.iter().any(|known| known.name == dimension.name) {
                self.add_dimension(dimension.clone());
            }
        }
    }

    /// Sets the moment of receipt of the next batch.
    pub fn set_now_ms(&mut self, now_ms: i64) {
        self.limits.now_ms = now_ms;
    }

    /// Parses a body: JSON objects one after the other, lists of objects, or both. A broken event
    /// is reported to the sink and never stops the rest.
    ///
    /// # Errors
    /// When the body holds no event, does not begin like JSON, is over two gigabytes, or the sink
    /// stops.
    pub fn parse_batch(
        &mut self,
        body: &[u8],
        sink: &mut dyn RowSink,
    ) -> Result<BatchCounts, IngestError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(IngestError::TooLarge { size: body.len(), limit: MAX_BODY_BYTES });
        }
        self.counts = BatchCounts::default();
        self.transforms.start_batch();
        let text = mask_invalid_utf8(body);
        let start = first_event(&text, body)?;
        let mut frames = Frames::new(&text, start);
        loop {
            match frames.next() {
                Frame::End => break,
                Frame::Event(start) => self.event(start, &text, body, &mut frames, sink)?,
                Frame::Broken { start, problem } => {
                    let reason = problem_reason(problem, start);
                    self.reject(reason, start..frames.position(), body, sink);
                }
            }
        }
        if self.counts.received == 0 {
            return Err(IngestError::Empty { offset: body.len() });
        }
        Ok(self.counts)
    }

    fn event(
        &mut self,
        start: usize,
        text: &str,
        body: &[u8],
        frames: &mut Frames<'_>,
        sink: &mut dyn RowSink,
    ) -> Result<(), IngestError> {
        let end = start.saturating_add(self.limits.max_event_bytes);
        let mut scanner = Scanner::new(text, start, end);
        let discover = self.layout.discovers;
        let (table, buffer) = (&mut self.layout.table, &mut self.buffer);
        if let Err(fault) = read_event(&mut scanner, text, table, buffer, &self.limits, discover) {
            frames.recover(start);
            let reason = fault_reason(&fault, end, text, body, &self.limits);
            self.reject(reason, start..frames.position(), body, sink);
            return Ok(());
        }
        frames.accept(scanner.at);
        if let Err(reason) = self.store_counted(text, sink)? {
            self.reject(reason, start..scanner.at, body, sink);
        }
        Ok(())
    }

    /// Turns the event in the buffer into a row, unless it is refused, and counts it.
    pub(crate) fn store_counted(
        &mut self,
        body: &str,
        sink: &mut dyn RowSink,
    ) -> Result<Result<(), RejectReason>, IngestError> {
        match self.store(body, sink) {
            Ok(Outcome::Accepted) => {
                self.counts.accepted += 1;
                self.counts.nulled_values += self.cells.nulled;
            }
            Ok(Outcome::Filtered) => self.counts.filtered += 1,
            Err(RowError::Reject(reason)) => return Ok(Err(reason)),
            Err(RowError::Stop(message)) => {
                return Err(IngestError::Stopped { position: self.counts.received, message });
            }
        }
        self.counts.received += 1;
        Ok(Ok(()))
    }

    fn reject(
        &mut self,
        reason: RejectReason,
        range: std::ops::Range<usize>,
        body: &[u8],
        sink: &mut dyn RowSink,
    ) {
        let end = range.end.min(range.start + self.limits.max_raw_bytes);
        let raw = body.get(range.start..end).unwrap_or_default().trim_ascii();
        let position = self.counts.received;
        sink.rejected(Rejection { position, offset_bytes: range.start, reason, raw });
        self.counts.received += 1;
        self.counts.rejected += 1;
    }

    /// Turns the event in the buffer into a row and hands it on.
    fn store(&mut self, body: &str, sink: &mut dyn RowSink) -> Result<Outcome, RowError> {
        let raw = self.buffer.fields.get(self.layout.timestamp_field).copied();
        let raw = raw.unwrap_or(Raw::Missing);
        let timestamp = self.timestamps.read(raw, body, &self.buffer).map_err(RowError::Reject)?;
        let timestamp_ms =
            self.transforms.run(timestamp, body, &mut self.buffer).map_err(RowError::Reject)?;
        self.check_window(timestamp_ms).map_err(RowError::Reject)?;
        let intervals = &self.schema.granularity_spec.intervals;
        if !intervals.is_empty() && !intervals.iter().any(|i| i.contains(timestamp_ms)) {
            return Ok(Outcome::Filtered);
        }
        if let Some(filter) = &self.filter {
            let row = Row { timestamp_ms, body, buffer: &self.buffer };
            if filter.matches(&row) != Some(true) {
                return Ok(Outcome::Filtered);
            }
        }
        let discovered = self.discover(body).map_err(RowError::Reject)?;
        self.fill(timestamp_ms, body, &discovered).map_err(RowError::Reject)?;
        for (schema, _) in discovered {
            sink.new_dimension(&schema);
            self.add_dimension(schema);
        }
        self.emit(timestamp_ms, body, sink)?;
        Ok(Outcome::Accepted)
    }

    fn check_window(&self, timestamp_ms: i64) -> Result<(), RejectReason> {
        let (from_ms, to_ms) = self.limits.time_window();
        if (from_ms..to_ms).contains(&timestamp_ms) {
            return Ok(());
        }
        Err(RejectReason::OutsideWindow { timestamp_ms, from_ms, to_ms })
    }

    pub(crate) fn add_dimension(&mut self, schema: DimensionSchema) {
        if !self.layout.is_declared(&schema.name) {
            self.layout.discovered_count += 1;
        }
        self.layout.add_dimension(schema);
    }

    /// The dimensions this event would add, each with its value.
    fn discover(&self, body: &str) -> Result<Vec<(DimensionSchema, Raw)>, RejectReason> {
        let layout = &self.layout;
        let has_value = |raw: Raw| !raw.is_null() && !matches!(raw, Raw::List { count: 0, .. });
        let mut found = Vec::new();
        for &position in layout.table.pending() {
            let source = layout.pending_source(position);
            let value = Layout::value(source, 0, &self.buffer);
            if has_value(value) {
                found.push((layout.discovered(layout.table.name(position), value), value));
            }
        }
        for field in self.buffer.unknown.iter().filter(|field| has_value(field.value)) {
            let name = field.name.text(body, &self.buffer.arena);
            if name.len() > self.limits.max_name_bytes {
                return Err(RejectReason::FieldName { message: "is too long for a column" });
            }
            let value = match layout.transform_of(name) {
                Some(index) => self.buffer.computed.get(index).copied().unwrap_or(Raw::Null),
                None => field.value,
            };
            found.push((layout.discovered(name, value), value));
        }
        let limit = self.limits.max_discovered_dimensions;
        let mut new = found.iter().filter(|(schema, _)| !layout.is_declared(&schema.name));
        if let Some((schema, _)) = new.nth(limit.saturating_sub(layout.discovered_count)) {
            let name = schema.name.clone();
            return Err(RejectReason::TooManyDimensions { name, limit });
        }
        Ok(found)
    }

    /// Converts the values of all columns.
    fn fill(
        &mut self,
        timestamp_ms: i64,
        body: &str,
        discovered: &[(DimensionSchema, Raw)],
    ) -> Result<(), RejectReason> {
        let (buffer, cells, limits) = (&mut self.buffer, &mut self.cells, &self.limits);
        cells.clear();
        let plan = |plan: &ColumnPlan, is_metric, buffer: &mut EventBuffer, cells: &mut Cells| {
            let raw = Layout::value(plan.source, timestamp_ms, buffer);
            let column = Column { name: &plan.name, target: plan.target, is_metric, limits };
            coerce(raw, &column, body, buffer, cells)
        };
        for dimension in &self.layout.dimensions {
            plan(dimension, false, buffer, cells)?;
        }
        for (schema, raw) in discovered {
            let target: Target = dimension_target(&schema.column_type);
            let column = Column { name: &schema.name, target, is_metric: false, limits };
            coerce(*raw, &column, body, buffer, cells)?;
        }
        for metric in &self.layout.metrics {
            plan(metric, true, buffer, cells)?;
        }
        Ok(())
    }

    fn emit(
        &mut self,
        timestamp_ms: i64,
        body: &str,
        sink: &mut dyn RowSink,
    ) -> Result<(), RowError> {
        let arena = self.buffer.arena.as_str();
        let mut parts: Vec<Option<&str>> = std::mem::take(&mut self.parts);
        parts.extend(self.cells.parts.iter().map(|part| part.map(|s| s.text(body, arena))));
        let mut values: Vec<ValueRef<'_>> = std::mem::take(&mut self.values);
        values.extend(self.cells.values.iter().map(|cell| match *cell {
            Cell::Null => ValueRef::Null,
            Cell::Long(value) => ValueRef::Long(value),
            Cell::Double(value) => ValueRef::Double(value),
            Cell::Text(span) => ValueRef::String(span.text(body, arena)),
            Cell::Multi { first, count } => {
                ValueRef::Multi(parts.get(first..first + count).unwrap_or_default())
            }
        }));
        let result = sink.row(timestamp_ms, &values);
        self.values = recycle_values(values);
        self.parts = recycle_parts(parts);
        result
    }
}

/// Keeps the allocation and drops the borrows: collecting a mapped vector happens in place.
fn recycle_values(mut values: Vec<ValueRef<'_>>) -> Vec<ValueRef<'static>> {
    values.clear();
    values.into_iter().map(|_| ValueRef::Null).collect()
}

fn recycle_parts(mut parts: Vec<Option<&str>>) -> Vec<Option<&'static str>> {
    parts.clear();
    parts.into_iter().map(|_| None).collect()
}

/// The body as text. Every byte that is not UTF-8 becomes a control character, which no valid event
/// contains: the events around it stay what they are.
fn mask_invalid_utf8(body: &[u8]) -> Cow<'_, str> {
    let mut error = match std::str::from_utf8(body) {
        Ok(text) => return Cow::Borrowed(text),
        Err(error) => error,
    };
    let mut masked = String::with_capacity(body.len());
    let mut rest = body;
    loop {
        let (valid, broken) = rest.split_at(error.valid_up_to());
        masked.push_str(std::str::from_utf8(valid).unwrap_or_default());
        let length = error.error_len().unwrap_or(broken.len());
        masked.extend(std::iter::repeat_n('\u{1}', length));
        rest = &broken[length..];
        match std::str::from_utf8(rest) {
            Ok(text) => {
                masked.push_str(text);
                return Cow::Owned(masked);
            }
            Err(next) => error = next,
        }
    }
}

/// Where the first event may start: behind a byte-order mark and blanks.
fn first_event(text: &str, body: &[u8]) -> Result<usize, IngestError> {
    let after_mark = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let blanks = text.as_bytes()[after_mark..].iter().take_while(|byte| blank(byte)).count();
    let offset = after_mark + blanks;
    let message = match body.get(offset) {
        None => return Err(IngestError::Empty { offset }),
        Some(b'{' | b'[') => return Ok(offset),
        Some(0xff | 0xfe) => "it looks like UTF-16: send UTF-8".to_owned(),
        Some(byte) => format!("expected '{{' or '[' but found '{}'", byte.escape_ascii()),
    };
    Err(IngestError::NotJson { offset, message })
}

fn problem_reason(problem: Problem, offset: usize) -> RejectReason {
    match problem {
        Problem::NotAnObject(found) => RejectReason::NotAnObject { found },
        Problem::Syntax(message) => RejectReason::Syntax { offset, message: message.to_owned() },
    }
}

fn fault_reason(
    fault: &Fault,
    event_end: usize,
    text: &str,
    body: &[u8],
    limits: &ParseLimits,
) -> RejectReason {
    if fault.at >= event_end && event_end < body.len() {
        return RejectReason::OverLimit { what: "bytes", limit: limits.max_event_bytes };
    }
    if body.get(fault.at) != text.as_bytes().get(fault.at) {
        let message = "the text is not UTF-8".to_owned();
        return RejectReason::Syntax { offset: fault.at, message };
    }
    match fault.kind {
        FaultKind::OverLimit(what, limit) => RejectReason::OverLimit { what, limit },
        FaultKind::NameControl => RejectReason::FieldName { message: "holds a control character" },
        ref kind => RejectReason::Syntax { offset: fault.at, message: kind.message() },
    }
}
