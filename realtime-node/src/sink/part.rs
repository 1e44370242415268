//! Parts: what a sink has taken out of its index, in memory first, then in a mapped local file.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use henge_index::{IndexSchema, IndexSnapshot};
use henge_platform::metadata::{PendingSegment, PublishedSegment};
use henge_platform::runtime::files::{self, NewFile};
use henge_platform::runtime::{Charge, CpuPool, TemporaryFile, map_file, mapped_damages};
use henge_query::ingest::ProjectionSpec;
use henge_segment::{
    MappedSegment, MergeOptions, SegmentError, SegmentSummary, SegmentView, WriteOptions,
    combine_schemas, merge, rewrite_identity,
};
use henge_tabular::SortedChunk;
use henge_types::{Interval, SegmentId};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{RealtimeError, Result};
use crate::options::RealtimeOptions;
use crate::priority::MERGE_PRIORITY;
use crate::sink::project::add_projections;

/// Rows that take no more additions.
#[derive(Debug)]
pub(super) enum Part {
    /// Still in memory.
    Frozen {
        /// Number within the sink.
        number: u64,
        /// The rows.
        snapshot: Arc<IndexSnapshot>,
        /// Its memory.
        charge: Charge,
    },
    /// In a local file.
    Persisted {
        /// Number within the sink.
        number: u64,
        /// What it took as an index.
        index_bytes: usize,
        /// The rows.
        view: Arc<MappedSegment>,
        /// The file.
        path: PathBuf,
    },
}

impl Part {
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Frozen { number, .. } | Self::Persisted { number, .. } => *number,
        }
    }

    /// Bytes that it takes, or took, as an index.
    pub(super) fn index_bytes(&self) -> usize {
        match self {
            Self::Frozen { charge, .. } => charge.bytes(),
            Self::Persisted { index_bytes, .. } => *index_bytes,
        }
    }

    pub(super) fn view(&self) -> Arc<dyn SegmentView> {
        match self {
            Self::Frozen { snapshot, .. } => Arc::clone(snapshot) as _,
            Self::Persisted { view, .. } => Arc::clone(view) as _,
        }
    }
}

/// Where and how parts and segments are written.
#[derive(Debug, Clone)]
pub(crate) struct PartFiles {
    folder: PathBuf,
    unindexed: Vec<String>,
    /// Names of the dimensions that rows are sorted by before the time.
    before_time: Vec<String>,
    segment: WriteOptions,
    projections: Arc<[ProjectionSpec]>,
    max_merge_bytes: usize,
}

impl PartFiles {
    /// For sinks with these columns and projections.
    #[must_use]
    pub(crate) fn new(
        schema: &IndexSchema,
        projections: &[ProjectionSpec],
        options: &RealtimeOptions,
    ) -> Self {
        let unindexed = schema.dimensions.iter().filter(|dimension| !dimension.bitmap);
        Self {
            folder: options.spill_dir.clone(),
            unindexed: unindexed.map(|dimension| dimension.name.clone()).collect(),
            before_time: schema.before_time.clone(),
            segment: options.segment,
            projections: projections.into(),
            max_merge_bytes: options.max_merge_bytes,
        }
    }

    /// For segments that were published, which say themselves what they hold.
    #[must_use]
    pub(crate) fn of_published(projections: &[ProjectionSpec], options: &RealtimeOptions) -> Self {
        Self {
            folder: options.spill_dir.clone(),
            unindexed: Vec::new(),
            before_time: Vec::new(),
            segment: options.segment,
            projections: projections.into(),
            max_merge_bytes: options.max_merge_bytes,
        }
    }

    /// The file of a part.
    #[must_use]
    pub(crate) fn part_path(&self, id: &SegmentId, number: u64) -> PathBuf {
        self.folder.join(format!("{}-{number}.part", file_stem(id)))
    }

    /// The file of a whole segment on its way to deep storage.
    #[must_use]
    pub(crate) fn segment_path(&self, id: &SegmentId) -> PathBuf {
        self.folder.join(format!("{}.segment", file_stem(id)))
    }

