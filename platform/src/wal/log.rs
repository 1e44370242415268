//! The open log: group commit, rotation, truncation.

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::error::{Result, WalError};
use super::frame::{FrameBuffers, MAX_BODY_BYTES, encoded_bytes};
use super::handles::ParkedFile;
use super::header::Link;
use super::io::{DiskWalIo, WalIo};
use super::mark::LogMark;
use super::options::WalOptions;
use super::recovery::{RecoveryReport, recover};
use super::replay::Replay;
use super::tail::remove_tail;
use super::writer::Writer;
use super::{WalEntry, WalRecord};
use crate::runtime::BlockingThreads;

/// One datasource's log; clones share it.
///
/// There is no thread per log: whoever appends while nobody writes starts a writer on the
/// runtime's blocking threads, which goes on until nothing waits.
#[derive(Debug, Clone)]
pub struct Wal {
    inner: Arc<Inner>,
}

impl Wal {
    /// Opens a log, verifying all of it. Must be called within a tokio runtime. Blocks.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are damaged anywhere but at the very end.
    pub fn open(directory: &Path, options: WalOptions) -> Result<(Self, RecoveryReport)> {
        Self::open_with(directory, options, Arc::new(DiskWalIo))
    }

    /// Opens a log over other file operations.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn open_with(
        directory: &Path,
        options: WalOptions,
        io: Arc<dyn WalIo>,
    ) -> Result<(Self, RecoveryReport)> {
        let threads = BlockingThreads::current()
            .ok_or_else(|| WalError::Invalid("a log is opened within a tokio runtime".into()))?;
        let expected = options.expected();
        let found = recover(directory, expected, &options.marks)?;
        let generation = found.mark.map_or(1, |mark| mark.generation.max(1));
        let (mut files, report) = (found.files, found.report);
        // Recovered files are never appended to; an empty one is replaced by the new one.
        let empty = files.pop_if(|file| file.is_empty);
        let end = Link { sequence: found.end.sequence.max(expected.committed), ..found.end };
        let next_sequence = end.sequence + 1;
        let (whose, marks) = ((options.identity, generation), options.marks.clone());
        let mut writer = Writer::new(directory.to_owned(), io, files, end, whose, marks);
        writer.begin_file()?;
        if let Some(empty) = empty.filter(|file| file.first_sequence != next_sequence) {
            std::fs::remove_file(&empty.path).map_err(|e| WalError::io(&empty.path, &e))?;
        }
        writer.note_end(end.sequence);
        remove_tail(directory).map_err(|error| WalError::io(directory, &error))?;
        let inner = Arc::new(Inner {
            options,
            recovery: report.clone(),
            threads,
            queue: Mutex::new(Queue::new(next_sequence)),
            writer: Mutex::new(writer),
        });
        inner.note_open_file();
        Ok((Self { inner }, report))
    }

    /// Appends an entry; its sequence comes back once it is durable.
    ///
    /// # Errors
    /// `WriteFailed` when it is certainly not stored, `Stopped` when that is not known, `Behind`
    /// when too much waits, `Invalid` when it is too large.
    pub async fn append(&self, entry: WalEntry) -> Result<u64> {
        self.submit(entry)?.await
    }

    /// Queues an entry; entries become durable in the order of their sequences.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn submit(&self, entry: WalEntry) -> Result<AppendTicket> {
        let (ticket, start_writer) = self.inner.enqueue(entry)?;
        if start_writer {
            self.inner.start_writer();
        }
        Ok(ticket)
    }

    /// Appends records of another log under the sequences that they have there, ascending behind all that
    /// this one has. When it fails the log ends with one of them, or as before: it gets no gap.
    ///
    /// # Errors
    /// As [`append`](Self::append); `Invalid` when the sequences are not.
    pub async fn append_copies(&self, records: Vec<WalRecord>) -> Result<()> {
        if !records.is_sorted_by(|before, after| before.sequence < after.sequence) {
            return Err(WalError::Invalid("the sequences of copies do not ascend".into()));
        }
        let mut records = VecDeque::from(records);
        while !records.is_empty() {
            let mut bytes = 0;
            let of_a_frame = records.iter().take_while(|record| {
                let is_first = bytes == 0;
                bytes += encoded_bytes(&record.entry);
                is_first || bytes <= self.inner.options.max_group_bytes
            });
            let count = of_a_frame.count();
            let (last, start_writer) = self.inner.enqueue_copies(records.drain(..count))?;
            if start_writer {
                self.inner.start_writer();
            }
            // Of one frame, so all of them are durable with the last, or none is.
            last.await?;
        }
        Ok(())
    }

    /// Whether an entry with a payload of this size would be taken now: what costs anything may be
    /// left undone when it would not.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn check_room(&self, payload_bytes: usize) -> Result<()> {
        self.inner.queue.lock().check_room(payload_bytes as u64, &self.inner.options)
    }

    /// The sequence that the next append gets.
    #[cfg(test)]
    #[must_use]
    pub(super) fn next_sequence(&self) -> u64 {
        self.inner.queue.lock().next_sequence
    }

    /// The sequence of the last durable record; one below the first that it may get when it has none.
    #[must_use]
    pub fn durable_sequence(&self) -> u64 {
        self.inner.writer.lock().end.sequence
    }

    /// The log's mark.
    #[must_use]
    pub fn mark(&self) -> Option<LogMark> {
        self.inner.options.marks.get(self.inner.options.identity)
    }

    /// What was found on opening it.
    #[must_use]
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.recovery
    }

    /// Bytes of all files.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.inner.writer.lock().files.iter().map(|file| file.length).sum()
    }

    /// Why the log has stopped, when it has.
    #[must_use]
    pub fn stopped(&self) -> Option<WalError> {
        self.inner.queue.lock().stopped.clone()
    }

    /// The durable records from a sequence on. Blocks while it reads.
    #[must_use]
    pub fn replay(&self, from_sequence: u64) -> Replay {
        Replay::new(self.inner.writer.lock().files.clone(), from_sequence)
    }

    /// Deletes the files whose records are all below `sequence`. Blocks.
    ///
    /// # Errors
    /// When a file cannot be deleted or a new one cannot be begun.
    pub fn truncate_before(&self, sequence: u64) -> Result<usize> {
        self.inner.writer.lock().truncate_before(sequence)
    }
}

