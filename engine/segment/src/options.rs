//! How a segment is written: its codec, and what encodings and indexes are chosen for.

use crate::error::Result;
use crate::format::codec::BlockCodec;
use crate::format::piece::{Piece, Source};
use crate::format::sink::Packed;
use crate::format::{FIRST_FORMAT_VERSION, FORMAT_VERSION};

/// How a segment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// The block codec.
    pub codec: BlockCodec,
    /// The level of [`BlockCodec::Zstd`].
    pub zstd_level: i32,
    /// What to prefer where the two conflict.
    pub goal: WriteGoal,
    /// Which columns get a bitmap index, among those that may have one.
    pub index: IndexPolicy,
}

/// Which STRING columns get a bitmap index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IndexPolicy {
    /// Those where it pays: values so rare among the rows in question that scanning ids would read
    /// much more, but not so rare that the index is as large as the column.
    #[default]
    WherePaying,
    /// All.
    Always,
}

/// What encodings are chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteGoal {
    /// The fewest bytes: for deep storage and for tiers that are short of memory.
    #[default]
    Size,
    /// The fastest scan: for tiers that read the map in place.
    Scan,
}

impl Default for WriteOptions {
    /// The compact form: ZSTD at level 1, which is best where single bytes are skewed; wide values
    /// that repeat and pages of text take higher ones.
    fn default() -> Self {
        Self {
            codec: BlockCodec::Zstd,
            zstd_level: 1,
            goal: WriteGoal::Size,
            index: IndexPolicy::WherePaying,
        }
    }
}

impl WriteOptions {
    /// For serving from the map: no codec, encodings that scan fast.
    #[must_use]
    pub fn hot() -> Self {
        Self { codec: BlockCodec::None, goal: WriteGoal::Scan, ..Self::default() }
    }

    /// False for the compact form: bitmap indexes say nothing that the ids do not, and are made of them when
    /// it is rewritten for scans.
    pub(crate) fn keeps_indexes(&self) -> bool {
        let is_compact = self.goal == WriteGoal::Size && self.codec == BlockCodec::Zstd;
        !is_compact || self.index == IndexPolicy::Always
    }

    /// The first format version that has all layouts that these options may choose.
    pub(crate) fn format_version(&self) -> u32 {
        match self.codec {
            BlockCodec::None => FIRST_FORMAT_VERSION,
            BlockCodec::Lz4 | BlockCodec::Zstd | BlockCodec::Snappy => FORMAT_VERSION,
        }
    }

    /// Raw bytes on their way into a file.
    pub(crate) fn pack(&self, raw: Vec<u8>) -> Packed {
        self.pack_parts(raw, &[])
    }

    /// Raw bytes with places where the codec begins anew, counted from the end, the most first.
    pub(crate) fn pack_parts(&self, raw: Vec<u8>, cuts: &[usize]) -> Packed {
        Packed::new(raw, self.codec, self.zstd_level, cuts)
    }

    /// A stored piece on its way into another file, the same but for the codec; `container` is the
    /// structure that it lies in when it is inline.
    pub(crate) fn pack_again(
        &self,
        source: &Source,
        piece: &Piece,
        container: &[u8],
    ) -> Result<Packed> {
        Ok(self.pack(source.raw_to_vec(piece, container)?))
    }
}
