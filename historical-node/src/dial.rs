//! The dial: what an operator who sets how much is kept in memory sees of it. By datasource: how much is
//! mapped, how much of that is in memory, what had to be read from disks, and how long segments take to read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use henge_data_node::{ReadFigures, SegmentReads};
use henge_platform::runtime::{MappedFile, blocking};
use henge_platform::telemetry::Metrics;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use crate::error::Result;
use crate::open::OpenSegment;
use crate::{HistoricalNode, HistoricalOptions, Serving};

/// What was found is shown for so long: whoever asks often costs no more than one look.
const SHOWN_FOR: Duration = Duration::from_secs(2);
/// Bytes of mapped files that are looked at each time, in milliseconds; of more, a part.
const LOOKED_BYTES: u64 = 512 << 20;
/// A part is looked at in pieces of this.
const PIECE_BYTES: u64 = 256 << 10;

/// What the figures are shown by.
const LABELS: [&str; 2] = ["tier", "datasource"];

/// One of the figures, as it is shown.
type Figure = fn(&DialFigures) -> u64;

/// What a node's segments take and how they do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Dial {
    /// The node.
    pub server: String,
    /// Its tier.
    pub tier: String,
    /// By datasource, in the order of the names.
    pub datasources: Vec<DatasourceDial>,
    /// Of all together.
    pub total: DialFigures,
}

/// That of a datasource.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DatasourceDial {
    /// The datasource.
    pub datasource: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: DialFigures,
}

/// The figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DialFigures {
    /// Segments that are served.
    pub segments: u64,
    /// Bytes of those that are open, and so mapped.
    pub bytes_mapped: u64,
    /// About how many of these bytes are in memory.
    pub bytes_resident: u64,
    /// Pages that were not in memory when a query needed them, since the start.
    pub page_faults: u64,
    /// Bytes that were read from disks for queries, since the start.
    pub read_bytes: u64,
    /// Reads of segments that found everything in memory, since the start.
    pub cache_hits: u64,
    /// Reads of segments that did not.
    pub cache_misses: u64,
    /// Half of the reads of segments of the last minutes took no longer; 0 without reads.
    pub p50_ms: f64,
    /// All but a hundredth of them.
    pub p99_ms: f64,
}

/// Where the figures of a node come from.
#[derive(Debug)]
pub(crate) struct Figures {
    server: String,
    tier: String,
    serving: Arc<Serving>,
    reads: Arc<SegmentReads>,
    /// What was shown last, and since when.
    shown: Mutex<Option<(Instant, Arc<Dial>)>>,
}

impl HistoricalNode {
    /// What the node's segments take and how they do, as of a moment ago.
    ///
    /// # Errors
    /// When the node is ending.
    pub async fn dial(&self) -> Result<Arc<Dial>> {
        let figures = Arc::clone(&self.figures);
        Ok(blocking(move || figures.look()).await?)
    }
}

impl Figures {
    /// Those of the segments that a node serves.
    pub(crate) fn new(
        options: &HistoricalOptions,
        serving: &Arc<Serving>,
        reads: &Arc<SegmentReads>,
    ) -> Self {
        Self {
            server: options.server_id.to_string(),
            tier: options.tier.to_string(),
            serving: Arc::clone(serving),
            reads: Arc::clone(reads),
            shown: Mutex::default(),
        }
    }

    /// The dial as of a moment ago; takes milliseconds at most.
    fn look(&self) -> Arc<Dial> {
        // Others that ask wait for it.
        let mut shown = self.shown.lock();
        let now = Instant::now();
        if let Some((at, dial)) = &*shown
            && now.saturating_duration_since(*at) < SHOWN_FOR
        {
            return Arc::clone(dial);
        }
        let dial = Arc::new(self.measure());
        *shown = Some((now, Arc::clone(&dial)));
        dial
    }

    fn measure(&self) -> Dial {
        let mut by_datasource: BTreeMap<Arc<str>, DialFigures> = BTreeMap::new();
        let open = self.mapped(&mut by_datasource);
        let mapped_bytes: u64 = open.iter().map(|(_, opened)| opened.file().size_bytes()).sum();
        for (datasource, opened) in &open {
            let figures = by_datasource.entry(Arc::clone(datasource)).or_default();
            figures.bytes_mapped += opened.file().size_bytes();
            figures.bytes_resident += resident_bytes(opened.file(), mapped_bytes);
        }
        let is_kept = |datasource: &str| by_datasource.contains_key(datasource);
        let (reads, all): (HashMap<_, _>, _) = self.reads.figures(is_kept);
        let mut total = DialFigures::default();
        for (datasource, figures) in &mut by_datasource {
            total.segments += figures.segments;
            total.bytes_mapped += figures.bytes_mapped;
            total.bytes_resident += figures.bytes_resident;
            figures.read(reads.get(datasource).copied().unwrap_or_default());
        }
        total.read(all);
        let row = |(datasource, figures): (Arc<str>, DialFigures)| DatasourceDial {
            datasource: datasource.to_string(),
            figures,
        };
        Dial {
            server: self.server.clone(),
            tier: self.tier.clone(),
            datasources: by_datasource.into_iter().map(row).collect(),
            total,
        }
    }

