//! Checks an HLL image before the library reads it, and writes images of what is counted without it.
//!
//! The library trusts the registers of an image: values beyond 63, exceptions that are listed but
//! absent, or wrong counters make later updates and merges panic. So every register is looked at
//! here, and the fields that can be derived from registers are derived again.

use std::borrow::Cow;

use henge_types::HllType;

const HEADER_BYTES: usize = 8;
const SET_HEADER_BYTES: usize = 12;
const HLL_HEADER_BYTES: usize = 40;
const FAMILY: u8 = 7;
const FLAG_EMPTY: u8 = 4;
const FLAG_COMPACT: u8 = 8;
const FLAG_OUT_OF_ORDER: u8 = 16;
const LIST_CAPACITY: usize = 8;
const MIN_LG_SET: u8 = 5;
const MAX_REGISTER: u8 = 63;
/// A nibble of an HLL_4 image that refers to the list of exceptions.
const EXCEPTION: u8 = 15;

type Check<T> = Result<T, String>;

/// The image of a sketch that lists its distinct values: ascending slots and register values.
pub(crate) fn of_coupons(lg_k: u8, hll_type: HllType, coupons: &[u32]) -> Vec<u8> {
    let count = coupons.len();
    let layout = match hll_type {
        HllType::Hll4 => 0,
        HllType::Hll6 => 1,
        HllType::Hll8 => 2,
    };
    let mut image = if count < LIST_CAPACITY {
        let flags = FLAG_COMPACT | if count == 0 { FLAG_EMPTY } else { 0 };
        vec![2, 1, FAMILY, lg_k, 3, flags, count as u8, layout << 2]
    } else {
        let lg_max = lg_k.saturating_sub(3);
        let lg_table = (MIN_LG_SET..lg_max).find(|lg| 4 * count <= 3 << lg).unwrap_or(lg_max);
        let mut image = vec![3, 1, FAMILY, lg_k, lg_table, FLAG_COMPACT, 0, 1 | layout << 2];
        image.extend((count as u32).to_le_bytes());
        image
    };
    image.extend(coupons.iter().flat_map(|coupon| coupon.to_le_bytes()));
    image
}

/// The image of a sketch of registers of a byte each, in no known order of updates.
pub(crate) fn of_registers(lg_k: u8, registers: &[u8]) -> Vec<u8> {
    let mut histogram = [0_u32; 64];
    registers.iter().for_each(|register| histogram[usize::from(register & MAX_REGISTER)] += 1);
    let mut image = Vec::with_capacity(HLL_HEADER_BYTES + registers.len());
    image.extend([10, 1, FAMILY, lg_k, 0, FLAG_OUT_OF_ORDER, 0, 2 | 2 << 2]);
    for sum in [0.0, sum_of_powers(&histogram, 0..32), sum_of_powers(&histogram, 32..64)] {
        image.extend(sum.to_le_bytes());
    }
    image.extend(histogram[0].to_le_bytes());
    image.extend(0_u32.to_le_bytes());
    image.extend(registers);
    image
}

/// The image, made canonical where several images mean the same.
pub(crate) fn checked(bytes: &[u8]) -> Check<Cow<'_, [u8]>> {
    if bytes.len() < HEADER_BYTES {
        return Err(format!("{} bytes are too few", bytes.len()));
    }
    let lg_k = bytes[3];
    if !(4..=21).contains(&lg_k) {
        return Err(format!("lgK {lg_k} is not in 4 to 21"));
    }
    match bytes[7] & 3 {
        0 => list(bytes),
        1 => set(bytes, lg_k),
        2 => registers(bytes, lg_k),
        mode => Err(format!("unknown mode {mode}")),
    }
}

