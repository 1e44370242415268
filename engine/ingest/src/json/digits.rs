//! Runs of digits, eight bytes at a time: how long a run is steers no branch.

const ZEROS: u64 = 0x3030_3030_3030_3030;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// Added to a byte above nine, sets its top bit.
const ABOVE_NINE: u64 = 0x7676_7676_7676_7676;

/// Powers of ten up to that of the longest short run.
pub(super) const POWERS: [u32; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// How many of the first bytes are digits, and what number they are; `None` of no digit, and of eight.
#[inline]
pub(super) fn short_run(bytes: [u8; 8]) -> Option<(usize, u64)> {
    let digits = u64::from_le_bytes(bytes) ^ ZEROS;
    // A carry goes to later bytes only, and the first mark is what counts.
    let others = (digits.wrapping_add(ABOVE_NINE) | digits) & HIGH;
    let count = others.trailing_zeros() as usize / 8;
    if count == 0 || count == 8 {
        return None;
    }
    // Zeros in front, then pairs, fours and all eight digits become numbers.
    let ones = digits << (8 * (8 - count));
    let pairs = (ones.wrapping_mul((10 << 8) + 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul((100 << 16) + 1) >> 16) & 0x0000_ffff_0000_ffff;
    Some((count, fours.wrapping_mul((10_000 << 32) + 1) >> 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_what_their_digits_say() {
        let (mut state, mut random) = (7_u64, Vec::new());
        for _ in 0..3_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            random.push(state >> 40);
        }
        for (number, at) in random.into_iter().chain(0..1_100).zip((0..=255_u8).cycle()) {
            let text = number.to_string();
            let text = &text[..text.len().min(7)];
            let mut bytes = [at; 8];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            if !at.is_ascii_digit() {
                let expected = Some((text.len(), text.parse().unwrap()));
                assert_eq!(short_run(bytes), expected, "{bytes:?}");
            }
        }
        assert_eq!(short_run(*b"00120,,,"), Some((5, 120)));
        assert_eq!(short_run(*b"9999999\xff"), Some((7, 9_999_999)));
        assert_eq!(short_run(*b"12345678"), None);
        assert_eq!(short_run(*b",1234567"), None);
        assert_eq!(short_run(*b"\xff1234567"), None);
    }
}