    /// The segments that are open, after all were counted.
    fn mapped(
        &self,
        by_datasource: &mut BTreeMap<Arc<str>, DialFigures>,
    ) -> Vec<(Arc<str>, Arc<OpenSegment>)> {
        let mut open = Vec::new();
        for (id, loaded) in self.serving.loaded.read().iter() {
            by_datasource.entry(Arc::clone(&id.datasource)).or_default().segments += 1;
            // One that is being opened is seen next time.
            let opened = loaded.open.try_lock().and_then(|opened| opened.upgrade());
            open.extend(opened.map(|opened| (Arc::clone(&id.datasource), opened)));
        }
        open
    }

    /// Shows the dial among the process's numbers.
    pub(crate) fn show(self: &Arc<Self>, metrics: &Metrics) {
        let gauge = |name, help, figure: Figure| {
            metrics.gauge_by(name, help, LABELS, self.series(figure));
        };
        gauge("henge_segments_served", "Segments that are served.", |f| f.segments);
        gauge("henge_segments_mapped_bytes", "Bytes of segment files that are mapped.", |f| {
            f.bytes_mapped
        });
        let help = "About how many of the mapped bytes are in memory.";
        gauge("henge_segments_resident_bytes", help, |f| f.bytes_resident);
        let help = "Half of the reads of segments of the last minutes took no more microseconds.";
        gauge("henge_segment_read_p50_us", help, |f| micros(f.p50_ms));
        let help = "All but a hundredth of them took no more microseconds.";
        gauge("henge_segment_read_p99_us", help, |f| micros(f.p99_ms));
        let counter = |name, help, figure: Figure| {
            metrics.counter_by(name, help, LABELS, self.series(figure));
        };
        let help = "Pages that were not in memory when a query needed them.";
        counter("henge_segment_page_faults_total", help, |f| f.page_faults);
        let help = "Bytes that were read from disks for queries.";
        counter("henge_segment_read_bytes_total", help, |f| f.read_bytes);
        let help = "Reads of segments that found everything in memory.";
        counter("henge_segment_cache_hits_total", help, |f| f.cache_hits);
        let help = "Reads of segments that did not.";
        counter("henge_segment_cache_misses_total", help, |f| f.cache_misses);
    }

    /// One figure of each datasource, read when it is asked for.
    fn series(
        self: &Arc<Self>,
        figure: Figure,
    ) -> impl Fn() -> Vec<([String; 2], u64)> + Send + Sync + use<> {
        let figures = Arc::clone(self);
        move || {
            let dial = figures.look();
            let labels = |of: &DatasourceDial| [dial.tier.clone(), of.datasource.clone()];
            dial.datasources.iter().map(|of| (labels(of), figure(&of.figures))).collect()
        }
    }
}

impl DialFigures {
    fn read(&mut self, reads: ReadFigures) {
        let ReadFigures { page_faults, read_bytes, cache_hits, cache_misses, p50_ms, p99_ms } =
            reads;
        (self.page_faults, self.read_bytes) = (page_faults, read_bytes);
        (self.cache_hits, self.cache_misses) = (cache_hits, cache_misses);
        (self.p50_ms, self.p99_ms) = (p50_ms, p99_ms);
    }
}

fn micros(ms: f64) -> u64 {
    (ms * 1_000.0) as u64
}

/// Bytes of a file that are in memory: of a part, when all files have so many bytes that not all can be
/// looked at.
fn resident_bytes(file: &MappedFile, mapped_bytes: u64) -> u64 {
    let size_bytes = file.size_bytes();
    if mapped_bytes <= LOOKED_BYTES {
        return file.resident_bytes(&(0..size_bytes));
    }
    // Evenly over the file, and of each a piece at least.
    let share = LOOKED_BYTES as f64 / mapped_bytes as f64;
    let pieces = ((size_bytes as f64 * share / PIECE_BYTES as f64).ceil() as u64).max(1);
    let (mut looked, mut resident) = (0, 0);
    for piece in 0..pieces {
        let start = size_bytes / pieces * piece;
        let end = (start + PIECE_BYTES).min(size_bytes);
        looked += end - start;
        resident += file.resident_bytes(&(start..end)).min(end - start);
    }
    let part = resident as f64 / looked.max(1) as f64;
    (size_bytes as f64 * part) as u64
}

#[cfg(test)]
mod tests;
