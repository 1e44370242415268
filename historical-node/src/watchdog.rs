//! A disk that hangs. Every few seconds a few bytes are written to it, made durable and read back. While that
//! does not end in time the node answers for nothing, so that queries go to replicas at once instead of
//! waiting, and it says why. Once it ends, what is loaded is announced again.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use henge_platform::discovery::AnnouncedSegment;
use henge_platform::runtime::files::RegularFile;
use henge_platform::runtime::{TemporaryFile, blocking, spawn};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::HistoricalNode;

/// The time from one trial to the next.
const PAUSE: Duration = Duration::from_secs(5);

const CONTENT: &[u8] = b"the disk answers";

/// A disk that can be tried.
#[async_trait]
pub(crate) trait Disk: Send + Sync + Debug {
    /// Writes a little, makes it durable, reads it back and removes it.
    ///
    /// # Errors
    /// What the disk says.
    async fn try_out(&self) -> io::Result<()>;
}

/// The disk that a folder is on.
#[derive(Debug)]
struct DiskOf(PathBuf);

#[async_trait]
impl Disk for DiskOf {
    async fn try_out(&self) -> io::Result<()> {
        let path = self.0.join("trial");
        blocking(move || try_out(&path)).await.map_err(io::Error::other)?
    }
}

fn try_out(path: &std::path::Path) -> io::Result<()> {
    let trial = TemporaryFile::create(path)?;
    let mut file = trial.file()?;
    file.write_all(CONTENT)?;
    file.sync()?;
    let mut read = Vec::new();
    RegularFile::open(trial.path())?.read_to_end(&mut read)?;
    match read == CONTENT {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "it reads otherwise than written")),
    }
}

/// What is known of the node's disk.
#[derive(Debug, Default)]
pub(crate) struct DiskState {
    trouble: Mutex<Option<String>>,
}

impl DiskState {
    /// Why the node answers for nothing, while it does not.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }
}

impl HistoricalNode {
    /// Why the node answers for nothing, while its disk hangs.
    #[must_use]
    pub fn disk_trouble(&self) -> Option<String> {
        self.disk.trouble()
    }

    /// Tries the disk again and again, until the node is dropped. Nothing is tried where the options set no
    /// limit.
    pub fn watch_disk(self: &Arc<Self>) {
        let limit = Duration::from_millis(self.options.disk_timeout_ms);
        if limit.is_zero() {
            return;
        }
        let disk: Arc<dyn Disk> = Arc::new(DiskOf(self.options.cache_dir.clone()));
        let node = Arc::downgrade(self);
        spawn(async move {
            while let Some(node) = node.upgrade() {
                node.try_disk(&disk, limit).await;
                drop(node);
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// Tries the disk once; returns when it has answered.
    pub(crate) async fn try_disk(&self, disk: &Arc<dyn Disk>, limit: Duration) {
        let tried = Arc::clone(disk);
        let mut trial = spawn(async move { tried.try_out().await });
        let outcome = match timeout(limit, &mut trial).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let withdrawn = self.answer_for_nothing(limit);
                let outcome = trial.await;
                self.answer_again(withdrawn);
                outcome
            }
        };
        if let Ok(Err(error)) = outcome {
            let folder = self.options.cache_dir.display();
            tracing::warn!(%folder, %error, "the disk of the segment cache fails");
        }
    }

    /// Withdraws all that is announced, and gives it.
    fn answer_for_nothing(&self, limit: Duration) -> Vec<AnnouncedSegment> {
        let folder = self.options.cache_dir.display();
        let trouble =
            format!("the disk of '{folder}' has not answered for {} ms", limit.as_millis());
        tracing::error!(%trouble, "answers for nothing until the disk does");
        *self.disk.trouble.lock() = Some(trouble);
        let server = &self.options.server_id;
        let mut announced = self.discovery.snapshot().servers;
        let announced = announced.remove(server).map(|server| server.segments).unwrap_or_default();
        let ids = announced.keys().cloned().collect();
        if let Err(error) = self.discovery.unannounce(server, ids) {
            tracing::warn!(%error, "failed to withdraw the segments on a disk that hangs");
        }
        announced.values().cloned().collect()
    }

    /// Announces what was withdrawn and is still loaded.
    fn answer_again(&self, withdrawn: Vec<AnnouncedSegment>) {
        *self.disk.trouble.lock() = None;
        let add: Vec<_> = {
            let loaded = self.serving.loaded.read();
            withdrawn.into_iter().filter(|segment| loaded.contains_key(&segment.id)).collect()
        };
        let segments = add.len();
        match self.discovery.announce(&self.options.server_id, add) {
            Ok(_) => tracing::info!(segments, "the disk answers again"),
            Err(error) => tracing::error!(%error, "failed to announce segments again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use henge_data_node::{DataNode, Instruction, SegmentHost};
    use henge_types::ErrorClass;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::ServedForm;
    use crate::hot::tests::setup;
    use crate::mend::tests::{answered, sum_of};

    const LIMIT: Duration = Duration::from_secs(30);

    /// A disk that answers when it may.
    #[derive(Debug)]
    struct Hanging(Semaphore);

    #[async_trait]
    impl Disk for Hanging {
        async fn try_out(&self) -> io::Result<()> {
            self.0.acquire().await.map_err(io::Error::other)?.forget();
            Ok(())
        }
    }

    #[tokio::test]
    async fn f_53_while_the_disk_hangs_the_node_answers_for_nothing_and_says_so() {
        let setup = setup().await;
        let node = setup.node(ServedForm::AsStored, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        let announced = || node.discovery.snapshot().servers["historical-0"].segments.len();
        let disk = Arc::new(Hanging(Semaphore::new(1)));
        let tried: Arc<dyn Disk> = Arc::clone(&disk) as _;
        node.try_disk(&tried, LIMIT).await;
        assert_eq!((announced(), node.disk_trouble()), (1, None));

        let mut changes = node.discovery.watch();
        changes.borrow_and_update();
        let watched = node.clone();
        let trial = spawn(async move { watched.try_disk(&tried, Duration::from_millis(1)).await });
        changes.changed().await.unwrap();
        assert_eq!(announced(), 0);
        let trouble = node.disk_trouble().unwrap();
        assert!(trouble.contains("has not answered for 1 ms"), "{trouble}");
        // A query that was under way to it asks a replica, and a coordinator another node.
        assert_eq!(node.run(sum_of(&setup)).await.unwrap().missing.len(), 1);
        let refused = node.load(&setup.segment, Instruction::default()).await.unwrap_err();
        assert_eq!(refused.class, ErrorClass::Unavailable);

        disk.0.add_permits(1);
        trial.await.unwrap();
        assert_eq!((announced(), node.disk_trouble()), (1, None));
        assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
    }

    /// What is dropped meanwhile stays dropped.
    #[tokio::test]
    async fn f_53_what_was_dropped_while_the_disk_hung_is_not_announced_again() {
        let setup = setup().await;
        let node = setup.node(ServedForm::AsStored, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        let withdrawn = node.answer_for_nothing(LIMIT);
        node.unload(&setup.segment.id, Instruction::default()).await.unwrap();
        node.answer_again(withdrawn);
        assert!(node.discovery.snapshot().servers["historical-0"].segments.is_empty());
    }

    #[tokio::test]
    async fn a_disk_that_works_is_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        DiskOf(folder.path().to_owned()).try_out().await.unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(DiskOf(folder.path().join("none")).try_out().await.is_err());
    }
}
