//! Choosing among the ways to encode a block: the one that costs least, by what the profile of the
//! block knows and, for a codec, by what it makes of a sample. Only the winner is encoded.

use std::ops::Range;

use crate::encoding::residual::Layout;
use crate::encoding::{CodecUse, Encoding, Plan, Profile};
use crate::format::codec::{self, BlockCodec};
use crate::format::sink::Packed;
use crate::options::{WriteGoal, WriteOptions};

/// Rows that a codec is tried on.
const SAMPLE_ROWS: usize = 8192;

/// What is compressed must be decompressed by every scan, and no kernel works on it in place: for
/// scans it has to save a quarter, for size a fiftieth.
const SCAN_COMPRESSED_WEIGHT: f32 = 1.33;
/// See [`SCAN_COMPRESSED_WEIGHT`].
const SIZE_COMPRESSED_WEIGHT: f32 = 1.02;

/// The least ZSTD level of values of [`WIDE_BYTES`]: they repeat as a whole, at distances that level 1
/// does not look at.
const WIDE_ZSTD_LEVEL: i32 = 3;
/// See [`WIDE_ZSTD_LEVEL`].
const WIDE_BYTES: usize = 4;

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
            let raw_rows = sample.len();
            let raw = profile.encode(&plan, sample);
            let cuts = profile.cuts(&plan, raw_rows);
            let level = zstd_level(options, &plan, profile.rows());
            if let Some(stored) = codec::compress(options.codec, level, &raw, &cuts) {
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
    let level = zstd_level(options, &choice.plan, profile.rows());
    Packed::new(raw, codec, level, &profile.cuts(&choice.plan, profile.rows()))
}

fn zstd_level(options: &WriteOptions, plan: &Plan, rows: usize) -> i32 {
    let is_wide = plan.layout == Layout::Aligned && plan.raw_bytes >= WIDE_BYTES * rows;
    if is_wide { options.zstd_level.max(WIDE_ZSTD_LEVEL) } else { options.zstd_level }
}

fn cost(options: &WriteOptions, plan: &Plan, stored: usize, compressed: bool) -> f32 {
    let codec_weight = match (compressed, options.goal) {
        (false, _) => 1.0,
        (true, WriteGoal::Size) => SIZE_COMPRESSED_WEIGHT,
        (true, WriteGoal::Scan) => SCAN_COMPRESSED_WEIGHT,
    };
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
