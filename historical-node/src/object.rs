//! Caring for objects in deep storage: one that is damaged or gone is stored again from the cached file.
//!
//! A file of the stored form goes back as it is. One of the hot form is written in the stored form
//! again ([`crate::recode`]): where that gives the very bytes that the metadata record, they take the
//! object's place. Where it does not, because another version of this program wrote the object, the
//! same rows become a new object, and the metadata name that one from then on.

use std::sync::Arc;

use henge_platform::metadata::{MetadataError, PublishedSegment, SegmentObject};
use henge_platform::runtime::blocking;
use henge_platform::runtime::files::rename_durably;
use henge_platform::storage::{
    Payload, PushedObject, StorageError, checksum_file, segment_object_key,
};

use crate::cache::{CachedFile, FileForm, remove_file};
use crate::error::{HistoricalError, Result};
use crate::load::stored_object;
use crate::recode::Recoded;
use crate::{HistoricalNode, Loaded, Serving};

impl HistoricalNode {
    /// Verifies the object of a segment, and mends it from the cached file. What cannot be mended is
    /// named until it can, or until the segment is served no longer.
    ///
    /// # Errors
    /// When deep storage is away, or nothing can be done about the damage.
    pub(crate) async fn care_for_object(&self, loaded: &Arc<Loaded>) -> Result<()> {
        let segment = &loaded.segment;
        let damage = match self.storage.check(&segment.object_key, stored_object(segment)).await {
            Ok(()) => {
                self.care.endangered.lock().remove(&segment.id);
                return Ok(());
            }
            Err(error @ (StorageError::NotFound(_) | StorageError::Corrupt { .. })) => error,
            Err(error) => return Err(error.into()),
        };
        if !self.serves(loaded) {
            return Ok(());
        }
        let (id, key) = (&segment.id, &segment.object_key);
        self.care.found.add(1);
        tracing::error!(segment = %id, key, %damage, "object in deep storage is damaged or gone");
        let mended = match loaded.file.form {
            FileForm::Stored { .. } => self.store_as_it_is(loaded).await,
            FileForm::Hot { .. } => self.store_recoded(loaded).await,
            FileForm::Blocks { .. } => {
                Err(HistoricalError::WrongContent { path: loaded.file.path.clone() })
            }
        };
        match mended {
            Ok(()) => {
                self.care.repaired.add(1);
                self.care.endangered.lock().remove(id);
                Ok(())
            }
            Err(error) => {
                let path = loaded.file.path.display();
                let trouble = format!("{damage}; mending it from '{path}' failed: {error}");
                self.care.endangered.lock().insert(id.clone(), trouble);
                Err(error)
            }
        }
    }

    async fn store_as_it_is(&self, loaded: &Arc<Loaded>) -> Result<()> {
        let (segment, path) = (&loaded.segment, loaded.file.path.clone());
        if blocking(move || checksum_file(&path)).await?? != stored_object(segment) {
            return Err(HistoricalError::WrongContent { path: loaded.file.path.clone() });
        }
        self.overwrite(segment, Payload::File(loaded.file.path.clone())).await
    }

    async fn store_recoded(&self, loaded: &Arc<Loaded>) -> Result<()> {
        let segment = &loaded.segment;
        let recoded = self.recode(loaded).await?;
        let payload = Payload::File(recoded.file.path().to_owned());
        if recoded.object == stored_object(segment) {
            return self.overwrite(segment, payload).await;
        }
        self.store_beside(loaded, &recoded, payload).await
    }

    /// Puts the recorded bytes in the place of a damaged object.
    async fn overwrite(&self, segment: &PublishedSegment, payload: Payload) -> Result<()> {
        let (id, key) = (&segment.id, &segment.object_key);
        let written = self.storage.overwrite(key, payload).await?;
        if written != stored_object(segment) {
            // The file changed since it was read.
            let reason = "it was mended from a file that changed meanwhile".to_owned();
            return Err(StorageError::Corrupt { key: key.clone(), reason }.into());
        }
        tracing::info!(segment = %id, key, "object in deep storage was stored again from the cached file");
        Ok(())
    }

    /// Stores the same rows in other bytes, and makes them the segment's. The damaged object stays
    /// where it is: nothing names it any more.
    async fn store_beside(
        &self,
        loaded: &Arc<Loaded>,
        recoded: &Recoded,
        payload: Payload,
    ) -> Result<()> {
        let segment = &loaded.segment;
        let (id, damaged) = (&segment.id, segment.object());
        // Named by its content: who tries again stores the same under the same key.
        let key = segment_object_key(id, recoded.object.checksum);
        let PushedObject { size_bytes, checksum } = self.storage.overwrite(&key, payload).await?;
        if (PushedObject { size_bytes, checksum }) != recoded.object {
            let reason = "it is not what was written to it".to_owned();
            return Err(StorageError::Corrupt { key, reason }.into());
        }
        let new = SegmentObject { key, size_bytes, checksum };
        match self.metadata.replace_object(id, &damaged, &new, None).await {
            Ok(()) => {}
            Err(error @ MetadataError::ObjectChanged(_)) => {
                // Loaded again as the metadata have it now, if they still do.
                self.withdraw(loaded);
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
        tracing::info!(
            segment = %id, key = new.key, damaged = damaged.key,
            "the rows of a damaged object were stored under another key; the damaged one is left to you"
        );
        let (serving, loaded) = (Arc::clone(&self.serving), Arc::clone(loaded));
        let segment = PublishedSegment::clone(segment).with_object(new);
        blocking(move || serving.adopt(&loaded, segment)).await?
    }
}

impl Serving {
    /// Names a hot file after the object that its segment has now.
    fn adopt(&self, loaded: &Arc<Loaded>, segment: PublishedSegment) -> Result<()> {
        let FileForm::Hot { codec, checksum, .. } = loaded.file.form else { return Ok(()) };
        let form = FileForm::Hot { codec, stored: segment.checksum, checksum };
        let path = self.cache.path(&segment.id, form);
        rename_durably(&loaded.file.path, &path)
            .map_err(|source| HistoricalError::Io { path: path.clone(), source })?;
        let file = CachedFile { path, form };
        let adopted = Loaded::new(file, Arc::clone(&loaded.room), Arc::new(segment));
        let path = adopted.file.path.clone();
        let mut served = self.loaded.write();
        match served.get_mut(&loaded.segment.id) {
            Some(current) if Arc::ptr_eq(current, loaded) => *current = Arc::new(adopted),
            // It was unloaded meanwhile.
            _ => remove_file(&path),
        }
        drop(served);
        self.close(loaded);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
