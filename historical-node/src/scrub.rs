//! Scrubbing: every served file and its object in deep storage are read again, slowly, one after the
//! other, so that bytes that rot where no query reads them are found while there is a good copy.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::runtime::{blocking, spawn};
use henge_platform::storage::{ChecksumReader, PushedObject, StorageError};
use henge_platform::telemetry::{Counter, Metrics};
use henge_types::SegmentId;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::{HistoricalError, Result};
use crate::losses::Losses;
use crate::pin::Pins;
use crate::{HistoricalNode, Loaded};

/// The shortest time from one pass over all segments to the next, in parts: between them it is looked what
/// others lost.
const PASS_PAUSES: u32 = 6;
const PASS_PAUSE: Duration = Duration::from_secs(10);

/// What was found and done.
#[derive(Debug, Clone, Default)]
pub(crate) struct CareMetrics {
    pub(crate) scrubbed_bytes: Counter,
    pub(crate) found: Counter,
    pub(crate) repaired: Counter,
    /// Segments whose object is damaged and could not be mended so far, and why.
    pub(crate) endangered: Arc<Mutex<BTreeMap<SegmentId, String>>>,
    /// What other nodes lost.
    pub(crate) losses: Arc<Mutex<Losses>>,
}

impl HistoricalNode {
    /// Shows the dial, and what scrubbing and mending find and do.
    pub fn show(&self, metrics: &Metrics) {
        self.figures.show(metrics);
        let shown = [
            (
                "henge_scrubbed_bytes_total",
                "Bytes read again to find damage.",
                &self.care.scrubbed_bytes,
            ),
            ("henge_damages_found_total", "Damaged cached files and objects.", &self.care.found),
            ("henge_damages_repaired_total", "Of these, made good again.", &self.care.repaired),
        ];
        for (name, help, counter) in shown {
            let counter = counter.clone();
            metrics.counter_of(name, help, &[], move || counter.get());
        }
        let on_demand = [
            (
                "henge_blocks_fetched_bytes_total",
                "Bytes fetched of segments that are served on demand.",
                &self.serving.blocks.fetched_bytes,
            ),
            (
                "henge_blocks_requests_total",
                "Ranges that were asked of deep storage for that.",
                &self.serving.blocks.requests,
            ),
        ];
        for (name, help, counter) in on_demand {
            let counter = counter.clone();
            metrics.counter_of(name, help, &[], move || counter.get());
        }
        let serving = Arc::clone(&self.serving);
        let help = "Segments that are open although perhaps nobody reads them.";
        metrics.gauge("henge_segments_open", help, &[], move || serving.open.kept_count() as u64);
        let serving = Arc::clone(&self.serving);
        let help = "Bytes of segments that are locked in memory.";
        metrics.gauge("henge_segments_locked_bytes", help, &[], move || {
            serving.pins.as_ref().map_or(0, Pins::locked_bytes)
        });
        let serving = Arc::clone(&self.serving);
        let help = "Bytes of segment files on the disk, those that are being fetched included.";
        metrics.gauge("henge_segment_cache_bytes", help, &[], move || serving.cache.used_bytes());
        let serving = Arc::clone(&self.serving);
        let help = "The most bytes of them.";
        metrics.gauge("henge_segment_cache_limit_bytes", help, &[], move || {
            serving.cache.capacity_bytes()
        });
        let disk = Arc::clone(&self.disk);
        let help = "1 while the disk of the segment cache does not answer.";
        metrics.gauge("henge_disk_hangs", help, &[], move || disk.trouble().is_some().into());
        let endangered = Arc::clone(&self.care.endangered);
        let help =
            "Served segments whose object is damaged or gone and could not be mended so far.";
        metrics
            .gauge("henge_segments_endangered", help, &[], move || endangered.lock().len() as u64);
    }

    /// Segments that are served while their object in deep storage is damaged or gone and could not be
    /// mended so far, with the reasons.
    #[must_use]
    pub fn endangered(&self) -> BTreeMap<SegmentId, String> {
        self.care.endangered.lock().clone()
    }