fn list(bytes: &[u8]) -> Check<Cow<'_, [u8]>> {
    let count = usize::from(bytes[6]);
    let stored = if count == 0 {
        0
    } else if bytes[5] & FLAG_COMPACT == 0 {
        LIST_CAPACITY
    } else {
        count
    };
    let mut coupons = occupied(bytes, HEADER_BYTES, stored)?;
    if coupons.len() != count || count >= LIST_CAPACITY {
        return Err(format!("list of {} coupons claims {count}", coupons.len()));
    }
    coupons.sort_unstable();
    distinct(&coupons)?;
    let mut image = bytes[..HEADER_BYTES].to_vec();
    image[5] = FLAG_COMPACT | if count == 0 { FLAG_EMPTY } else { 0 };
    image.extend(coupons.iter().flat_map(|coupon| coupon.to_le_bytes()));
    Ok(Cow::Owned(image))
}

fn set(bytes: &[u8], lg_k: u8) -> Check<Cow<'_, [u8]>> {
    let count = read_u32(bytes, HEADER_BYTES)? as usize;
    let lg_max = lg_k.saturating_sub(3);
    let lg_table = bytes[4];
    if !(MIN_LG_SET..=lg_max).contains(&lg_table) {
        return Err(format!("set of 2^{lg_table} slots"));
    }
    let compact = bytes[5] & FLAG_COMPACT != 0;
    let stored = if compact { count } else { 1 << lg_table };
    let mut coupons = occupied(bytes, SET_HEADER_BYTES, stored)?;
    if coupons.len() != count {
        return Err(format!("set of {} coupons claims {count}", coupons.len()));
    }
    // The table's size follows from the number of coupons, not from what the image claims.
    let fitting = (MIN_LG_SET..=lg_max).find(|lg| 4 * count <= 3 << lg);
    let lg_table = fitting.ok_or_else(|| format!("set of {count} coupons is too large"))?;
    coupons.sort_unstable();
    distinct(&coupons)?;
    let mut image = bytes[..SET_HEADER_BYTES].to_vec();
    image[4] = lg_table;
    image[5] = FLAG_COMPACT;
    image.extend(coupons.iter().flat_map(|coupon| coupon.to_le_bytes()));
    Ok(Cow::Owned(image))
}

fn occupied(bytes: &[u8], start: usize, count: usize) -> Check<Vec<u32>> {
    let end = count.checked_mul(4).and_then(|length| length.checked_add(start));
    let raw = end.and_then(|end| bytes.get(start..end)).ok_or("image is cut short")?;
    let (words, _) = raw.as_chunks::<4>();
    let coupons: Vec<u32> =
        words.iter().map(|word| u32::from_le_bytes(*word)).filter(|coupon| *coupon != 0).collect();
    if coupons.iter().any(|coupon| register_value(*coupon) == 0) {
        return Err("coupon without a value".into());
    }
    Ok(coupons)
}

fn distinct(sorted: &[u32]) -> Check<()> {
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("coupon occurs twice".into());
    }
    Ok(())
}

fn register_value(coupon: u32) -> u8 {
    (coupon >> 26) as u8
}

fn registers(bytes: &[u8], lg_k: u8) -> Check<Cow<'_, [u8]>> {
    let hip = read_f64(bytes, 8)?;
    if !hip.is_finite() || hip < 0.0 {
        return Err(format!("accumulator is {hip}"));
    }
    let (histogram, lowest) = match bytes[7] >> 2 & 3 {
        0 => (histogram_4(bytes, lg_k)?, bytes[6]),
        1 => (histogram_6(bytes, lg_k)?, 0),
        2 => (histogram_8(bytes, lg_k)?, 0),
        layout => return Err(format!("unknown layout {layout}")),
    };
    let at_lowest = histogram[usize::from(lowest)];
    if lowest > 0 && at_lowest == 0 {
        return Err("no register has the lowest value".into());
    }
    // Sums of powers of two are exact, so equality is the test.
    let (large, small) = (sum_of_powers(&histogram, 0..32), sum_of_powers(&histogram, 32..64));
    let same = read_f64(bytes, 16)? == large
        && read_f64(bytes, 24)? == small
        && read_u32(bytes, 32)? == at_lowest;
    if same {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut image = bytes.to_vec();
    image[16..24].copy_from_slice(&large.to_le_bytes());
    image[24..32].copy_from_slice(&small.to_le_bytes());
    image[32..36].copy_from_slice(&at_lowest.to_le_bytes());
    Ok(Cow::Owned(image))
}

