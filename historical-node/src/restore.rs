//! Restarting: what earlier runs left on the disk and the metadata still call used is served again before a
//! coordinator asks for it, the newest first. No file is opened for that: its name says what it was when it
//! was verified, and the metadata say which columns it has. What is not used any more is removed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use henge_platform::discovery::AnnouncedSchema;
use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::blocking;
use henge_segment::SegmentView;
use henge_types::{SegmentId, SegmentSchema};
use parking_lot::Mutex;

use crate::error::Result;
use crate::left::Opening;
use crate::load::{announced_columns, without_schema};
use crate::{HistoricalNode, Loaded, ServedForm, Serving};

/// Segments that the metadata are asked for at once, and that are announced in one change.
const BATCH: usize = 1_000;

/// Batches on their way at once.
const AT_ONCE: usize = 2;

/// Schemas of segments, by their texts: most segments of a datasource have the same.
type Schemas = Arc<Mutex<HashMap<String, Arc<AnnouncedSchema>>>>;

/// A segment that is used, from the folder, with what it is announced with.
struct Restored {
    loaded: Loaded,
    segment: PublishedSegment,
    schema: Arc<AnnouncedSchema>,
}

impl HistoricalNode {
    /// Serves again what earlier runs left and the metadata call used; gives how many segments that are. To be
    /// called before anybody tells the node what to load. After an error the rest waits until a
    /// coordinator asks for it.
    ///
    /// # Errors
    /// When the metadata or discovery are away.
    pub async fn restore(&self) -> Result<usize> {
        let ids = self.serving.cache.left_ids();
        let batches: Vec<Vec<SegmentId>> = ids.chunks(BATCH).map(<[_]>::to_vec).collect();
        let schemas = Schemas::default();
        let find = |ids| self.find_left(ids, Arc::clone(&schemas));
        let found = stream::iter(batches).map(find).buffered(AT_ONCE);
        let mut found = std::pin::pin!(found);
        let mut count = 0;
        while let Some(batch) = found.try_next().await? {
            count += batch.len();
            self.serve_again(batch)?;
        }
        Ok(count)
    }

    async fn find_left(&self, ids: Vec<SegmentId>, schemas: Schemas) -> Result<Vec<Restored>> {
        let used = self.metadata.find_used(&ids).await?;
        let (serving, form) = (Arc::clone(&self.serving), self.options.form);
        Ok(blocking(move || serving.take_used(&ids, used, form, &schemas)).await?)
    }

    /// Announces a batch as a whole.
    fn serve_again(&self, batch: Vec<Restored>) -> Result<()> {
        let mut add = Vec::with_capacity(batch.len());
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for Restored { loaded, segment, schema } in batch {
            let loaded = Arc::new(loaded);
            let mut served = self.serving.loaded.write();
            served.entry(segment.id.clone()).or_insert_with(|| Arc::clone(&loaded));
            drop(served);
            add.push(self.announcement(&segment, schema));
            match self.wants_to_heat(&loaded) {
                true => cold.push(loaded),
                false => warm.push(loaded),
            }
        }
        self.discovery.announce(&self.options.server_id, add)?;
        self.pin_behind(warm);
        self.heat_behind(cold);
        Ok(())
    }
}

impl Serving {
    /// Of these segments' files, takes those of used ones in the wanted form, and removes those that are not
    /// used any more. Others are left for whoever loads the segment.
    fn take_used(
        self: &Arc<Self>,
        ids: &[SegmentId],
        used: Vec<PublishedSegment>,
        form: ServedForm,
        schemas: &Schemas,
    ) -> Vec<Restored> {
        let known: HashSet<&SegmentId> = used.iter().map(|segment| &segment.id).collect();
        for id in ids.iter().filter(|id| !known.contains(id)) {
            self.cache.remove_left(id);
        }
        drop(known);
        let mut taken = Vec::with_capacity(used.len());
        for segment in used {
            let of_file = Arc::new(without_schema(&segment));
            let left = self.open_left(&of_file, form, Opening::WhenRead);
            let Some(loaded) = left.wanted else {
                self.cache.give_back(&segment.id, left.spare);
                continue;
            };
            match self.schema_of(&loaded, &segment.schema_json, schemas) {
                Ok(schema) => taken.push(Restored { loaded, segment, schema }),
                // A coordinator has it loaded anew.
                Err(error) => {
                    tracing::warn!(segment = %segment.id, %error, "cached file is not usable");
                }
            }
        }
        taken
    }

    /// The columns of a segment: the metadata have them, or its file.
    fn schema_of(
        &self,
        loaded: &Loaded,
        text: &str,
        schemas: &Schemas,
    ) -> Result<Arc<AnnouncedSchema>> {
        if let Some(known) = schemas.lock().get(text) {
            return Ok(Arc::clone(known));
        }
        let Ok(schema) = serde_json::from_str::<SegmentSchema>(text) else {
            return Ok(Arc::new(announced_columns(self.open(loaded)?.schema())));
        };
        let schema = Arc::new(announced_columns(&schema));
        schemas.lock().insert(text.to_owned(), Arc::clone(&schema));
        Ok(schema)
    }
}

#[cfg(test)]
mod tests;
