//! Bit packing of 32-bit values to any width.
//!
//! Values go in groups of 1,024, thirty-two lanes wide: value `32 * row + lane` of a group lies in
//! lane `lane`, and the words of all lanes are interleaved. A row of 32 values is then packed or
//! unpacked with the same shift in every lane, which compiles to plain vector code on any CPU. What
//! does not fill a group follows as one bit stream, least significant bit first.

use crate::simd::{GROUP, Level, kernels};

const LANES: usize = 32;

/// Bytes that `count` values of `width` bits take.
#[must_use]
pub fn packed_bytes(count: usize, width: u32) -> usize {
    let groups = count / GROUP * (GROUP / 8) * width as usize;
    groups + (count % GROUP * width as usize).div_ceil(8)
}

/// The width of the largest of the values.
#[must_use]
pub fn width_of(max: u32) -> u32 {
    u32::BITS - max.leading_zeros()
}

/// Appends the values, each below `1 << width`, packed.
pub fn pack(values: &[u32], width: u32, out: &mut Vec<u8>) {
    out.reserve(packed_bytes(values.len(), width));
    if width == 0 {
        return;
    }
    let (groups, tail) = values.as_chunks::<GROUP>();
    for group in groups {
        pack_group(group, width, out);
    }
    let mut bits = 0_u64;
    let mut filled = 0;
    for value in tail {
        bits |= u64::from(*value) << filled;
        filled += width;
        while filled >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.push(bits as u8);
    }
}

fn pack_group(group: &[u32; GROUP], width: u32, out: &mut Vec<u8>) {
    let mut words = [0_u32; GROUP];
    let (rows, _) = group.as_chunks::<LANES>();
    for (row, values) in rows.iter().enumerate() {
        let bit = row as u32 * width;
        let (word, shift) = (bit as usize / 32 * LANES, bit % 32);
        for (packed, value) in words[word..word + LANES].iter_mut().zip(values) {
            *packed |= value << shift;
        }
        if shift + width > 32 {
            for (packed, value) in words[word + LANES..word + 2 * LANES].iter_mut().zip(values) {
                *packed |= value >> (32 - shift);
            }
        }
    }
    for word in &words[..LANES * width as usize] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// Unpacks `out.len()` values of `width` bits.
///
/// False when the width exceeds 32 or the packed bytes are not exactly [`packed_bytes`] long.
#[must_use]
pub fn unpack(packed: &[u8], width: u32, out: &mut [u32]) -> bool {
    if width > 32 || packed.len() != packed_bytes(out.len(), width) {
        return false;
    }
    if width == 0 {
        out.fill(0);
        return true;
    }
    let level = Level::best();
    let (groups, tail) = out.as_chunks_mut::<GROUP>();
    let (packed_groups, packed_tail) = packed.split_at(groups.len() * (GROUP / 8) * width as usize);
    for (bytes, group) in packed_groups.chunks_exact(GROUP / 8 * width as usize).zip(groups) {
        kernels::unpack(level, bytes, width, group);
    }
    unpack_tail(packed_tail, width, tail);
    true
}

/// Unpacks the values beyond the last group.
pub(crate) fn unpack_tail(bytes: &[u8], width: u32, out: &mut [u32]) {
    let mask = u64::from(u32::MAX >> (32 - width));
    let mut next = bytes.iter();
    let mut bits = 0_u64;
    let mut filled = 0;
    for value in out {
        while filled < width {
            bits |= u64::from(next.next().copied().unwrap_or_default()) << filled;
            filled += 8;
        }
        *value = (bits & mask) as u32;
        bits >>= width;
        filled -= width;
    }
}

/// One of the values beyond the last group.
pub(crate) fn unpack_one(bytes: &[u8], width: u32, index: usize) -> u32 {
    let bit = index * width as usize;
    let mut word = [0; 8];
    let taken = bytes.get(bit / 8..).unwrap_or_default();
    let length = taken.len().min(8);
    word[..length].copy_from_slice(&taken[..length]);
    (u64::from_le_bytes(word) >> (bit % 8)) as u32 & u32::MAX >> (32 - width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_and_length_round_trips() {
        for width in 0..=32_u32 {
            let mask = if width == 0 { 0 } else { u32::MAX >> (32 - width) };
            for count in [0, 1, 7, 31, 1023, 1024, 1025, 3000] {
                let values: Vec<u32> =
                    (0..count as u32).map(|i| i.wrapping_mul(0x9E37_79B1) & mask).collect();
                let mut packed = Vec::new();
                pack(&values, width, &mut packed);
                assert_eq!(packed.len(), packed_bytes(count, width));
                let mut out = vec![u32::MAX; count];
                assert!(unpack(&packed, width, &mut out));
                assert_eq!(out, values, "width {width} count {count}");
            }
        }
    }

    #[test]
    fn h_46_bad_widths_and_lengths_are_refused() {
        let mut out = [0; 10];
        assert!(!unpack(&[0; 100], 65, &mut out));
        assert!(!unpack(&[0; 9], 8, &mut out));
        assert!(!unpack(&[0; 11], 8, &mut out));
    }
}
