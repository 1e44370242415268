//! [`RowParser`]: one datasource's events, batch by batch.

use std::borrow::Cow;
use std::sync::Arc;

use henge_index::DimensionSchema;
use henge_query::ingest::DataSchema;
use henge_types::{ChangeReport, ValueRef};

use crate::coerce::{Cell, Cells, Column, Target, coerce};
use crate::discovery::DiscoveredType;
use crate::error::IngestError;
use crate::filter::RowFilter;
use crate::growth::BecameText;
use crate::ignored::IgnoredCounts;
use crate::json::faults::{fault_reason, problem_reason};
use crate::json::flatten::{Flattening, ReadEvent};
use crate::json::frames::{Frame, Frames};
use crate::json::read::read_event;
use crate::json::scan::{Scan, Scanner};
use crate::kinds::ColumnKinds;
use crate::layout::Layout;
use crate::limits::ParseLimits;
use crate::raw::{EventBuffer, Raw};
use crate::rejection::{BatchCounts, RejectReason, Rejection, RowError, RowSink};
use crate::times::TimesSeen;
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
    transforms: Transforms,
    filter: Option<RowFilter>,
    /// Values from within events that are fields.
    pub(crate) flattening: Option<Flattening>,
    pub(crate) buffer: EventBuffer,
    pub(crate) cells: Cells,
    values: Vec<ValueRef<'static>>,
    parts: Vec<Option<&'static str>>,
    pub(crate) counts: BatchCounts,
    /// Values of stored rows that differ from what was sent.
    pub(crate) changes: ChangeReport,
    /// Values of stored events that the schema has no place for.
    pub(crate) ignored: IgnoredCounts,
    /// The timestamp of the event at hand is stored in milliseconds and had more.
    pub(crate) cut_time_ms: Option<i64>,
    /// Columns that became text, since the last call of [`RowParser::take_became_text`].
    pub(crate) became_text: Vec<BecameText>,
    /// What a survey has seen, by dimension.
    pub(crate) kinds: Vec<ColumnKinds>,
    pub(crate) times: TimesSeen,
    pub(crate) pieces: u64,
    /// Only the types of discovered columns are wanted.
    pub(crate) surveys: bool,
    /// A column's type changed: the rows of the batch so far are void.
    pub(crate) retyped: bool,
    /// Dimensions that the values of the event at hand widen.
    pub(crate) grown: Vec<(usize, DiscoveredType)>,
    /// Counts what was learned of columns.
    pub(crate) lessons: u64,
}

