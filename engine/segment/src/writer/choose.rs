//! Choosing among the candidate encodings of a block: the one that costs least once the codec has
//! had its turn.

use crate::encoding::{Candidate, Encoding};
use crate::format::codec::BlockCodec;
use crate::format::sink::Packed;
use crate::writer::{WriteGoal, WriteOptions};

/// The cheapest candidate, by stored bytes times weight; the earlier of two that cost the same.
pub(super) fn choose(
    options: &WriteOptions,
    candidates: Vec<Candidate>,
) -> Option<(Encoding, Packed)> {
    let mut best: Option<(f32, Encoding, Packed)> = None;
    for candidate in candidates {
        let weight = candidate.weight * scan_weight(options, candidate.encoding);
        let packed = Packed::new(candidate.raw, options.codec, options.zstd_level);
        let cost = packed.stored_length() as f32 * weight;
        if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
            best = Some((cost, candidate.encoding, packed));
        }
    }
    best.map(|(_, encoding, packed)| (encoding, packed))
}

/// True when layouts are worth trying that only a codec makes small.
pub(super) fn tries_aligned(options: &WriteOptions) -> bool {
    options.codec != BlockCodec::None || options.goal == WriteGoal::Scan
}

/// Preferences of [`WriteGoal::Scan`]: what is read in place is worth several times its bytes.
fn scan_weight(options: &WriteOptions, encoding: Encoding) -> f32 {
    match (options.goal, encoding) {
        (WriteGoal::Size, _) => 1.0,
        (WriteGoal::Scan, Encoding::Plain | Encoding::Ids8 | Encoding::Ids16 | Encoding::Ids32) => {
            0.25
        }
        (WriteGoal::Scan, _) => 1.0,
    }
}
