//! Between a source and the writer: what a delivery follows, what of it is published already, and its
//! messages as rows.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use henge_platform::metadata::Position;
use henge_types::Interval;
use parking_lot::{Mutex, RwLock};

use super::intake::Intake;
use super::known::KnownColumns;
use super::published::Published;
use super::row_buffer::{RowBuffer, RowLimits};
use super::schema::DatasourceSchema;
use super::source::{Delivery, Events, Message, Origin, Partition, Positions, ReadRows};
use crate::error::{RealtimeError, Result};
use crate::priority::PUSH_PRIORITY;
use crate::shared::Shared;

/// Rows times columns that are read at once: about a second's work.
pub(crate) const MAX_VALUES: u64 = 100_000_000;

/// How often memory is asked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The newest schema of a datasource, which changes while it is read.
pub(crate) type NewestSchema = Arc<RwLock<Arc<DatasourceSchema>>>;

/// What was read so far.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) positions: Positions,
    published: Published,
    newest: NewestSchema,
    /// Reads messages; made when the first come. Never locked by two.
    intake: Mutex<Option<Intake>>,
    /// Messages that came again and were left out.
    repeated: u64,
    /// Partitions of which events are missing: nothing behind the gap is read.
    ended: BTreeSet<Partition>,
}

/// Messages as rows.
struct Piece {
    /// Of the last of them.
    position: Position,
    bytes: u64,
    known: Arc<KnownColumns>,
    buffer: RowBuffer,
}

/// Messages that are read together: of all of them the same times wait, or all times.
struct Run {
    messages: Vec<Message>,
    waiting: Option<Vec<Interval>>,
}

impl Reading {
    /// Goes on behind what is published.
    pub(crate) fn new(published: &Published, newest: NewestSchema) -> Self {
        let positions = published.positions();
        Self {
            positions,
            published: published.clone(),
            newest,
            intake: Mutex::default(),
            repeated: 0,
            ended: BTreeSet::new(),
        }
    }

    /// The rows of a delivery that are not published and were not read before.
    ///
    /// # Errors
    /// `SourceGap` when events before it are missing, once: what the partition gives behind it is left
    /// out. Others when its messages cannot be read.
    pub(super) async fn rows(
        &mut self,
        shared: &Shared,
        delivery: Delivery,
    ) -> Result<Vec<ReadRows>> {
        let Delivery { partition, after, events } = delivery;
        if self.ended.contains(&partition) {
            return Ok(Vec::new());
        }
        if let Some(after) = &after
            && let Err(gap) = self.check_follows(&partition, after)
        {
            self.ended.insert(partition);
            return Err(gap);
        }
        match events {
            Events::Rows(mut rows) => {
                if let Some(waiting) = self.published.waiting_times(&partition, &rows.position) {
                    rows.buffer.keep_times(waiting);
                }
                Ok(vec![*rows])
            }
            Events::Messages(messages) => {
                let mut rows = Vec::new();
                for run in self.runs(&partition, messages) {
                    rows.extend(self.read(shared, &partition, run).await?);
                }
                Ok(rows)
            }
        }
    }

    /// What is missing is never passed over: whoever runs the source says what is to be done about it.
    fn check_follows(&self, partition: &Partition, after: &Position) -> Result<()> {
        let Some(last) = self.positions.get(partition) else { return Ok(()) };
        match (self.published.order())(after, last) {
            Ordering::Less | Ordering::Equal => Ok(()),
            Ordering::Greater => Err(RealtimeError::SourceGap {
                partition: partition.to_string(),
                last: Box::new(last.clone()),
                next: Box::new(after.clone()),
            }),
        }
    }

    /// Cuts messages where other times of them wait, without those that were read before.
    fn runs(&mut self, partition: &Partition, messages: Vec<Message>) -> Vec<Run> {
        let order = self.published.order();
        let last = self.positions.get(partition);
        let is_new = |message: &Message| {
            last.is_none_or(|last| order(&message.position, last) == Ordering::Greater)
        };
        let before = messages.len();
        let mut runs: Vec<Run> = Vec::new();
        for message in messages.into_iter().filter(is_new) {
            let waiting = self.published.waiting_times(partition, &message.position);
            match runs.last_mut() {
                Some(run) if run.waiting.as_deref() == waiting => run.messages.push(message),
                _ => {
                    let waiting = waiting.map(<[_]>::to_vec);
                    runs.push(Run { messages: vec![message], waiting });
                }
            }
        }
        let repeated = before - runs.iter().map(|run| run.messages.len()).sum::<usize>();
        if repeated > 0 {
            self.repeated += repeated as u64;
            tracing::info!(%partition, repeated, all = self.repeated, "left out what came again");
        }
        runs
    }

