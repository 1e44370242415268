//! Changes that no manifest says and no log repeats: of tasks and refused events. They are counted in
//! the store and marked beside it, so that an older copy of the store is noticed.

use super::convert::to_i64;
use super::database::{Access, Connection};
use super::segments::{counter, next_counter};
use super::{SqlMetadataStore, Working};
use crate::metadata::error::Result;
use crate::runtime::blocking;
use crate::wal::{LogMark, LogMarks, log_identity};

const COUNTER: &str = "unpublished_changes";
/// No datasource has this name.
const NAME: &str = "\0metadata";

impl SqlMetadataStore {
    /// Makes a change that is counted, and marks it once it is durable.
    pub(super) async fn change_unpublished<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut Connection) -> Working<'c, T> + Send + 'static,
    ) -> Result<T> {
        let counted = self.run(Access::Write, move |connection| {
            Box::pin(async move {
                let done = work(connection).await?;
                Ok((done, next_counter(connection, COUNTER).await?))
            })
        });
        let (done, changes) = counted.await?;
        let mark =
            LogMark { identity: self.mark_identity(), sequence: changes, ..LogMark::default() };
        let marks = self.marks.clone();
        let noted = blocking(move || marks.note(mark)).await;
        // Without a mark an older copy of the store is not noticed, and nothing else is wrong.
        match noted {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a change of the metadata is not marked"),
            Err(error) => tracing::warn!(%error, "a change of the metadata is not marked"),
        }
        Ok(done)
    }

    /// Whose mark is that of this store.
    fn mark_identity(&self) -> u64 {
        log_identity(&self.cluster_uuid, NAME)
    }

    /// How many counted changes the store has, and how many were made as far as they are marked in
    /// `marks`: with fewer than that it is an older copy.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be read.
    pub async fn unpublished_changes(&self, marks: &LogMarks) -> Result<(u64, u64)> {
        let made = self.run(Access::Read, |connection| Box::pin(counter(connection, COUNTER)));
        let marked = marks.get(self.mark_identity()).map_or(0, |mark| mark.sequence);
        Ok((made.await?, marked))
    }

    /// Gives up the counted changes that are marked in `marks` and missing: it counts on above them.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be written.
    pub async fn give_up_unpublished(&self, marks: &LogMarks) -> Result<()> {
        let (_, marked) = self.unpublished_changes(marks).await?;
        let marked = to_i64(marked, COUNTER)?;
        let raise = self.run(Access::Write, move |connection| {
            let raise = connection
                .statement("UPDATE counters SET value = $1 WHERE name = $2 AND value < $1")
                .bind(marked)
                .bind(COUNTER);
            Box::pin(raise.execute())
        });
        raise.await.map(|_| ())
    }
}
