//! The open log: group commit, rotation, truncation.

use std::collections::VecDeque;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::error::{Result, WalError};
use super::frame::{FILE_HEADER_BYTES, FileHeader, MAX_BODY_BYTES, encode_frame, encoded_bytes};
use super::handles::ParkedFile;
use super::io::{DiskWalIo, WalFile, WalIo};
use super::options::WalOptions;
use super::recovery::{LogFile, RecoveryReport, file_path, recover};
use super::replay::Replay;
use super::{WalEntry, WalRecord};
use crate::runtime::crash_point;
use crate::runtime::files::sync_dir;

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
    pub fn open_with(
        directory: &Path,
        options: WalOptions,
        io: Arc<dyn WalIo>,
    ) -> Result<(Self, RecoveryReport)> {
        let runtime = Handle::try_current()
            .map_err(|_| WalError::Invalid("a log is opened within a tokio runtime".into()))?;
        let (mut files, report) = recover(directory)?;
        let named = files.last().map_or(0, |file| file.first_sequence);
        let next_sequence = report
            .last_sequence
            .map_or(1, |last| last + 1)
            .max(named)
            .max(options.minimum_next_sequence);
        // Recovered files are never appended to; an empty one is replaced by the new one.
        let empty = files.pop_if(|file| file.length <= FILE_HEADER_BYTES as u64);
        let mut writer = Writer::new(directory.to_owned(), io, files, next_sequence);
        writer.begin_file()?;
        if let Some(empty) = empty.filter(|file| file.first_sequence != next_sequence) {
            std::fs::remove_file(&empty.path).map_err(|e| WalError::io(&empty.path, &e))?;
        }
        let inner = Arc::new(Inner {
            options,
            runtime,
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
            let inner = Arc::clone(&self.inner);
            self.inner.runtime.spawn_blocking(move || {
                inner.write_waiting();
                inner.note_open_file();
            });
        }
        Ok(ticket)
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
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.inner.queue.lock().next_sequence
    }

    /// The sequence of the last durable record; what `next_sequence - 1` was on opening until then.
    #[must_use]
    pub fn durable_sequence(&self) -> u64 {
        self.inner.writer.lock().last_sequence
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
    runtime: Handle,
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

    /// Writes group after group until nothing waits.
    fn write_waiting(&self) {
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
            self.write_group(group);
        }
    }

    fn write_group(&self, group: Vec<Waiting>) {
        let (records, senders): (Vec<_>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.record, waiting.sender)).unzip();
        let bytes: usize = records.iter().map(|record| encoded_bytes(&record.entry)).sum();
        let outcome = match self.stopped() {
            Some(stopped) => Err(stopped),
            None => self.writer.lock().write(&records, &self.options),
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

/// Owns the files. The last one is open, unless beginning it failed.
#[derive(Debug)]
struct Writer {
    directory: PathBuf,
    io: Arc<dyn WalIo>,
    files: Vec<LogFile>,
    open: Option<OpenFile>,
    last_sequence: u64,
}

#[derive(Debug)]
struct OpenFile {
    /// `None` while it is closed to spare a handle.
    file: Option<Box<dyn WalFile>>,
    salt: u64,
    length: u64,
}

impl Writer {
    fn new(
        directory: PathBuf,
        io: Arc<dyn WalIo>,
        files: Vec<LogFile>,
        next_sequence: u64,
    ) -> Self {
        Self { directory, io, files, open: None, last_sequence: next_sequence.saturating_sub(1) }
    }

    /// Begins a file for the records after the last one.
    fn begin_file(&mut self) -> Result<()> {
        let first_sequence = self.last_sequence + 1;
        let path = file_path(&self.directory, first_sequence);
        let header = FileHeader { first_sequence, salt: rand::random() };
        let bytes = header.encode();
        let file = self
            .io
            .create(&path, &bytes)
            .map_err(|error| WalError::WriteFailed(error.to_string().into()))?;
        let length = bytes.len() as u64;
        self.open = Some(OpenFile { file: Some(file), salt: header.salt, length });
        self.files.push(LogFile { path, first_sequence, length });
        Ok(())
    }

    /// Writes one frame and makes it durable.
    fn write(&mut self, records: &[WalRecord], options: &WalOptions) -> Result<()> {
        let is_full = |open: &OpenFile| {
            open.length > FILE_HEADER_BYTES as u64 && open.length >= options.max_file_bytes
        };
        if self.open.as_ref().is_some_and(is_full) {
            self.open = None;
        }
        if self.open.is_none() {
            self.begin_file()?;
        }
        let (Some(open), Some(entry)) = (&mut self.open, self.files.last_mut()) else {
            return Err(WalError::WriteFailed("no file is open".into()));
        };
        let frame = encode_frame(records, options.codec, open.salt);
        crash_point("wal/before-append");
        let file = match &mut open.file {
            Some(file) => file,
            closed => {
                let file = self.io.reopen(&entry.path);
                closed.insert(file.map_err(|e| WalError::WriteFailed(e.to_string().into()))?)
            }
        };
        append(file.as_mut(), open.length, &frame)?;
        crash_point("wal/before-sync");
        file.sync().map_err(|error| {
            WalError::Stopped(format!("fsync failed, so nothing more is promised: {error}").into())
        })?;
        crash_point("wal/after-sync");
        open.length += frame.len() as u64;
        entry.length = open.length;
        if let Some(last) = records.last() {
            self.last_sequence = last.sequence;
        }
        Ok(())
    }

    fn truncate_before(&mut self, sequence: u64) -> Result<usize> {
        let has_frames = |file: &LogFile| file.length > FILE_HEADER_BYTES as u64;
        // When even the open file is obsolete, a new one takes its place.
        if self.last_sequence < sequence && self.files.last().is_some_and(has_frames) {
            self.open = None;
            self.begin_file()?;
        }
        let obsolete =
            self.files.windows(2).take_while(|pair| pair[1].first_sequence <= sequence).count();
        // Oldest first, so that a crash in between leaves no gap.
        for _ in 0..obsolete {
            let path = self.files[0].path.clone();
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(WalError::io(&path, &error));
                }
                _ => self.files.remove(0),
            };
        }
        if obsolete > 0 {
            sync_dir(&self.directory).map_err(|error| WalError::io(&self.directory, &error))?;
        }
        Ok(obsolete)
    }
}

/// Appends to a file of `length` bytes whole or not at all; what cannot be undone stops the log.
fn append(file: &mut dyn WalFile, length: u64, frame: &[u8]) -> Result<()> {
    let Err(error) = file.append(frame) else {
        return Ok(());
    };
    match file.truncate(length) {
        Ok(()) => Err(WalError::WriteFailed(error.to_string().into())),
        Err(undo) => Err(WalError::Stopped(
            format!("a write failed ({error}) and could not be undone ({undo})").into(),
        )),
    }
}

#[cfg(test)]
mod tests;
