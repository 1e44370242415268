//! The shape of a block of integers: what one look at it tells about the size of each encoding, and
//! the encoders.

use crate::encoding::residual::{self, Layout};
use crate::encoding::{CodecUse, Encoding, Plan, runs};
use crate::format::bytes::ByteWriter;

/// Most bytes of a frame's base and unit: what plans count for them.
const FRAME_HEAD_BYTES: usize = 20;

/// A delta must be summed up to be read, and no kernel works on it as it is stored.
const DELTA_WEIGHT: f32 = 1.05;

/// Runs are filled faster than anything is unpacked.
const RUNS_WEIGHT: f32 = 0.95;

/// Plain values are read in place.
const PLAIN_WEIGHT: f32 = 0.9;

/// What is known of the integers of a block.
#[derive(Debug)]
pub(super) struct Shape {
    frame: Frame,
    /// The frame of the differences, where it is narrower than that of the values.
    delta: Option<Frame>,
    runs: usize,
}

impl Shape {
    pub(super) fn of(values: &[i64]) -> Self {
        let frame = Frame::of(values.iter().copied());
        let runs = runs::count(values, |a, b| a == b);
        let delta = Frame::of(values.windows(2).map(difference));
        let delta = (delta.width() + 1 < frame.width()).then_some(delta);
        Self { frame, delta, runs }
    }

    /// The encodings worth comparing.
    pub(super) fn plans(&self, rows: usize) -> Vec<Plan> {
        let mut plans: Vec<Plan> = self.frame.plans(Encoding::Frame, rows, 1.0).collect();
        if let Some(delta) = &self.delta {
            plans.extend(delta.plans(Encoding::Delta, rows.saturating_sub(1), DELTA_WEIGHT));
        }
        let mut push = |encoding, raw_bytes, weight| {
            let (layout, codec) = (Layout::Aligned, CodecUse::Either);
            plans.push(Plan { encoding, integers: encoding, layout, raw_bytes, weight, codec });
        };
        if self.runs < rows / 4 {
            let lengths =
                residual::bytes(self.runs, rows as u64 / self.runs as u64, Layout::Aligned);
            let heads = self.frame.bytes(self.runs, Layout::Aligned);
            push(Encoding::RunLength, lengths + heads, RUNS_WEIGHT);
        }
        if self.frame.width() > 48 {
            push(Encoding::Plain, 8 * rows, PLAIN_WEIGHT);
        }
        plans
    }

    /// Where a codec begins anew in some values encoded as planned, counted from the end.
    pub(super) fn cuts(&self, plan: &Plan, rows: usize) -> Vec<usize> {
        match (plan.integers, &self.delta) {
            (Encoding::Delta, Some(delta)) => {
                plan.layout.cuts(rows.saturating_sub(1), delta.max_residual)
            }
            (Encoding::RunLength | Encoding::Plain, _) => Vec::new(),
            _ => plan.layout.cuts(rows, self.frame.max_residual),
        }
    }

    /// Appends values of the block, all or some neighbours, encoded as planned.
    pub(super) fn encode(&self, plan: &Plan, values: &[i64], out: &mut Vec<u8>) {
        match (plan.integers, &self.delta) {
            (Encoding::Delta, Some(delta)) => {
                out.put_zigzag(values.first().copied().unwrap_or(0));
                let differences: Vec<i64> = values.windows(2).map(difference).collect();
                delta.encode(&differences, plan.layout, out);
            }
            (Encoding::RunLength, _) => {
                let (heads, lengths) = runs::split(values, |a, b| a == b);
                runs::write_lengths(&lengths, out);
                Frame::of(heads.iter().copied()).encode(&heads, Layout::Aligned, out);
            }
            (Encoding::Plain, _) => {
                values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
            }
            _ => self.frame.encode(values, plan.layout, out),
        }
    }
}

fn difference(pair: &[i64]) -> i64 {
    pair[1].wrapping_sub(pair[0])
}

/// Smallest value and unit of a frame.
#[derive(Debug, Clone, Copy)]
struct Frame {
    base: i64,
    unit: u64,
    max_residual: u64,
}

impl Frame {
    fn of(values: impl Iterator<Item = i64> + Clone) -> Self {
        let (min, max) = values
            .clone()
            .fold((i64::MAX, i64::MIN), |(min, max), value| (min.min(value), max.max(value)));
        let (base, max) = if min > max { (0, 0) } else { (min, max) };
        let unit = common_divisor(values.map(|value| value.wrapping_sub(base).cast_unsigned()));
        Self { base, unit, max_residual: max.wrapping_sub(base).cast_unsigned() / unit }
    }

    fn width(&self) -> u32 {
        u64::BITS - self.max_residual.leading_zeros()
    }

    fn bytes(&self, count: usize, layout: Layout) -> usize {
        FRAME_HEAD_BYTES + residual::bytes(count, self.max_residual, layout)
    }

    /// Packed as it is, or laid out for the codec: packed bits leave it nothing to find.
    fn plans(
        &self,
        encoding: Encoding,
        count: usize,
        weight: f32,
    ) -> impl Iterator<Item = Plan> + use<> {
        let frame = *self;
        let compressed = Layout::for_codec(frame.max_residual).iter();
        let compressed = compressed.map(|layout| (*layout, CodecUse::Always));
        std::iter::once((Layout::Packed, CodecUse::Never)).chain(compressed).map(
            move |(layout, codec)| {
                let raw_bytes = frame.bytes(count, layout);
                Plan { encoding, integers: encoding, layout, raw_bytes, weight, codec }
            },
        )
    }

    fn encode(&self, values: &[i64], layout: Layout, out: &mut Vec<u8>) {
        let Self { base, unit, max_residual } = *self;
        out.put_zigzag(base);
        out.put_varint(unit);
        match unit {
            1 => residual::encode_map(values, max_residual, layout, out, |value| {
                value.wrapping_sub(base).cast_unsigned()
            }),
            _ => residual::encode_map(values, max_residual, layout, out, |value| {
                value.wrapping_sub(base).cast_unsigned() / unit
            }),
        }
    }
}

fn common_divisor(values: impl Iterator<Item = u64>) -> u64 {
    let mut divisor = 0_u64;
    let mut before = 0;
    for value in values {
        if value == before {
            continue;
        }
        before = value;
        let (mut a, mut b) = (value, divisor);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        divisor = a;
        if divisor == 1 {
            return 1;
        }
    }
    divisor.max(1)
}