/// A dimension that an event brings.
struct Found {
    schema: DimensionSchema,
    discovered_type: DiscoveredType,
    value: Raw,
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
        let filter = schema.transform_spec.filter.as_ref();
        let filter = filter.map(|filter| RowFilter::new(filter, &mut layout));
        layout.finish();
        Ok(Self {
            schema,
            limits,
            layout,
            timestamps,
            transforms,
            filter,
            flattening: None,
            buffer: EventBuffer::default(),
            cells: Cells::default(),
            values: Vec::new(),
            parts: Vec::new(),
            counts: BatchCounts::default(),
            changes: ChangeReport::default(),
            ignored: IgnoredCounts::default(),
            cut_time_ms: None,
            became_text: Vec::new(),
            kinds: Vec::new(),
            times: TimesSeen::default(),
            pieces: 0,
            surveys: false,
            retyped: false,
            grown: Vec::new(),
            lessons: 0,
        })
    }

    /// The dimensions of rows, in the order of their values: declared ones, then discovered ones.
    #[must_use]
    pub fn dimensions(&self) -> &[DimensionSchema] {
        &self.layout.schemas
    }

    /// True for a field that feeds a dimension of text: what it holds is to stay as it is written.
    #[must_use]
    pub fn keeps_text(&self, name: &str) -> bool {
        let mut dimensions = self.layout.dimensions.iter();
        dimensions.any(|plan| plan.name == name && plan.target.is_text())
    }

    /// Sets the moment of receipt of the next batch.
    pub fn set_now_ms(&mut self, now_ms: i64) {
        self.limits.now_ms = now_ms;
    }

    /// Parses a body: JSON objects one after the other, lists of objects, or both. A broken event is reported to the
    /// sink and never stops the rest. When a value widens the type of a discovered column, the sink is told to forget
    /// what it got ([`RowSink::restart`]) and all rows come again: a batch has one type a column.
    ///
    /// # Errors
    /// When the body holds no event, does not begin like JSON, is over two gigabytes, or the sink stops.
    pub fn parse_batch(
        &mut self,
        body: &[u8],
        sink: &mut dyn RowSink,
    ) -> Result<BatchCounts, IngestError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(IngestError::TooLarge { size: body.len(), limit: MAX_BODY_BYTES });
        }
        let text = mask_invalid_utf8(body);
        let start = first_event(&text, body)?;
        let earlier = (std::mem::take(&mut self.changes), std::mem::take(&mut self.ignored));
        loop {
            self.counts = BatchCounts::default();
            self.changes = ChangeReport::default();
            self.ignored = IgnoredCounts::default();
            self.start_batch();
            self.parse_events(start, &text, body, sink)?;
            if !std::mem::take(&mut self.retyped) || self.surveys {
                break;
            }
            sink.restart(&self.layout.schemas).map_err(|error| self.stopped(error))?;
        }
        let changes = std::mem::replace(&mut self.changes, earlier.0);
        self.changes.absorb(changes);
        let ignored = std::mem::replace(&mut self.ignored, earlier.1);
        self.ignored.absorb(ignored);
        if self.counts.received == 0 {
            return Err(IngestError::Empty { offset: body.len() });
        }
        Ok(self.counts)
    }

    /// Lets expressions begin with all they may take, so that a body that is replayed gives the same rows.
    pub(crate) fn start_batch(&mut self) {
        self.pieces += 1;
        self.transforms.start_batch();
        if let Some(filter) = &mut self.filter {
            filter.start_batch();
        }
    }

    fn parse_events(
        &mut self,
        start: usize,
        text: &str,
        body: &[u8],
        sink: &mut dyn RowSink,
    ) -> Result<(), IngestError> {
        let mut frames = Frames::new(text, start);
        loop {
            match frames.next() {
                Frame::End => return Ok(()),
                Frame::Event(start) => self.event(start, text, body, &mut frames, sink)?,
                Frame::Broken { start, problem } => {
                    let reason = problem_reason(problem, start);
                    self.reject(reason, start..frames.position(), body, sink);
                }
            }
        }
    }

    fn event(
        &mut self,
        start: usize,
        text: &str,
        body: &[u8],
        frames: &mut Frames<'_>,
        sink: &mut dyn RowSink,
    ) -> Result<(), IngestError> {
        let limit = start.saturating_add(self.limits.max_event_bytes);
        let end = match self.read_json(text, start, limit) {
            Ok(end) => end,
            Err(fault) => {
                frames.recover(start);
                let reason = fault_reason(&fault, limit, text, body, &self.limits);
                self.reject(reason, start..frames.position(), body, sink);
                return Ok(());
            }
        };
        frames.accept(end);
        if let Err(reason) = self.store_counted(text, sink)? {
            self.reject(reason, start..end, body, sink);
        }
        Ok(())
    }

    /// Reads the event between a place and a limit, with fields made of what is within it; gives its end.
    pub(crate) fn read_json(&mut self, text: &str, start: usize, limit: usize) -> Scan<usize> {
        let mut scanner = Scanner::new(text, start, limit);
        let discover = self.layout.discovers;
        let (table, buffer) = (&mut self.layout.table, &mut self.buffer);
        read_event(&mut scanner, text, table, buffer, &self.limits, discover)?;
        if let Some(flattening) = &mut self.flattening {
            let event = ReadEvent { text, start, end: scanner.at, discover };
            flattening.apply(&event, table, buffer, &self.limits)?;
        }
        Ok(scanner.at)
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
                self.count_changes(body);
            }
            Ok(Outcome::Filtered) => {
                self.counts.filtered += 1;
                sink.filtered();
            }
            Err(RowError::Reject(reason)) => return Ok(Err(reason)),
            Err(stop @ RowError::Stop(_)) => return Err(self.stopped(stop)),
        }
        self.counts.received += 1;
        Ok(Ok(()))
    }

    pub(crate) fn stopped(&self, error: RowError) -> IngestError {
        let message = match error {
            RowError::Stop(message) => message,
            RowError::Reject(reason) => reason.to_string(),
        };
        IngestError::Stopped { position: self.counts.received, message }
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
        let is_cut = self.timestamps.is_cut(raw, body, &self.buffer);
        self.cut_time_ms = is_cut.then_some(timestamp);
        let timestamp_ms =
            self.transforms.run(timestamp, body, &mut self.buffer).map_err(RowError::Reject)?;
        self.check_window(timestamp_ms).map_err(RowError::Reject)?;
        let intervals = &self.schema.granularity_spec.intervals;
        if !intervals.is_empty() && !intervals.iter().any(|i| i.contains(timestamp_ms)) {
            return Ok(Outcome::Filtered);
        }
        if let Some(filter) = &mut self.filter {
            let (layout, buffer) = (&self.layout, &mut self.buffer);
            let kept = filter.keeps(timestamp_ms, body, layout, buffer, &self.limits);
            if !kept.map_err(RowError::Reject)? {
                return Ok(Outcome::Filtered);
            }
        }
        let found = self.discover(body).map_err(RowError::Reject)?;
        self.fill(timestamp_ms, body, &found).map_err(RowError::Reject)?;
        let brought =
            if self.surveys { found.iter().map(|f| f.value).collect() } else { Vec::new() };
        for found in found {
            sink.new_dimension(&found.schema);
            self.add_dimension(found.schema, Some(found.discovered_type));
        }
        if !self.grown.is_empty() {
            self.grow_columns(timestamp_ms, body);
        }
        if self.surveys {
            self.times.see(timestamp_ms);
            self.see_kinds(timestamp_ms, body, &brought);
        } else if !self.retyped {
            self.emit(timestamp_ms, body, sink)?;
        }
        Ok(Outcome::Accepted)
    }

    fn check_window(&self, timestamp_ms: i64) -> Result<(), RejectReason> {
        let (from_ms, to_ms) = self.limits.time_window();
        if (from_ms..to_ms).contains(&timestamp_ms) {
            return Ok(());
        }
        Err(RejectReason::OutsideWindow { timestamp_ms, from_ms, to_ms })
    }

    pub(crate) fn add_dimension(
        &mut self,
        schema: DimensionSchema,
        growing: Option<DiscoveredType>,
    ) {
        if !self.layout.is_declared(&schema.name) {
            self.layout.discovered_count += 1;
        }
        self.lessons += 1;
        self.layout.add_dimension(schema, growing);
    }

    /// The dimensions this event would add, each with its value.
    fn discover(&self, body: &str) -> Result<Vec<Found>, RejectReason> {
        let layout = &self.layout;
        let has_value = |raw: Raw| !raw.is_null() && !matches!(raw, Raw::List { count: 0, .. });
        let found_as = |name: &str, value: Raw| {
            let discovered_type = layout.first_type(name, DiscoveredType::of(value));
            Found { schema: layout.discovered(name, discovered_type), discovered_type, value }
        };
        let mut found = Vec::new();
        for &position in layout.table.pending() {
            let source = layout.pending_source(position);
            let value = Layout::value(source, 0, &self.buffer);
            if has_value(value) {
                found.push(found_as(layout.table.name(position), value));
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
            found.push(found_as(name, value));
        }
        let limit = self.limits.max_discovered_dimensions;
        let mut new = found.iter().filter(|found| !layout.is_declared(&found.schema.name));
        if let Some(found) = new.nth(limit.saturating_sub(layout.discovered_count)) {
            let name = found.schema.name.clone();
            return Err(RejectReason::TooManyDimensions { name, limit });
        }
        Ok(found)
    }

    /// Converts the values of all columns, and notes the dimensions that they widen.
    fn fill(&mut self, timestamp_ms: i64, body: &str, found: &[Found]) -> Result<(), RejectReason> {
        let (buffer, cells, limits) = (&mut self.buffer, &mut self.cells, &self.limits);
        cells.clear();
        self.grown.clear();
        for (index, plan) in self.layout.dimensions.iter().enumerate() {
            let raw = Layout::value(plan.source, timestamp_ms, buffer);
            let mut target = plan.target;
            if let Some(wider) = plan.growing.and_then(|known| known.grown(raw)) {
                target = Target::of_dimension(&wider.column_type());
                self.grown.push((index, wider));
            }
            let column = Column { name: &plan.name, target, is_metric: false, limits };
            coerce(raw, &column, body, buffer, cells)?;
        }
        for Found { schema, value, .. } in found {
            let target = Target::of_dimension(&schema.column_type);
            let column = Column { name: &schema.name, target, is_metric: false, limits };
            coerce(*value, &column, body, buffer, cells)?;
        }
        for plan in &self.layout.metrics {
            let raw = Layout::value(plan.source, timestamp_ms, buffer);
            let column = Column { name: &plan.name, target: plan.target, is_metric: true, limits };
            coerce(raw, &column, body, buffer, cells)?;
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

/// The body as text. Bytes that are not UTF-8 become a control character, which no valid event contains.
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

/// Where an event of a body starts, by its index among all events met; `None` when there are fewer.
#[must_use]
pub fn event_start(body: &[u8], index: u64) -> Option<usize> {
    let text = mask_invalid_utf8(body);
    Frames::new(&text, first_event(&text, body).ok()?).start_of(index)
}

/// Where the first event may start: behind a byte-order mark and blanks.
fn first_event(text: &str, body: &[u8]) -> Result<usize, IngestError> {
    let after_mark = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let blanks = text.as_bytes()[after_mark..].iter().take_while(|byte| blank(byte)).count();
    let offset = after_mark + blanks;
    let message = match body.get(offset) {
        None => return Err(IngestError::Empty { offset }),
        // JSON has no NUL: every second byte of UTF-16 is one.
        Some(b'{' | b'[') if body.get(offset + 1) != Some(&0) => return Ok(offset),
        Some(0xff | 0xfe | 0 | b'{' | b'[') => {
            "it looks like UTF-16: send UTF-8 (iconv -f UTF-16 -t UTF-8)".to_owned()
        }
        Some(byte) => format!("expected '{{' or '[' but found '{}'", byte.escape_ascii()),
    };
    Err(IngestError::NotJson { offset, message })
}
