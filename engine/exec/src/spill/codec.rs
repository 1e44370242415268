//! Groups as bytes, for temporary files of this very process: no versions, but a checksum, as disks
//! fail (a spilled run that cannot be read is an error, never a wrong answer).

use henge_sketch::{HllSketch, KllSketch, Sketch, ThetaSketch};
use xxhash_rust::xxh3::xxh3_64;

use crate::bucket_starts::BucketStarts;
use crate::error::{ExecError, Result};
use crate::finalise::text_of;
use crate::partial::{GroupedPartial, KeyColumn, StateColumn, StringKeys};

const CHECKSUM_BYTES: usize = 8;

/// The groups as bytes, checksum included.
#[must_use]
pub fn encode_groups(groups: &GroupedPartial) -> Vec<u8> {
    let mut out = Writer(vec![0; CHECKSUM_BYTES]);
    match &groups.bucket_starts {
        BucketStarts::All(count) => {
            out.byte(0);
            out.long(*count as i64);
        }
        BucketStarts::At(starts) => {
            out.byte(1);
            out.list(starts, |out, start| out.long(*start));
        }
    }
    out.list(&groups.keys, write_keys);
    out.list(&groups.states, write_states);
    out.list(&groups.data_range_ms, |out, range| {
        out.option(range.as_ref(), |out, (low, high)| {
            out.long(*low);
            out.long(*high);
        });
    });
    let mut bytes = out.0;
    let checksum = xxh3_64(&bytes[CHECKSUM_BYTES..]);
    bytes[..CHECKSUM_BYTES].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The groups again.
///
/// # Errors
/// When the bytes are not as they were written.
pub fn decode_groups(bytes: &[u8]) -> Result<GroupedPartial> {
    let (checksum, body) = bytes.split_first_chunk::<CHECKSUM_BYTES>().ok_or_else(damaged)?;
    if xxh3_64(body) != u64::from_le_bytes(*checksum) {
        return Err(damaged());
    }
    let mut reader = Reader(body);
    let groups = GroupedPartial {
        bucket_starts: match reader.byte()? {
            0 => BucketStarts::All(reader.length()?),
            1 => BucketStarts::At(reader.list(Reader::long)?),
            _ => return Err(damaged()),
        },
        keys: reader.list(read_keys)?,
        states: reader.list(read_states)?,
        data_range_ms: reader
            .list(|reader| reader.option(|reader| Ok((reader.long()?, reader.long()?))))?,
    };
    let count = groups.group_count();
    let fits = reader.0.is_empty()
        && groups.keys.iter().all(|keys| keys_fit(keys, count))
        && groups.states.iter().all(|states| state_count(states) == count);
    if fits { Ok(groups) } else { Err(damaged()) }
}

fn damaged() -> ExecError {
    ExecError::Corrupt("a spilled run is damaged: check the disk of the temporary files".to_owned())
}

fn keys_fit(keys: &KeyColumn, count: usize) -> bool {
    match keys {
        KeyColumn::String(keys) => {
            keys.ids.len() == count
                && keys.ids.iter().all(|&id| id as usize <= keys.ends.len())
                && keys.ends.is_sorted()
                && keys.ends.iter().all(|&end| keys.bytes.is_char_boundary(end))
        }
        KeyColumn::Node(keys) => keys.ids.len() == count,
        KeyColumn::Long(values) => values.len() == count,
        KeyColumn::Double(values) => values.len() == count,
    }
}

fn state_count(states: &StateColumn) -> usize {
    match states {
        StateColumn::Long { values, .. } => values.len(),
        StateColumn::Wide { values, .. } => values.len(),
        StateColumn::Double { values, .. } => values.len(),
        StateColumn::Hll(states) => states.len(),
        StateColumn::Theta(states) => states.len(),
        StateColumn::Kll(states) => states.len(),
    }
}

fn write_keys(out: &mut Writer, keys: &KeyColumn) {
    match keys {
        KeyColumn::Node(keys) => {
            let values = text_of((0..keys.ids.len()).map(|group| keys.get(group)));
            write_keys(out, &KeyColumn::String(values));
        }
        KeyColumn::String(keys) => {
            out.byte(0);
            out.list(&keys.ids, |out, id| out.0.extend_from_slice(&id.to_le_bytes()));
            out.list(&keys.ends, |out, end| out.long(*end as i64));
            out.bytes(keys.bytes.as_bytes());
            out.byte(u8::from(keys.sorted));
        }
        KeyColumn::Long(values) => {
            out.byte(1);
            out.list(values, |out, value| out.option(value.as_ref(), |out, v| out.long(*v)));
        }
        KeyColumn::Double(values) => {
            out.byte(2);
            out.list(values, |out, value| out.option(value.as_ref(), |out, v| out.double(*v)));
        }
    }
}

fn read_keys(reader: &mut Reader<'_>) -> Result<KeyColumn> {
    Ok(match reader.byte()? {
        0 => KeyColumn::String(StringKeys {
            ids: reader.list(|reader| Ok(u32::from_le_bytes(reader.array()?)))?,
            ends: reader.list(Reader::length)?,
            bytes: String::from_utf8(reader.bytes()?.to_vec()).map_err(|_| damaged())?,
            sorted: reader.byte()? == 1,
        }),
        1 => KeyColumn::Long(reader.list(|reader| reader.option(Reader::long))?),
        2 => KeyColumn::Double(reader.list(|reader| reader.option(Reader::double))?),
        _ => return Err(damaged()),
    })
}

fn write_states(out: &mut Writer, states: &StateColumn) {
    fn sketches<S: Sketch>(out: &mut Writer, kind: u8, states: &[Option<Box<S>>]) {
        out.byte(kind);
        out.list(states, |out, state| {
            out.option(state.as_ref(), |out, sketch| out.bytes(&sketch.to_bytes()));
        });
    }
    match states {
        StateColumn::Long { values, valid } => {
            out.byte(0);
            out.list(values, |out, value| out.long(*value));
            out.flags(valid.as_deref());
        }
        StateColumn::Double { values, valid, float } => {
            out.byte(1);
            out.list(values, |out, value| out.double(*value));
            out.flags(valid.as_deref());
            out.byte(u8::from(*float));
        }
        StateColumn::Wide { values, valid } => {
            out.byte(5);
            out.list(values, |out, value| out.0.extend_from_slice(&value.to_le_bytes()));
            out.flags(valid.as_deref());
        }
        StateColumn::Hll(states) => sketches(out, 2, states),
        StateColumn::Theta(states) => sketches(out, 3, states),
        StateColumn::Kll(states) => sketches(out, 4, states),
    }
}

fn read_states(reader: &mut Reader<'_>) -> Result<StateColumn> {
    fn sketches<S: Sketch>(reader: &mut Reader<'_>) -> Result<Vec<Option<Box<S>>>> {
        reader.list(|reader| {
            reader.option(|reader| {
                S::from_bytes(reader.bytes()?).map(Box::new).map_err(|_| damaged())
            })
        })
    }
    Ok(match reader.byte()? {
        0 => StateColumn::Long { values: reader.list(Reader::long)?, valid: reader.flags()? },
        1 => StateColumn::Double {
            values: reader.list(Reader::double)?,
            valid: reader.flags()?,
            float: reader.byte()? == 1,
        },
        5 => StateColumn::Wide {
            values: reader.list(|reader| Ok(i128::from_le_bytes(reader.array()?)))?,
            valid: reader.flags()?,
        },
        2 => StateColumn::Hll(sketches::<HllSketch>(reader)?),
        3 => StateColumn::Theta(sketches::<ThetaSketch>(reader)?),
        4 => StateColumn::Kll(sketches::<KllSketch>(reader)?),
        _ => return Err(damaged()),
    })
}

struct Writer(Vec<u8>);

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn long(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn double(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.long(bytes.len() as i64);
        self.0.extend_from_slice(bytes);
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.long(items.len() as i64);
        items.iter().for_each(|item| write(self, item));
    }

    fn option<T>(&mut self, value: Option<&T>, write: impl Fn(&mut Self, &T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn flags(&mut self, flags: Option<&[bool]>) {
        self.byte(u8::from(flags.is_some()));
        if let Some(flags) = flags {
            self.list(flags, |out, flag| out.byte(u8::from(*flag)));
        }
    }
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn long(&mut self) -> Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn double(&mut self) -> Result<f64> {
        self.array().map(f64::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize> {
        usize::try_from(self.long()?).map_err(|_| damaged())
    }

    fn bytes(&mut self) -> Result<&'b [u8]> {
        let length = self.length()?;
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(head)
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let length = self.length()?;
        // Every item takes a byte at least, so a wrong length cannot ask for much.
        if length > self.0.len() {
            return Err(damaged());
        }
        (0..length).map(|_| read(self)).collect()
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            _ => read(self).map(Some),
        }
    }

    fn flags(&mut self) -> Result<Option<Vec<bool>>> {
        self.option(|reader| reader.list(|reader| Ok(reader.byte()? == 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> GroupedPartial {
        let mut sketch = HllSketch::hyper_unique().unwrap();
        sketch.update_str("a");
        GroupedPartial {
            bucket_starts: BucketStarts::At(vec![-1, 5]),
            keys: vec![
                KeyColumn::String(StringKeys {
                    ids: vec![0, 2],
                    ends: vec![1, 4],
                    bytes: "aéz".to_owned(),
                    sorted: true,
                }),
                KeyColumn::Long(vec![None, Some(i64::MIN)]),
                KeyColumn::Double(vec![Some(f64::NAN), None]),
            ],
            states: vec![
                StateColumn::Long { values: vec![1, i64::MAX], valid: None },
                StateColumn::Wide { values: vec![-1, 1 << 70], valid: Some(vec![true, false]) },
                StateColumn::Double {
                    values: vec![0.1, 2.0],
                    valid: Some(vec![true, false]),
                    float: true,
                },
                StateColumn::Hll(vec![Some(Box::new(sketch)), None]),
            ],
            data_range_ms: vec![None, Some((1, 2))],
        }
    }

    #[test]
    fn groups_come_back_as_they_were() {
        let bytes = encode_groups(&sample());
        let read = decode_groups(&bytes).unwrap();
        assert_eq!(encode_groups(&read), bytes);
        assert_eq!(format!("{:?}", read.keys), format!("{:?}", sample().keys));
    }

    #[test]
    fn h_53_f_64_every_damaged_byte_and_every_cut_is_noticed() {
        let bytes = encode_groups(&sample());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            assert!(matches!(decode_groups(&damaged), Err(ExecError::Corrupt(_))), "byte {at}");
            assert!(decode_groups(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn h_53_wrong_lengths_under_a_right_checksum_are_refused() {
        let bytes = encode_groups(&sample());
        for at in (CHECKSUM_BYTES..bytes.len()).step_by(3) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut hostile = bytes.clone();
                hostile[at] = value;
                let checksum = xxh3_64(&hostile[CHECKSUM_BYTES..]);
                hostile[..CHECKSUM_BYTES].copy_from_slice(&checksum.to_le_bytes());
                // Either still groups or refused; never a panic.
                let _ = decode_groups(&hostile).map(|groups| groups.memory_bytes());
            }
        }
    }
}