    async fn read(&mut self, shared: &Shared, partition: &str, run: Run) -> Result<Vec<ReadRows>> {
        let Run { mut messages, waiting } = run;
        let received_at_ms = shared.clock.now_ms();
        let pieces = loop {
            let intake = self.intake(shared)?;
            let limits = RowLimits {
                max_chunks: shared.options.max_open_chunks,
                max_values: MAX_VALUES,
                account: shared.requests.clone(),
            };
            let work = move || read_messages(intake, messages, received_at_ms, &limits);
            let (intake, messages_back, pieces) =
                shared.ingest_pool.spawn(PUSH_PRIORITY, work).await?;
            *self.intake.get_mut() = Some(intake);
            messages = messages_back;
            match pieces {
                // What a source gave is not given again: it waits for room.
                Err(RealtimeError::Memory(_)) => tokio::time::sleep(LOOK_AGAIN).await,
                pieces => break pieces?,
            }
        };
        let version = self.intake(shared)?;
        let schema = Arc::clone(&version.schema);
        *self.intake.get_mut() = Some(version);
        let rows = |mut piece: Piece| {
            if let Some(waiting) = &waiting {
                piece.buffer.keep_times(waiting);
            }
            let text = format!("partition '{partition}', up to position {}", piece.position);
            ReadRows {
                position: piece.position,
                schema: Arc::clone(&schema),
                known: piece.known,
                received_at_ms,
                request_bytes: piece.bytes,
                buffer: piece.buffer,
                letters: Some(Origin { text, record: None }),
                receipt: None,
            }
        };
        Ok(pieces.into_iter().map(rows).collect())
    }

    /// A parser for the newest schema that knows what events brought.
    fn intake(&mut self, shared: &Shared) -> Result<Intake> {
        let newest = Arc::clone(&self.newest.read());
        match self.intake.get_mut().take() {
            Some(intake) if intake.schema.version == newest.version => Ok(intake),
            _ => {
                let columns = self.published.columns(newest.version);
                Intake::knowing(newest, &shared.options.parse_limits, &columns)
            }
        }
    }
}

/// Reads messages together; where one of them is broken, one by one, so that it harms no other. What
/// is refused for want of memory can be read again.
fn read_messages(
    mut intake: Intake,
    messages: Vec<Message>,
    now_ms: i64,
    limits: &RowLimits,
) -> (Intake, Vec<Message>, Result<Vec<Piece>>) {
    let before = Arc::clone(&intake.known);
    let pieces = read_together(&mut intake, &messages, now_ms, limits).and_then(|together| {
        if let Some(together) = together {
            return Ok(vec![together]);
        }
        intake.roll_back(&before)?;
        messages.iter().map(|message| read_one(&mut intake, message, now_ms, limits)).collect()
    });
    let restored = if pieces.is_err() { intake.roll_back(&before) } else { Ok(()) };
    (intake, messages, restored.and(pieces))
}

/// `None` when not every message is one event that became a row or was left out.
fn read_together(
    intake: &mut Intake,
    messages: &[Message],
    now_ms: i64,
    limits: &RowLimits,
) -> Result<Option<Piece>> {
    let body = joined(messages);
    match intake.read(&body, now_ms, limits.clone()) {
        Ok(read) if read.counts.rejected == 0 && read.counts.received == messages.len() as u64 => {
            let Some(last) = messages.last() else { return Ok(None) };
            let (position, bytes) = (last.position.clone(), body.len() as u64);
            let known = Arc::clone(&intake.known);
            Ok(Some(Piece { position, bytes, known, buffer: read.buffer }))
        }
        Err(error @ RealtimeError::Memory(_)) => Err(error),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// A message that is no event at all is refused like an event.
fn read_one(
    intake: &mut Intake,
    message: &Message,
    now_ms: i64,
    limits: &RowLimits,
) -> Result<Piece> {
    let before = Arc::clone(&intake.known);
    let buffer = match intake.read(&message.body, now_ms, limits.clone()) {
        Ok(read) => read.buffer,
        Err(error @ RealtimeError::Memory(_)) => return Err(error),
        Err(error) => {
            intake.roll_back(&before)?;
            RowBuffer::refused(limits.clone(), &error.to_string(), &message.body)
        }
    };
    let (position, bytes) = (message.position.clone(), message.body.len() as u64);
    Ok(Piece { position, bytes, known: Arc::clone(&intake.known), buffer })
}

/// The messages as one body, each on lines of its own.
fn joined(messages: &[Message]) -> Bytes {
    if let [only] = messages {
        return only.body.clone();
    }
    let mut body =
        BytesMut::with_capacity(messages.iter().map(|message| message.body.len() + 1).sum());
    for message in messages {
        body.put_slice(&message.body);
        body.put_u8(b'\n');
    }
    body.freeze()
}
