//! Changes that no manifest says and no log repeats: of tasks and refused events. They are counted in
//! the store and marked beside it, so that an older copy of the file is noticed.

use sqlx::Sqlite;

use super::SqliteMetadataStore;
use super::convert::{get_u64, store_error, to_i64};
use super::segments::next_counter;
use crate::metadata::error::Result;
use crate::runtime::blocking;
use crate::wal::{LogMark, LogMarks, log_identity};

const COUNTER: &str = "unpublished_changes";
/// No datasource has this name.
const NAME: &str = "\0metadata";

impl SqliteMetadataStore {
    /// Commits a change that is counted, and marks it once it is durable.
    pub(super) async fn commit_unpublished(
        &self,
        mut transaction: sqlx::Transaction<'static, Sqlite>,
    ) -> Result<()> {
        let changes = next_counter(&mut transaction, COUNTER).await?;
        transaction.commit().await.map_err(store_error)?;
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
        Ok(())
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
        let row = sqlx::query("SELECT value FROM counters WHERE name = ?")
            .bind(COUNTER)
            .fetch_one(&self.pools.readers)
            .await
            .map_err(store_error)?;
        let marked = marks.get(self.mark_identity()).map_or(0, |mark| mark.sequence);
        Ok((get_u64(&row, "value")?, marked))
    }

    /// Gives up the counted changes that are marked in `marks` and missing: it counts on above them.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be written.
    pub async fn give_up_unpublished(&self, marks: &LogMarks) -> Result<()> {
        let (_, marked) = self.unpublished_changes(marks).await?;
        sqlx::query("UPDATE counters SET value = max(value, ?) WHERE name = ?")
            .bind(to_i64(marked, COUNTER)?)
            .bind(COUNTER)
            .execute(&self.pools.writer)
            .await
            .map_err(store_error)?;
        Ok(())
    }
}
