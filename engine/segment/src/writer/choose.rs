//! Choosing among the ways to encode a block: the one that costs least, by what the profile of the
//! block knows and, for a codec, by what it makes of a sample. Only the winner is encoded.

use std::ops::Range;

use crate::encoding::{CodecUse, Encoding, Plan, Profile};
use crate::format::codec::{self, BlockCodec};
use crate::format::sink::Packed;
use crate::options::{WriteGoal, WriteOptions};

/// Rows that a codec is tried on.
const SAMPLE_ROWS: usize = 8192;

/// What is compressed must be decompressed by every scan, and no kernel works on it in place: it has
/// to save a quarter.
const COMPRESSED_WEIGHT: f32 = 1.33;

/// A plan, with or without the codec, and its cost.
struct Choice {
    cost: f32,
    plan: Plan,
    compress: bool,
}

/// The block encoded in the cheapest way, by stored bytes times weight.
pub(crate) fn choose(options: &WriteOptions, profile: &impl Profile) -> Option<(Encoding, Packed)> {
    let mut choices = choices(options, profile);
    choices.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    let mut choices = choices.into_iter();
    let first = choices.next()?;
    let packed = encode(options, profile, &first);
    // A sample may promise too much: then the best of those whose size is certain is better.
    if first.compress {
        let actual =
            cost(options, &first.plan, packed.stored_length(), packed.compressed.is_some());
        if let Some(second) = choices.find(|choice| !choice.compress)
            && second.cost < actual
        {
            return Some((second.plan.encoding, encode(options, profile, &second)));
        }
    }
    Some((first.plan.encoding, packed))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate from a sample"
)]
fn choices(options: &WriteOptions, profile: &impl Profile) -> Vec<Choice> {
    let mut choices = Vec::new();
    for plan in profile.plans() {
        if plan.codec != CodecUse::Always {
            let cost = cost(options, &plan, plan.raw_bytes, false);
            choices.push(Choice { cost, plan, compress: false });
        }
        if plan.codec != CodecUse::Never && options.codec != BlockCodec::None {
            let sample = sample(profile.rows());
            let share = sample.len() as f32 / profile.rows().max(1) as f32;
            let raw = profile.encode(&plan, sample);
            if let Some(stored) = codec::compress(options.codec, options.zstd_level, &raw) {
                let cost = cost(options, &plan, (stored.len() as f32 / share) as usize, true);
                choices.push(Choice { cost, plan, compress: true });
            }
        }
    }
    choices
}

/// Rows in the middle of the block.
fn sample(rows: usize) -> Range<usize> {
    match rows < 2 * SAMPLE_ROWS {
        true => 0..rows,
        false => {
            let start = (rows - SAMPLE_ROWS) / 2;
            start..start + SAMPLE_ROWS
        }
    }
}

fn encode(options: &WriteOptions, profile: &impl Profile, choice: &Choice) -> Packed {
    let raw = profile.encode(&choice.plan, 0..profile.rows());
    let codec = if choice.compress { options.codec } else { BlockCodec::None };
    Packed::new(raw, codec, options.zstd_level)
}

fn cost(options: &WriteOptions, plan: &Plan, stored: usize, compressed: bool) -> f32 {
    let codec_weight = if compressed { COMPRESSED_WEIGHT } else { 1.0 };
    stored as f32 * plan.weight * codec_weight * scan_weight(options, plan)
}

/// Preferences of [`WriteGoal::Scan`]: packed values are summed and filtered as they are stored, so
/// the fewest bytes are the fastest. Ids of nearly whole bytes and wide numbers are read in place,
/// and what must be decoded from its beginning, or into memory, is the last resort.
fn scan_weight(options: &WriteOptions, plan: &Plan) -> f32 {
    match (options.goal, plan.integers) {
        (WriteGoal::Size, _) => 1.0,
        (_, Encoding::Ids8 | Encoding::Ids16 | Encoding::Ids32) => 0.87,
        (_, Encoding::Plain) => 0.6,
        (_, Encoding::Delta | Encoding::RunLength | Encoding::IdsRunLength) => LAST_RESORT_WEIGHT,
        _ => 1.0,
    }
}

/// More than any block shrinks.
const LAST_RESORT_WEIGHT: f32 = 1e6;
