//! The hot form of a segment: uncompressed, in encodings that are scanned as they are. It is made in
//! the background, one segment at a time, while the stored form is served, and then takes its place.
//!
//! A hot file is named after the checksum of the stored file it was made from, and takes that name
//! only when it is whole and on disk. After a restart it is served at once; a damaged one is made
//! again from the stored file, which deep storage always has.

use std::io::{BufWriter, Error, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::{TemporaryFile, map_file};
use henge_platform::storage::{PushedObject, checksum_bytes};
use henge_segment::{SegmentSummary, SegmentView, WriteOptions, transcode};

use crate::cache::{Reservation, remove_file};
use crate::error::{HistoricalError, Result};
use crate::load::open_as;
use crate::{HistoricalNode, Loaded, ServedForm, Serving};

/// Below that of any query.
const PRIORITY: i32 = -1_000_000;

/// Room is set aside in steps of this while a file grows.
const ROOM_STEP_BYTES: u64 = 16 << 20;

impl HistoricalNode {
    /// The hot form that an earlier run of the node made, unless it is damaged or not wanted.
    pub(crate) fn open_hot(&self, segment: &PublishedSegment) -> Result<Option<Loaded>> {
        let path = self.serving.cache.hot_path(&segment.id, segment.checksum);
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { return Ok(None) };
        if self.options.form == ServedForm::AsStored {
            remove_file(&path);
            return Ok(None);
        }
        let room = self.serving.cache.reserve(metadata.len())?;
        match open_as(&path, &segment.id) {
            Ok(mapped) => {
                // What a crash between the two files' changing places left behind.
                remove_file(&self.serving.cache.path(&segment.id));
                Ok(Some(Loaded { mapped: Arc::new(mapped), path, room }))
            }
            Err(error) => {
                tracing::warn!(segment = %segment.id, %error, "hot file is not usable, making it again");
                remove_file(&path);
                Ok(None)
            }
        }
    }

    /// Makes the hot form in the background, unless it is what is served.
    pub(crate) fn heat(&self, segment: &PublishedSegment, stored: Arc<Loaded>) {
        let path = self.serving.cache.hot_path(&segment.id, segment.checksum);
        if self.options.form == ServedForm::AsStored || stored.path == path {
            return;
        }
        let (serving, pool) = (Arc::clone(&self.serving), self.pool.clone());
        let transcoding = Arc::clone(&self.transcoding);
        tokio::spawn(async move {
            let Ok(_turn) = transcoding.acquire_owned().await else { return };
            let id = stored.mapped.id().clone();
            let work = move || serving.change_form(&stored, &path);
            match pool.spawn(PRIORITY, work).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(segment = %id, %error, "stays in its stored form");
                }
                Err(error) => tracing::warn!(segment = %id, %error, "stays in its stored form"),
            }
        });
    }
}

impl Serving {
    /// Writes the hot form to `path` and serves it in place of `stored`.
    fn change_form(&self, stored: &Arc<Loaded>, path: &Path) -> Result<()> {
        let id = stored.mapped.id();
        if !self.serves(stored) {
            return Ok(());
        }
        let started = Instant::now();
        let hot = Arc::new(self.write_hot(stored, path)?);
        let (stored_bytes, hot_bytes) = (stored.room.size_bytes(), hot.room.size_bytes());
        let mut loaded = self.loaded.write();
        match loaded.get_mut(id) {
            Some(current) if Arc::ptr_eq(current, stored) => *current = hot,
            // It was unloaded meanwhile.
            _ => {
                remove_file(path);
                return Ok(());
            }
        }
        drop(loaded);
        // Queries that still read the old file keep its mapping.
        remove_file(&stored.path);
        self.forget_dictionaries(&stored.mapped);
        let elapsed_ms = started.elapsed().as_millis() as u64;
        let rows = stored.mapped.row_count();
        tracing::info!(segment = %id, rows, stored_bytes, hot_bytes, elapsed_ms, "serves the hot form");
        Ok(())
    }

    fn serves(&self, stored: &Arc<Loaded>) -> bool {
        let loaded = self.loaded.read();
        loaded.get(stored.mapped.id()).is_some_and(|current| Arc::ptr_eq(current, stored))
    }

    fn write_hot(&self, stored: &Loaded, path: &Path) -> Result<Loaded> {
        let io = |source| HistoricalError::Io { path: path.to_owned(), source };
        let temporary = TemporaryFile::create(path).map_err(io)?;
        let room = self.cache.reserve(0)?;
        let file = temporary.file().map_err(io)?;
        let mut out = Metered { out: BufWriter::new(file), written_bytes: 0, room };
        let summary = transcode(&stored.mapped, WriteOptions::hot(), &mut out)?;
        out.flush().map_err(io)?;
        let Metered { mut room, .. } = out;
        let written = map_file(temporary.path()).map_err(io)?;
        let SegmentSummary { size_bytes, checksum, .. } = summary;
        if checksum_bytes((*written).as_ref()) != (PushedObject { size_bytes, checksum }) {
            return Err(HistoricalError::WrittenWrong { path: temporary.path().to_owned() });
        }
        temporary.commit().map_err(io)?;
        room.shrink_to(size_bytes);
        let mapped = Arc::new(open_as(path, stored.mapped.id())?);
        Ok(Loaded { mapped, path: path.to_owned(), room })
    }
}

/// A file that may only grow as room is found for it.
struct Metered<W> {
    out: W,
    written_bytes: u64,
    room: Reservation,
}

impl<W: Write> Write for Metered<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let needed_bytes = self.written_bytes + bytes.len() as u64;
        if needed_bytes > self.room.size_bytes() {
            self.room
                .grow_to(needed_bytes.next_multiple_of(ROOM_STEP_BYTES))
                .map_err(|full| Error::new(ErrorKind::StorageFull, full.to_string()))?;
        }
        let taken = self.out.write(bytes)?;
        self.written_bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