fn payload(bytes: &[u8], length: usize) -> Check<&[u8]> {
    bytes.get(HLL_HEADER_BYTES..HLL_HEADER_BYTES + length).ok_or("image is cut short".into())
}

/// The sum of `2^-register` over the registers with some values.
fn sum_of_powers(histogram: &[u32; 64], values: std::ops::Range<usize>) -> f64 {
    values.map(|value| f64::from(histogram[value]) / (1_u64 << value) as f64).sum()
}

fn histogram_8(bytes: &[u8], lg_k: u8) -> Check<[u32; 64]> {
    let mut histogram = [0; 64];
    for value in payload(bytes, 1 << lg_k)? {
        let count = histogram.get_mut(usize::from(*value)).ok_or("register beyond 63")?;
        *count += 1;
    }
    Ok(histogram)
}

fn histogram_6(bytes: &[u8], lg_k: u8) -> Check<[u32; 64]> {
    let mut histogram = [0; 64];
    // Four registers in three bytes; 2^lg_k is a multiple of four.
    let (groups, _) = payload(bytes, 3 << (lg_k - 2))?.as_chunks::<3>();
    for group in groups {
        let word = u32::from_le_bytes([group[0], group[1], group[2], 0]);
        for register in 0..4 {
            histogram[(word >> (6 * register) & 63) as usize] += 1;
        }
    }
    Ok(histogram)
}

fn histogram_4(bytes: &[u8], lg_k: u8) -> Check<[u32; 64]> {
    let lowest = bytes[6];
    let nibbles = payload(bytes, 1 << (lg_k - 1))?;
    let mut by_nibble = [0_u32; 16];
    for byte in nibbles {
        by_nibble[usize::from(byte & 15)] += 1;
        by_nibble[usize::from(byte >> 4)] += 1;
    }
    let mut histogram = [0_u32; 64];
    for (nibble, count) in by_nibble[..usize::from(EXCEPTION)].iter().enumerate() {
        let value = usize::from(lowest) + nibble;
        match histogram.get_mut(value) {
            Some(slot) => *slot = *count,
            None if *count == 0 => {}
            None => return Err("register beyond 63".into()),
        }
    }
    let listed = read_u32(bytes, 36)?;
    if listed != by_nibble[usize::from(EXCEPTION)] {
        return Err(format!("{listed} exceptions listed, {} used", by_nibble[15]));
    }
    let start = HLL_HEADER_BYTES + nibbles.len();
    let stored = if listed == 0 {
        0
    } else if bytes[5] & FLAG_COMPACT != 0 {
        listed as usize
    } else {
        1_usize.checked_shl(bytes[4].into()).ok_or("exception table is too large")?
    };
    let exceptions = occupied(bytes, start, stored)?;
    let mask = (1_u32 << lg_k) - 1;
    let mut slots = Vec::with_capacity(exceptions.len());
    for coupon in exceptions {
        let (slot, value) = ((coupon & mask) as usize, register_value(coupon));
        let nibble = nibbles[slot / 2] >> (4 * (slot % 2)) & 15;
        let least = lowest.saturating_add(EXCEPTION);
        if nibble != EXCEPTION || !(least..=MAX_REGISTER).contains(&value) {
            return Err(format!("exception for register {slot} is not one"));
        }
        histogram[usize::from(value)] += 1;
        slots.push(slot);
    }
    slots.sort_unstable();
    slots.dedup();
    if slots.len() != listed as usize {
        return Err("exception occurs twice or is missing".into());
    }
    Ok(histogram)
}

fn read_u32(bytes: &[u8], at: usize) -> Check<u32> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    word.map(|word| u32::from_le_bytes(*word)).ok_or("image is cut short".into())
}

fn read_f64(bytes: &[u8], at: usize) -> Check<f64> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    word.map(|word| f64::from_le_bytes(*word)).ok_or("image is cut short".into())
}
