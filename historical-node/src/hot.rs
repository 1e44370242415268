//! The hot form of a segment: in encodings that are scanned as they are, uncompressed or with the codec
//! that the tier wants. It is made in the background, one segment at a time, while the stored form is
//! served, and then takes its place.
//!
//! A hot file is named after the checksum of the stored file it was made from and its own, and takes
//! that name only when it is whole, read back and on disk. After a restart it is served at once; a
//! damaged one is made again from the stored file.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use henge_platform::runtime::{TemporaryFile, map_file, mapped_damages, spawn};
use henge_platform::storage::{PushedObject, checksum_bytes};
use henge_segment::{SegmentSummary, WriteOptions, transcode};
use henge_types::ErrorClass;
use tokio::time::Instant;

use crate::cache::{CachedFile, FileForm, Metered, remove_file};
use crate::error::{HistoricalError, Result};
use crate::{HistoricalNode, Loaded, Serving};

/// Below that of any query.
const PRIORITY: i32 = -1_000_000;

/// Times that the hot form is tried to be made while the stored form proves to be right.
const ATTEMPTS: usize = 3;

impl HistoricalNode {
    /// Whether the tier wants the hot form of what is served in another.
    pub(crate) fn wants_to_heat(&self, loaded: &Loaded) -> bool {
        let form = self.options.form;
        let is_wanted =
            |file| matches!(file, FileForm::Hot { codec, .. } if form.is_written_as(codec));
        form.written().is_some() && !is_wanted(loaded.file.form)
    }

    /// Makes the hot forms of these in the background, one after the other.
    pub(crate) fn heat_behind(&self, cold: Vec<Arc<Loaded>>) {
        if cold.is_empty() {
            return;
        }
        let node = self.clone();
        spawn(async move {
            for stored in cold {
                node.heat(&stored).await;
            }
        });
    }

    /// Makes the hot form and serves it.
    async fn heat(&self, stored: &Arc<Loaded>) {
        for _ in 0..ATTEMPTS {
            let error = match self.change_form(stored).await {
                Ok(()) => {
                    let current = self.serving.loaded.read().get(&stored.segment.id).cloned();
                    return self.pin_behind(current.into_iter().collect());
                }
                Err(error) => error,
            };
            let id = &stored.segment.id;
            tracing::warn!(segment = %id, %error, "stays in its stored form");
            // Any mapped file that was cut short meanwhile makes what was read doubtful. Where it
            // was not this one, it is worth another try.
            if error.class() != ErrorClass::Corrupt
                || self.mend_damaged(vec![Arc::clone(stored)]).await > 0
            {
                return;
            }
        }
    }

    async fn change_form(&self, stored: &Arc<Loaded>) -> Result<()> {
        let stopped = |error: String| HistoricalError::Stopped(error);
        let turn = Arc::clone(&self.transcoding).acquire_owned().await;
        let _turn = turn.map_err(|error| stopped(error.to_string()))?;
        let Some(options) = self.options.form.written() else { return Ok(()) };
        let (serving, read) = (Arc::clone(&self.serving), Arc::clone(stored));
        let changed = self.pool.spawn(PRIORITY, move || serving.change_form(&read, options)).await;
        changed.map_err(|error| stopped(error.to_string()))?
    }
}

impl Serving {
    /// Writes the hot form and serves it in place of `stored`.
    fn change_form(&self, stored: &Arc<Loaded>, options: WriteOptions) -> Result<()> {
        let id = &stored.segment.id;
        if !self.serves(stored) {
            return Ok(());
        }
        let started = Instant::now();
        let hot = Arc::new(self.write_hot(stored, options)?);
        let (stored_bytes, hot_bytes) = (stored.room.size_bytes(), hot.room.size_bytes());
        let mut loaded = self.loaded.write();
        match loaded.get_mut(id) {
            Some(current) if Arc::ptr_eq(current, stored) => *current = Arc::clone(&hot),
            // It was unloaded meanwhile.
            _ => {
                remove_file(&hot.file.path);
                return Ok(());
            }
        }
        drop(loaded);
        // Queries that still read the old file keep its mapping.
        remove_file(&stored.file.path);
        self.close(stored);
        let elapsed_ms = started.elapsed().as_millis() as u64;
        let rows = stored.segment.row_count;
        tracing::debug!(segment = %id, rows, stored_bytes, hot_bytes, elapsed_ms, "serves the hot form");
        Ok(())
    }

    pub(crate) fn serves(&self, stored: &Arc<Loaded>) -> bool {
        let loaded = self.loaded.read();
        loaded.get(&stored.segment.id).is_some_and(|current| Arc::ptr_eq(current, stored))
    }

    fn write_hot(&self, stored: &Loaded, options: WriteOptions) -> Result<Loaded> {
        let segment = &stored.segment;
        let (codec, of) = (options.codec, segment.checksum);
        let form = |checksum| FileForm::Hot { codec, stored: of, checksum };
        let path = self.cache.path(&segment.id, form(None));
        let io = |source| HistoricalError::Io { path: path.clone(), source };
        let damages = mapped_damages();
        let temporary = TemporaryFile::create(&path).map_err(io)?;
        let file = temporary.file().map_err(io)?;
        let mut out = Metered::new(BufWriter::new(file), self.cache.reserve(0)?);
        let summary = transcode(&*self.open(stored)?, options, &mut out)?;
        out.flush().map_err(io)?;
        let written = map_file(temporary.path()).map_err(io)?;
        let SegmentSummary { size_bytes, checksum, .. } = summary;
        if checksum_bytes((*written).as_ref()) != (PushedObject { size_bytes, checksum }) {
            return Err(HistoricalError::WrittenWrong { path: temporary.path().to_owned() });
        }
        if mapped_damages() != damages {
            // What was read may be zeros.
            return Err(HistoricalError::WrongContent { path: stored.file.path.clone() });
        }
        let file = CachedFile {
            path: self.cache.path(&segment.id, form(Some(checksum))),
            form: form(Some(checksum)),
        };
        temporary.named(&file.path).commit().map_err(io)?;
        let room = Arc::new(out.into_room(size_bytes));
        let hot = Loaded::new(file, room, Arc::clone(segment));
        self.open(&hot)?;
        Ok(hot)
    }
}

#[cfg(test)]
pub(crate) mod tests;