/// The future of an append.
#[derive(Debug)]
#[must_use = "an append is durable only once its ticket says so"]
pub struct AppendTicket {
    sequence: u64,
    receiver: oneshot::Receiver<Result<u64>>,
}

impl AppendTicket {
    /// The entry's sequence; it counts only once the ticket completes without an error.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl Future for AppendTicket {
    type Output = Result<u64>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<u64>> {
        Pin::new(&mut self.receiver).poll(context).map(|received| {
            received.unwrap_or_else(|_| Err(WalError::Stopped("the process is ending".into())))
        })
    }
}

#[derive(Debug)]
struct Inner {
    options: WalOptions,
    recovery: RecoveryReport,
    threads: BlockingThreads,
    queue: Mutex<Queue>,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Waiting {
    record: WalRecord,
    sender: oneshot::Sender<Result<u64>>,
}

#[derive(Debug)]
struct Queue {
    next_sequence: u64,
    waiting: VecDeque<Waiting>,
    waiting_bytes: u64,
    writer_runs: bool,
    stopped: Option<WalError>,
}

impl Queue {
    fn new(next_sequence: u64) -> Self {
        Self {
            next_sequence,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            writer_runs: false,
            stopped: None,
        }
    }

    fn check_room(&self, bytes: u64, options: &WalOptions) -> Result<()> {
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        // An idle log takes any entry, however large, so that none is refused for ever.
        if self.waiting_bytes > 0 && self.waiting_bytes + bytes > options.max_waiting_bytes {
            return Err(WalError::Behind { waiting_bytes: self.waiting_bytes });
        }
        Ok(())
    }

    /// Entries for one frame; at least one when any waits.
    fn take_group(&mut self, max_bytes: usize) -> Vec<Waiting> {
        let mut group = Vec::new();
        let mut group_bytes = 0;
        while let Some(first) = self.waiting.front() {
            let bytes = encoded_bytes(&first.record.entry);
            if !group.is_empty() && group_bytes + bytes > max_bytes {
                break;
            }
            group_bytes += bytes;
            group.extend(self.waiting.pop_front());
        }
        group
    }
}

impl Inner {
    fn enqueue(&self, entry: WalEntry) -> Result<(AppendTicket, bool)> {
        check_entry(&entry)?;
        let bytes = encoded_bytes(&entry) as u64;
        let mut queue = self.queue.lock();
        queue.check_room(bytes, &self.options)?;
        let (sender, receiver) = oneshot::channel();
        let sequence = queue.next_sequence;
        queue.next_sequence += 1;
        queue.waiting_bytes += bytes;
        queue.waiting.push_back(Waiting { record: WalRecord { sequence, entry }, sender });
        let start_writer = !std::mem::replace(&mut queue.writer_runs, true);
        Ok((AppendTicket { sequence, receiver }, start_writer))
    }