    /// Writes an index as a part and maps it. Parts scan fast and are not compressed: they are read
    /// again soon and live short.
    ///
    /// # Errors
    /// When merging or writing fails.
    pub(crate) fn write_part(
        &self,
        view: &dyn SegmentView,
        id: SegmentId,
        path: &Path,
    ) -> Result<Arc<MappedSegment>> {
        self.write(&[view], id, path, WriteOptions::hot())?;
        map_segment(path)
    }

    /// Writes all rows of a sink as the segment that is to be published as `target`.
    ///
    /// # Errors
    /// When merging or writing fails.
    pub(crate) fn write_segment(
        &self,
        views: &[Arc<dyn SegmentView>],
        target: PendingSegment,
    ) -> Result<WrittenSegment> {
        self.write_within(views, None, target)
    }

    /// Writes the rows of some views whose time lies in an interval.
    ///
    /// # Errors
    /// When merging or writing fails.
    pub(crate) fn write_within(
        &self,
        views: &[Arc<dyn SegmentView>],
        interval: Option<Interval>,
        target: PendingSegment,
    ) -> Result<WrittenSegment> {
        let refs: Vec<&dyn SegmentView> = views.iter().map(AsRef::as_ref).collect();
        let options = MergeOptions { interval, ..self.merge_options(&refs, self.segment)? };
        self.write_merged(views, &options, target)
    }

    /// Writes the rows of some views as the options say.
    ///
    /// # Errors
    /// When merging or writing fails.
    pub(crate) fn write_merged(
        &self,
        views: &[Arc<dyn SegmentView>],
        options: &MergeOptions,
        target: PendingSegment,
    ) -> Result<WrittenSegment> {
        let path = self.segment_path(&target.id);
        let views: Vec<&dyn SegmentView> = views.iter().map(AsRef::as_ref).collect();
        let summary =
            write_beside(&path, |out| Ok(merge(&views, target.id.clone(), options, out)?))?;
        self.finish(path, target, summary)
    }

    /// Writes a partition of a sorted chunk to a file of any name, without a target so far.
    ///
    /// # Errors
    /// When writing fails.
    pub(crate) fn write_sorted(
        &self,
        chunk: &mut SortedChunk,
        partition: usize,
        name: &str,
        stand_in: PendingSegment,
    ) -> Result<WrittenSegment> {
        let path = self.folder.join(format!("{name}.segment"));
        let summary = write_beside(&path, |out| {
            Ok(chunk.write(partition, stand_in.id.clone(), out, self.segment)?)
        })?;
        self.finish(path, stand_in, summary)
    }

    /// Copies a segment under another identity, without encoding its rows again.
    ///
    /// # Errors
    /// When copying fails.
    pub(crate) fn copy_as(
        &self,
        segment: &WrittenSegment,
        target: PendingSegment,
    ) -> Result<WrittenSegment> {
        let path = self.segment_path(&target.id);
        let bytes = map_file(&segment.path).map_err(RealtimeError::io(&segment.path))?;
        let summary =
            write_beside(&path, |out| Ok(rewrite_identity((*bytes).as_ref(), &target.id, out)?))?;
        written(path, target, &summary)
    }

    /// The same, for files in another folder.
    #[must_use]
    pub(crate) fn in_folder(&self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self.clone() }
    }

    /// Adds the projections to a segment file and opens it.
    fn finish(
        &self,
        path: PathBuf,
        target: PendingSegment,
        summary: SegmentSummary,
    ) -> Result<WrittenSegment> {
        let summary = match self.projections.is_empty() {
            true => summary,
            false => {
                let max_bytes = self.max_merge_bytes;
                add_projections(&path, &self.projections, self.segment, max_bytes)?
            }
        };
        written(path, target, &summary)
    }

    fn merge_options(
        &self,
        views: &[&dyn SegmentView],
        write: WriteOptions,
    ) -> Result<MergeOptions> {
        let schemas: Vec<_> = views.iter().map(|view| view.schema()).collect();
        let mut schema = combine_schemas(&schemas)?;
        // Rows may have been sorted otherwise before the datasource declared its order.
        schema.sort_before_time(&self.before_time);
        let unindexed = self.unindexed.clone();
        Ok(MergeOptions { write, unindexed, ..MergeOptions::new(schema) })
    }

    fn write(
        &self,
        views: &[&dyn SegmentView],
        id: SegmentId,
        path: &Path,
        write: WriteOptions,
    ) -> Result<SegmentSummary> {
        let options = self.merge_options(views, write)?;
        write_beside(path, |out| Ok(merge(views, id, &options, out)?))
    }
}

