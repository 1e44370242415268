//! The stored form from the hot form. The hot file is proved first: its bytes are those that its name
//! records, its blocks verify, and its name says which stored file it was made from.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use henge_platform::runtime::{TemporaryFile, mapped_damages};
use henge_platform::storage::{PushedObject, checksum_file};
use henge_segment::{WriteOptions, transcode};

use crate::cache::{FileForm, Metered, Reservation};
use crate::error::{HistoricalError, Result};
use crate::load::open_as;
use crate::{HistoricalNode, Loaded, Serving};

/// Below that of any query.
const PRIORITY: i32 = -1_000_000;

/// A file of the stored form, which goes away with this.
#[derive(Debug)]
pub(crate) struct Recoded {
    pub(crate) file: TemporaryFile,
    pub(crate) object: PushedObject,
    /// Its room in the cache.
    _room: Reservation,
}

impl HistoricalNode {
    /// Writes the stored form of what is served in its hot form; one at a time, and slower than
    /// anything else.
    pub(crate) async fn recode(&self, loaded: &Arc<Loaded>) -> Result<Recoded> {
        let stopped = |error: String| HistoricalError::Stopped(error);
        let turn = Arc::clone(&self.transcoding).acquire_owned().await;
        let _turn = turn.map_err(|error| stopped(error.to_string()))?;
        let (serving, loaded) = (Arc::clone(&self.serving), Arc::clone(loaded));
        let recoded = self.pool.spawn(PRIORITY, move || serving.write_stored(&loaded)).await;
        recoded.map_err(|error| stopped(error.to_string()))?
    }
}

impl Serving {
    fn write_stored(&self, loaded: &Loaded) -> Result<Recoded> {
        let segment = &loaded.segment;
        let changed = || HistoricalError::WrongContent { path: loaded.file.path.clone() };
        let damages = mapped_damages();
        let opened = self.open(loaded)?;
        opened.verify()?;
        let form = FileForm::Stored { checksum: Some(segment.checksum) };
        let path = self.cache.path(&segment.id, form);
        let io = |source| HistoricalError::Io { path: path.clone(), source };
        let file = TemporaryFile::create(&path).map_err(io)?;
        let out = BufWriter::new(file.file().map_err(io)?);
        let mut out = Metered::new(out, self.cache.reserve(0)?);
        let summary = transcode(&opened, WriteOptions::default(), &mut out)?;
        out.flush().map_err(io)?;
        // What was mapped is the file that was verified when it took its name, then and now.
        if checksum_file(&loaded.file.path)? != loaded.expected() || mapped_damages() != damages {
            return Err(changed());
        }
        let object = PushedObject { size_bytes: summary.size_bytes, checksum: summary.checksum };
        if checksum_file(file.path())? != object {
            return Err(HistoricalError::WrittenWrong { path: file.path().to_owned() });
        }
        open_as(file.path(), segment)?.verify()?;
        let times = (segment.row_count > 0).then_some((segment.min_time_ms, segment.max_time_ms));
        if summary.time_range != times {
            return Err(changed());
        }
        Ok(Recoded { file, object, _room: out.into_room(summary.size_bytes) })
    }
}
