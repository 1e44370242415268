//! The data folder: what lies where in it, and whose it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use henge_platform::config::ServerConfig;
use henge_platform::metadata::{PostgresOptions, SqlOptions, SqliteOptions};
use henge_platform::runtime::files::create_dir_durably;
use henge_platform::runtime::machine::disk_size_bytes;
use henge_platform::runtime::{Clock, FolderLock, FolderOwner, SystemClock};
use henge_realtime_node::FIRST_NODE;

/// The paths within a data folder.
#[derive(Debug, Clone)]
pub struct DataFolder {
    root: PathBuf,
    /// Where the metadata are, when they are not in the folder.
    database: Option<PostgresOptions>,
    /// Where deep storage is.
    objects: Objects,
    node: Arc<str>,
    /// The file that the settings are from, where they are from one.
    settings: Option<PathBuf>,
}

/// Where deep storage is.
#[derive(Debug, Clone)]
enum Objects {
    /// In the data folder.
    Here,
    /// In a folder that other processes use as well.
    Shared(PathBuf),
    /// In a bucket.
    Bucket,
}

/// A data folder that is ours: with everything in it, also behind links.
#[derive(Debug)]
#[must_use = "dropping it lets others in"]
pub struct DataFolderLock {
    _locks: Vec<FolderLock>,
}

impl DataFolder {
    /// The paths under `root`; nothing is made.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let (objects, node) = (Objects::Here, FIRST_NODE.into());
        Self { root: root.to_owned(), database: None, objects, node, settings: None }
    }

    /// Those of a server with these settings, and where its metadata and its objects are.
    ///
    /// # Errors
    /// When the settings name no database that there could be.
    pub fn of(config: &ServerConfig) -> Result<Self> {
        Ok(Self {
            root: config.data_dir.clone(),
            database: config.metadata.options().context("metadata.url")?,
            objects: match config.shared_folder() {
                Some(folder) => Objects::Shared(folder.into()),
                None if config.storage.url.is_empty() => Objects::Here,
                None => Objects::Bucket,
            },
            node: config.node_name().into(),
            settings: None,
        })
    }

    /// The same with settings that are from a file.
    #[must_use]
    pub fn with_settings(self, settings: Option<&Path>) -> Self {
        Self { settings: settings.map(Path::to_owned), ..self }
    }

    /// A command of `henge metadata` over this folder, as an operator can give it.
    #[must_use]
    pub fn command(&self, name: &str) -> String {
        let settings = self.settings.as_ref();
        let settings = settings.map(|file| format!(" --config '{}'", file.display()));
        let (root, settings) = (self.root.display(), settings.unwrap_or_default());
        format!("henge metadata {name} --data-dir '{root}'{settings}")
    }

    /// The name of the realtime node whose logs are in it.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How the metadata store is reached.
    #[must_use]
    pub fn metadata_store(&self) -> SqlOptions {
        match &self.database {
            None => SqliteOptions::new(self.metadata()).into(),
            Some(database) => database.clone().into(),
        }
    }

    /// Where the metadata are, for messages.
    #[must_use]
    pub fn metadata_place(&self) -> String {
        match &self.database {
            None => self.metadata().display().to_string(),
            Some(database) => format!("PostgreSQL, {database}"),
        }
    }

    /// The metadata store's file, of a server that has one.
    #[must_use]
    pub fn metadata(&self) -> PathBuf {
        self.root.join("metadata.sqlite")
    }

    /// The logs of pushes, a folder a datasource.
    #[must_use]
    pub fn wal(&self) -> PathBuf {
        self.root.join("wal")
    }

    /// How far the logs and the metadata were durable, in none of their places.
    #[must_use]
    pub fn marks(&self) -> PathBuf {
        self.root.join("marks")
    }

    /// The number of the last start, of a process in a cluster.
    #[must_use]
    pub fn incarnation(&self) -> PathBuf {
        self.root.join("incarnation")
    }

    /// Published segments, unless they are elsewhere.
    #[must_use]
    pub fn deep_storage(&self) -> PathBuf {
        self.root.join("deep-storage")
    }

    /// The folder of published segments; `None` when a bucket has them.
    #[must_use]
    pub fn object_folder(&self) -> Option<PathBuf> {
        match &self.objects {
            Objects::Here => Some(self.deep_storage()),
            Objects::Shared(folder) => Some(folder.clone()),
            Objects::Bucket => None,
        }
    }

    /// Local copies of segments.
    #[must_use]
    pub fn segment_cache(&self) -> PathBuf {
        self.root.join("segment-cache")
    }

    /// Temporary files of queries.
    #[must_use]
    pub fn query_spill(&self) -> PathBuf {
        self.root.join("query-spill")
    }

    /// Bytes of the disk that the local copies of segments lie on; unlimited where it does not say.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        disk_size_bytes(&self.segment_cache())
            .or_else(|| disk_size_bytes(&self.root))
            .unwrap_or(u64::MAX)
    }

    /// # Errors
    /// When there is no such folder: a command that mends one is not to make it.
    pub fn must_be_there(&self) -> Result<()> {
        anyhow::ensure!(self.root.is_dir(), "there is no data folder '{}'", self.root.display());
        Ok(())
    }

    /// Makes what is missing and takes it all for this process.
    ///
    /// # Errors
    /// At once when any of it belongs to another process, which the error names, or cannot be made.
    pub fn own(&self) -> Result<DataFolderLock> {
        let make = |folder: &Path| {
            create_dir_durably(folder)
                .with_context(|| format!("create the folder {}", folder.display()))
        };
        make(&self.root)?;
        let owner = FolderOwner::this_process(SystemClock.now_ms());
        let mut locks = vec![FolderLock::own(&self.root, &owner)?];
        // Each may be a link to the same folder of another data folder.
        for folder in self.parts() {
            make(&folder)?;
            locks.push(FolderLock::exclusive(&folder)?);
        }
        Ok(DataFolderLock { _locks: locks })
    }

    /// Keeps owners out while someone looks; nothing is made or written.
    ///
    /// # Errors
    /// When a server runs on any of it, which the error names, or the folder is not there.
    pub fn look(&self) -> Result<DataFolderLock> {
        self.must_be_there()?;
        let mut locks = vec![FolderLock::shared(&self.root)?];
        for folder in self.parts() {
            if folder.is_dir() {
                locks.push(FolderLock::shared(&folder)?);
            }
        }
        Ok(DataFolderLock { _locks: locks })
    }

    /// Everything that is the server's own, wherever it is.
    #[must_use]
    pub fn own_files(&self) -> Vec<PathBuf> {
        let mut own = vec![self.root.clone()];
        own.extend(self.parts());
        own.extend(self.object_folder());
        if self.database.is_none() {
            own.push(self.metadata());
        }
        own
    }

    /// Folders that may be links to another place.
    fn parts(&self) -> Vec<PathBuf> {
        let mut parts = vec![self.wal(), self.segment_cache()];
        if matches!(self.objects, Objects::Here) {
            parts.push(self.deep_storage());
        }
        parts
    }
}