/// Writes a file beside its place and moves it there once it is whole. What is there may be mapped,
/// also from an attempt that failed later: to truncate it would take the process down.
pub(super) fn write_beside<T>(
    path: &Path,
    write: impl FnOnce(BufWriter<NewFile>) -> Result<T>,
) -> Result<T> {
    let beside = TemporaryFile::create(path).map_err(RealtimeError::io(path))?;
    let file = beside.file().map_err(RealtimeError::io(path))?;
    let damages = mapped_damages();
    let written = write(BufWriter::with_capacity(1 << 20, file))?;
    if mapped_damages() != damages {
        // What was read of a mapped file may be zeros: it must not become a segment.
        let reason = "a mapped file was cut short while it was read".to_owned();
        return Err(SegmentError::corrupt(reason).into());
    }
    beside.commit_unsynced().map_err(RealtimeError::io(path))?;
    Ok(written)
}

/// Opens what was written and says what is to be published.
fn written(
    path: PathBuf,
    target: PendingSegment,
    summary: &SegmentSummary,
) -> Result<WrittenSegment> {
    let view = map_segment(&path)?;
    let (min_time_ms, max_time_ms) = summary.time_range.unwrap_or_default();
    let published = PublishedSegment {
        id: target.id,
        shard_spec: target.shard_spec,
        object_key: String::new(),
        size_bytes: summary.size_bytes,
        checksum: summary.checksum,
        row_count: summary.row_count as u64,
        min_time_ms,
        max_time_ms,
        schema_json: serde_json::to_string(view.schema()).unwrap_or_default(),
    };
    Ok(WrittenSegment { path, view, published })
}

/// A whole segment in a local file.
#[derive(Debug)]
pub(crate) struct WrittenSegment {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its rows.
    pub(crate) view: Arc<MappedSegment>,
    /// What to publish; the object's key is still missing.
    pub(crate) published: PublishedSegment,
}

impl WrittenSegment {
    /// Removes the file. Readers that still hold it are not disturbed.
    pub(crate) fn remove_file(&self) {
        if let Err(error) = files::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "failed to remove a segment's local file");
        }
    }
}

/// Removes the files of segments, off the network's threads. A pool that shuts down leaves them to the
/// next start.
pub(crate) async fn remove_files(pool: &CpuPool, segments: Vec<Arc<WrittenSegment>>) {
    let work = move || segments.iter().for_each(|segment| segment.remove_file());
    let _ = pool.spawn(MERGE_PRIORITY, work).await;
}

/// Maps and opens a segment file.
///
/// # Errors
/// When it cannot be mapped or is no segment.
pub(crate) fn map_segment(path: &Path) -> Result<Arc<MappedSegment>> {
    let bytes = map_file(path).map_err(RealtimeError::io(path))?;
    Ok(Arc::new(MappedSegment::open(bytes)?))
}

/// Of one length whatever the datasource's name is: a name may fill a file's name by itself.
fn file_stem(id: &SegmentId) -> String {
    format!(
        "{:016x}_{}_{}_{}_{}",
        xxh3_64(id.datasource.as_bytes()),
        id.interval.start_ms,
        id.interval.end_ms,
        id.version,
        id.partition
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The disk is full for the second attempt: what the first one left is mapped, and stays.
    #[test]
    fn f_47_a_write_that_fails_leaves_what_is_mapped_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.segment");
        write_beside(&path, |mut out| {
            out.write_all(&[7; 10_000]).unwrap();
            Ok(())
        })
        .unwrap();
        let mapped = map_file(&path).unwrap();
        let failed = write_beside::<()>(&path, |mut out| {
            out.write_all(b"half").unwrap();
            Err(RealtimeError::Unavailable("no space left".into()))
        });
        assert!(failed.is_err());
        assert_eq!((*mapped).as_ref(), [7; 10_000]);
        write_beside(&path, |mut out| {
            out.write_all(b"new").unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!((*mapped).as_ref(), [7; 10_000]);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