    /// Queues records at once, so that they are written as one frame; gives the ticket of the last.
    fn enqueue_copies(
        &self,
        records: impl Iterator<Item = WalRecord>,
    ) -> Result<(AppendTicket, bool)> {
        let records: Vec<WalRecord> = records.collect();
        records.iter().try_for_each(|record| check_entry(&record.entry))?;
        let mut queue = self.queue.lock();
        let mut next = queue.next_sequence;
        for record in &records {
            if record.sequence < next {
                return Err(WalError::Invalid(format!(
                    "record {} does not lie behind the end of the copy, {}",
                    record.sequence,
                    next - 1
                )));
            }
            next = record.sequence + 1;
        }
        let bytes: usize = records.iter().map(|record| encoded_bytes(&record.entry)).sum();
        queue.check_room(bytes as u64, &self.options)?;
        let nothing = || WalError::Invalid("there are no records to append".into());
        let mut last = None;
        for record in records {
            let (sender, receiver) = oneshot::channel();
            last = Some(AppendTicket { sequence: record.sequence, receiver });
            queue.waiting.push_back(Waiting { record, sender });
        }
        queue.next_sequence = next;
        queue.waiting_bytes += bytes as u64;
        let start_writer = !std::mem::replace(&mut queue.writer_runs, true);
        Ok((last.ok_or_else(nothing)?, start_writer))
    }

    /// Writes what waits, on a thread that may block.
    fn start_writer(self: &Arc<Self>) {
        let inner = Arc::clone(self);
        self.threads.start(move || {
            inner.write_waiting();
            inner.note_open_file();
        });
    }

    /// Writes group after group until nothing waits.
    fn write_waiting(&self) {
        let mut buffers = FrameBuffers::default();
        loop {
            let group = {
                let mut queue = self.queue.lock();
                let group = queue.take_group(self.options.max_group_bytes);
                if group.is_empty() {
                    queue.writer_runs = false;
                    return;
                }
                group
            };
            self.write_group(group, &mut buffers);
        }
    }

    fn write_group(&self, group: Vec<Waiting>, buffers: &mut FrameBuffers) {
        let (records, senders): (Vec<_>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.record, waiting.sender)).unzip();
        let bytes: usize = records.iter().map(|record| encoded_bytes(&record.entry)).sum();
        let outcome = match self.stopped() {
            Some(stopped) => Err(stopped),
            None => self.writer.lock().write(&records, &self.options, buffers),
        };
        {
            let mut queue = self.queue.lock();
            queue.waiting_bytes = queue.waiting_bytes.saturating_sub(bytes as u64);
            if let Err(stopped @ WalError::Stopped(_)) = &outcome {
                queue.stopped.get_or_insert_with(|| stopped.clone());
            }
        }
        for (record, sender) in records.iter().zip(senders) {
            // A client that has gone away does not undo what is durable.
            let _ = sender.send(outcome.clone().map(|()| record.sequence));
        }
    }

    fn stopped(&self) -> Option<WalError> {
        self.queue.lock().stopped.clone()
    }

    /// Counts this log's file among the open ones of the process, which may close that of another.
    fn note_open_file(self: &Arc<Self>) {
        let log: Weak<Self> = Arc::downgrade(self);
        self.options.handles.note_use(log);
    }
}

impl ParkedFile for Inner {
    fn close_file(&self) -> bool {
        // A log that is being written to is in use.
        let Some(mut writer) = self.writer.try_lock() else { return false };
        if let Some(open) = &mut writer.open {
            open.file = None;
        }
        true
    }
}

fn check_entry(entry: &WalEntry) -> Result<()> {
    if entry.idempotency_key.as_ref().is_some_and(|key| key.len() > usize::from(u16::MAX)) {
        return Err(WalError::Invalid("the idempotency key is longer than 65535 bytes".into()));
    }
    if encoded_bytes(entry) > MAX_BODY_BYTES {
        return Err(WalError::Invalid(format!("an entry has more than {MAX_BODY_BYTES} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
