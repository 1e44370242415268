//! An LZ4 encoder for requests.
//!
//! Events repeat the names of their fields, and a log compresses every byte that comes in: only what
//! repeats for eight bytes and more is looked for, which takes two thirds of the time of a search for four
//! bytes, and finds more of such text, as short finds do not hide long ones. What it writes is LZ4's
//! block format, which any decoder reads.

/// Repetitions reach back so far: an offset has two bytes.
const WINDOW_BYTES: usize = u16::MAX as usize;
/// Bytes that a repetition has at least.
const SHORTEST: usize = size_of::<u64>();
/// The format counts lengths of repetitions from here.
const LENGTH_BASE: usize = 4;
/// Lengths from here on have bytes of their own behind the token.
const LONG: usize = 15;
/// The format ends with so many bytes that are no repetition.
const END_BYTES: usize = 5;
/// No repetition begins in so many bytes before the end.
const LAST_START_BYTES: usize = 12;
/// Places that are remembered, by hash: 16 KiB.
const PLACE_BITS: u32 = 12;
/// After `1 << SPEED_UP_BITS` places without a find every second one is looked at, then every third.
const SPEED_UP_BITS: u32 = 4;

/// Most bytes that so many bytes can become.
fn most_bytes(raw_bytes: usize) -> usize {
    raw_bytes + raw_bytes / 255 + 32
}

/// Appends the compressed bytes to `out`. The input is at most 4 GiB.
pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(most_bytes(input.len()));
    let mut places = [0_u32; 1 << PLACE_BITS];
    let last_start = input.len().saturating_sub(LAST_START_BYTES);
    let (mut at, mut written) = (1, 0);
    while let Some((early, late)) = find(input, at, last_start, &mut places) {
        let behind = same_behind(input, early, late, late - written);
        let start = late - behind;
        let end = same_ahead(input, early + SHORTEST, late + SHORTEST);
        put(out, input, written..start, Some((late - early, end - start)));
        if let Some(word) = word(input, end - 2) {
            places[place(word)] = (end - 2) as u32;
        }
        (at, written) = (end, end);
    }
    put(out, input, written..input.len(), None);
}

#[inline]
fn chunk<const BYTES: usize>(bytes: &[u8], at: usize) -> Option<&[u8; BYTES]> {
    bytes.get(at..)?.first_chunk()
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    chunk(bytes, at).map(|chunk| u64::from_le_bytes(*chunk))
}

/// Where a word is remembered.
#[inline]
fn place(word: u64) -> usize {
    (word.wrapping_mul(0x9e37_79b1_85eb_ca87) >> (u64::BITS - PLACE_BITS)) as usize
}

/// The next place from `at` on whose eight bytes were met before, behind the place where they were.
#[inline]
fn find(
    input: &[u8],
    mut at: usize,
    last_start: usize,
    places: &mut [u32; 1 << PLACE_BITS],
) -> Option<(usize, usize)> {
    let mut tries = 1 << SPEED_UP_BITS;
    while at < last_start {
        let here = word(input, at)?;
        let early = std::mem::replace(&mut places[place(here)], at as u32) as usize;
        if word(input, early) == Some(here) && at - early <= WINDOW_BYTES {
            return Some((early, at));
        }
        at += tries >> SPEED_UP_BITS;
        tries += 1;
    }
    None
}

/// How many bytes before two places are the same; at most so many.
#[inline]
fn same_behind(input: &[u8], early: usize, late: usize, most: usize) -> usize {
    let before = |place: usize| input[..place].iter().rev();
    before(early).zip(before(late)).take(most).take_while(|(one, other)| one == other).count()
}

/// Where what begins alike at two places ends at the later one.
#[inline]
fn same_ahead(input: &[u8], mut early: usize, mut late: usize) -> usize {
    let end = input.len() - END_BYTES;
    while let (Some(one), Some(other)) = (chunk(input, early), chunk(input, late)) {
        let difference = u128::from_le_bytes(*one) ^ u128::from_le_bytes(*other);
        if difference != 0 {
            return (late + difference.trailing_zeros() as usize / 8).min(end);
        }
        (early, late) = (early + size_of::<u128>(), late + size_of::<u128>());
    }
    while late < end && input[early] == input[late] {
        (early, late) = (early + 1, late + 1);
    }
    late.min(end)
}

/// Writes bytes as they are, and how far back how many bytes are to be repeated then.
#[inline]
fn put(
    out: &mut Vec<u8>,
    input: &[u8],
    plain: std::ops::Range<usize>,
    repeated: Option<(usize, usize)>,
) {
    let token_at = out.len();
    out.push((plain.len().min(LONG) as u8) << 4);
    if plain.len() < LONG
        && let Some(chunk) = chunk::<16>(input, plain.start)
    {
        // Of one length, whatever is needed of it.
        out.extend_from_slice(chunk);
        out.truncate(token_at + 1 + plain.len());
    } else {
        put_length(out, plain.len());
        out.extend_from_slice(&input[plain]);
    }
    let Some((distance, bytes)) = repeated else { return };
    out.extend_from_slice(&(distance as u16).to_le_bytes());
    let length = bytes - LENGTH_BASE;
    out[token_at] |= length.min(LONG) as u8;
    put_length(out, length);
}

/// Writes what a token has no place for.
#[inline]
fn put_length(out: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(LONG) else { return };
    while rest >= 255 {
        out.push(255);
        rest -= 255;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compressed(input: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        compress(input, &mut out);
        assert!(out.starts_with(b"before") && out.len() - 6 <= most_bytes(input.len()));
        out.split_off(6)
    }

    fn check(input: &[u8]) {
        let back = lz4_flex::block::decompress(&compressed(input), input.len()).unwrap();
        assert!(back == input, "{} bytes", input.len());
    }

    /// Events of one source.
    fn events(count: usize) -> Vec<u8> {
        let event = |number: usize| {
            let (user, city) = (number * 7_919 % 1_000, number * 31 % 17);
            format!(r#"{{"t":{number},"user":"u{user}","city":"c{city}","ms":{}}}"#, user * 3)
        };
        (0..count).map(event).collect::<String>().into_bytes()
    }

    #[test]
    fn any_length_of_events_reads_back() {
        let events = events(5_000);
        (0..300).for_each(|length| check(&events[..length]));
        (events.len() - 20..=events.len()).for_each(|length| check(&events[..length]));
    }

    #[test]
    fn repetitions_of_any_distance_and_length_read_back() {
        for period in [1, 2, 7, 8, 9, 15, 16, 17, 100, 65_534, 65_535, 65_536, 70_000] {
            let mut state = 1_u32;
            let mut random = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            let once: Vec<u8> = (0..period).map(|_| random()).collect();
            for length in [period + 20, 2 * period + 300, 3 * period + 70_000] {
                check(&once.iter().cycle().take(length).copied().collect::<Vec<u8>>());
            }
        }
    }

    #[test]
    fn events_become_less_than_half() {
        let events = events(5_000);
        assert!(compressed(&events).len() * 2 < events.len());
    }

    proptest! {
        #[test]
        fn any_text_reads_back(
            parts in prop::collection::vec(("[ab]{0,12}|[a-z]{0,40}", 0..20_usize), 0..60),
        ) {
            let text: String = parts.iter().map(|(part, times)| part.repeat(*times)).collect();
            check(text.as_bytes());
        }
    }
}
