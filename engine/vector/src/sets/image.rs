//! Sets as bytes: for each kind of values that a row has, a tag, their number and the values.

use arrow_array::LargeBinaryArray;
use henge_types::number::order_bits;

use super::{SetPart, Sets};
use crate::column::Column;
use crate::error::{Result, VectorError};
use crate::text::TextValues;

const LONGS: u8 = 1;
const DOUBLES: u8 = 2;
const TEXTS: u8 = 3;

impl Sets {
    /// The serialised form of a row. The same for equal sets.
    pub(super) fn image_of(&self, row: usize) -> Vec<u8> {
        let mut values = Values::default();
        self.parts.iter().for_each(|part| values.collect(part, row));
        values.longs.sort_unstable();
        values.doubles.sort_unstable_by_key(|value| order_bits(*value));
        values.texts.sort_unstable();
        let mut out = Vec::new();
        begin(&mut out, LONGS, values.longs.len());
        values.longs.iter().for_each(|value| out.extend(value.to_le_bytes()));
        begin(&mut out, DOUBLES, values.doubles.len());
        values.doubles.iter().for_each(|value| out.extend(value.to_le_bytes()));
        begin(&mut out, TEXTS, values.texts.len());
        for text in values.texts {
            out.extend((text.len() as u64).to_le_bytes());
            out.extend(text.as_bytes());
        }
        out
    }

    /// The sets of some images, whoever wrote them.
    pub(crate) fn of_images(images: &LargeBinaryArray) -> Result<Self> {
        let mut values = Values::default();
        let mut counts: [Vec<usize>; 3] = Default::default();
        for image in images.iter() {
            let before = values.counts();
            values.read(image.unwrap_or_default())?;
            for ((counts, before), after) in counts.iter_mut().zip(before).zip(values.counts()) {
                counts.push(after - before);
            }
        }
        let [longs, doubles, texts] = counts;
        let rows = longs.len();
        let mut distinct = TextValues::default();
        let ids: Vec<u32> = values.texts.iter().map(|text| distinct.push(text)).collect();
        let parts = [
            SetPart::new(longs, Column::longs(values.longs, None)),
            SetPart::new(doubles, Column::doubles(values.doubles, None)),
            SetPart::new(texts, Column::Text(distinct.into_text(ids, false))),
        ];
        let parts = parts.into_iter().filter(|part| !part.values.is_empty());
        Ok(Self::new(rows, parts.collect()))
    }
}

fn begin(out: &mut Vec<u8>, tag: u8, count: usize) {
    if count > 0 {
        out.push(tag);
        out.extend((count as u64).to_le_bytes());
    }
}

/// Values by their kind.
#[derive(Default)]
pub(super) struct Values<'v> {
    pub(super) longs: Vec<i64>,
    pub(super) doubles: Vec<f64>,
    pub(super) texts: Vec<&'v str>,
}

impl<'v> Values<'v> {
    fn counts(&self) -> [usize; 3] {
        [self.longs.len(), self.doubles.len(), self.texts.len()]
    }

    /// Adds the values of a row.
    pub(super) fn collect(&mut self, part: &'v SetPart, row: usize) {
        let places = part.range(row);
        let rows = places.start as usize..places.end as usize;
        match &part.values {
            Column::Long(values) => self.longs.extend(&values.values()[rows]),
            Column::Double(values) => self.doubles.extend(&values.values()[rows]),
            Column::Text(text) => self.texts.extend(rows.filter_map(|at| text.get(at))),
            Column::NodeIds(keys) => self.texts.extend(rows.filter_map(|at| keys.get(at))),
            Column::Null(_)
            | Column::Wide(_)
            | Column::Float(_)
            | Column::WideFloat(_)
            | Column::Lists(_)
            | Column::Objects(_)
            | Column::Timed(_)
            | Column::Mixed(_)
            | Column::SegmentIds(_) => {}
        }
    }

    /// Adds the values of an image.
    fn read(&mut self, mut bytes: &'v [u8]) -> Result<()> {
        while let Some((tag, rest)) = bytes.split_first() {
            bytes = rest;
            let count = length(&mut bytes)?;
            match *tag {
                LONGS => numbers(&mut bytes, count, i64::from_le_bytes, &mut self.longs)?,
                DOUBLES => numbers(&mut bytes, count, f64::from_le_bytes, &mut self.doubles)?,
                TEXTS => {
                    for _ in 0..count {
                        let length = length(&mut bytes)?;
                        let text = taken(&mut bytes, length)?;
                        self.texts.push(std::str::from_utf8(text).map_err(|_| corrupt())?);
                    }
                }
                _ => return Err(corrupt()),
            }
        }
        Ok(())
    }
}

fn taken<'b>(bytes: &mut &'b [u8], length: usize) -> Result<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or_else(corrupt)?;
    *bytes = rest;
    Ok(taken)
}

fn length(bytes: &mut &[u8]) -> Result<usize> {
    let length = taken(bytes, 8)?.try_into().map_err(|_| corrupt())?;
    usize::try_from(u64::from_le_bytes(length)).map_err(|_| corrupt())
}

fn numbers<T>(
    bytes: &mut &[u8],
    count: usize,
    of: impl Fn([u8; 8]) -> T,
    to: &mut Vec<T>,
) -> Result<()> {
    let values = taken(bytes, count.checked_mul(8).ok_or_else(corrupt)?)?;
    to.extend(values.as_chunks::<8>().0.iter().map(|value| of(*value)));
    Ok(())
}

fn corrupt() -> VectorError {
    VectorError::Corrupt("a set is malformed".to_owned())
}