    /// Reads everything that is served again and again, as fast as the options allow, until the node
    /// is dropped.
    pub fn scrub(self: &Arc<Self>) {
        let bytes_per_second = self.options.scrub_bytes_per_second;
        if bytes_per_second == 0 {
            return;
        }
        let weak = Arc::downgrade(self);
        spawn(async move {
            while let Some(node) = weak.upgrade() {
                node.scrub_once(bytes_per_second).await;
                drop(node);
                for _ in 0..PASS_PAUSES {
                    tokio::time::sleep(PASS_PAUSE).await;
                    if let Some(node) = weak.upgrade() {
                        node.heed_losses(bytes_per_second).await;
                    }
                }
            }
        });
    }

    /// One pass over what is served.
    pub async fn scrub_once(&self, bytes_per_second: u64) {
        let all: Vec<Arc<Loaded>> = self.serving.loaded.read().values().cloned().collect();
        // What is served on demand is verified as it is fetched, and again when it is opened and read.
        let all = all.into_iter().filter(|loaded| loaded.blocks.is_none());
        for loaded in all {
            self.heed_losses(bytes_per_second).await;
            let id = &loaded.segment.id;
            if let Err(error) = self.scrub_file(&loaded, bytes_per_second).await {
                tracing::warn!(segment = %id, %error, "failed to scrub a cached file");
            }
            if !self.serves(&loaded) {
                continue;
            }
            if let Err(error) = self.care_for_object(&loaded).await {
                tracing::warn!(segment = %id, %error, "failed to scrub or mend an object");
            }
            self.care.scrubbed_bytes.add(loaded.segment.size_bytes);
            tokio::time::sleep(time_for(loaded.segment.size_bytes, bytes_per_second)).await;
        }
    }

    /// Reads a file in pieces; a damaged one is replaced.
    async fn scrub_file(&self, loaded: &Arc<Loaded>, bytes_per_second: u64) -> Result<()> {
        let read = self.read_slowly(loaded.file.path.clone(), bytes_per_second).await;
        if !self.serves(loaded) {
            return Ok(());
        }
        let expected = loaded.expected();
        let reason = match read {
            Ok(actual) if actual == expected => return Ok(()),
            Ok(actual) if actual.size_bytes != expected.size_bytes => {
                format!("{} bytes, not {}", actual.size_bytes, expected.size_bytes)
            }
            Ok(_) => self.place_of_damage(loaded).await,
            Err(HistoricalError::Storage(StorageError::Io { source, .. }))
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                "the file is gone".to_owned()
            }
            Err(error) => return Err(error),
        };
        self.replace(loaded, &reason).await;
        Ok(())
    }

    async fn read_slowly(&self, path: PathBuf, bytes_per_second: u64) -> Result<PushedObject> {
        let mut reader = blocking(move || ChecksumReader::open(&path)).await??;
        let mut due = Instant::now();
        loop {
            let read;
            (read, reader) = blocking(move || (reader.read_piece(), reader)).await?;
            let bytes = read? as u64;
            if bytes == 0 {
                return Ok(reader.finish());
            }
            self.care.scrubbed_bytes.add(bytes);
            due += time_for(bytes, bytes_per_second);
            tokio::time::sleep_until(due).await;
        }
    }

    /// Which column and block is damaged, as far as that can be said.
    async fn place_of_damage(&self, loaded: &Arc<Loaded>) -> String {
        let (serving, read) = (Arc::clone(&self.serving), Arc::clone(loaded));
        let verify = move || Ok(serving.open(&read)?.verify()?);
        match self.pool.spawn::<Result<_>, _>(i32::MIN, verify).await {
            Ok(Err(error)) => error.to_string(),
            _ => "its checksum is not that of its name".to_owned(),
        }
    }
}

/// The time that so many bytes may take.
pub(crate) fn time_for(bytes: u64, bytes_per_second: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / bytes_per_second.max(1) as f64)
}
