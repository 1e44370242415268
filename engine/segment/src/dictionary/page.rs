//! Reading one dictionary page: front-coded buckets behind a table of their offsets.

use std::cmp::Ordering;

use crate::dictionary::BUCKET_VALUES;
use crate::error::Result;
use crate::format::bytes::ByteReader;
use crate::format::corrupt;

/// A page of `values` values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageView<'a> {
    bytes: &'a [u8],
    values: usize,
}

impl<'a> PageView<'a> {
    pub(crate) fn new(bytes: &'a [u8], values: usize) -> Result<Self> {
        if values == 0 || values.div_ceil(BUCKET_VALUES) > bytes.len() / 4 {
            return Err(corrupt("a dictionary page is too short for its values"));
        }
        Ok(Self { bytes, values })
    }

    fn buckets(&self) -> usize {
        self.values.div_ceil(BUCKET_VALUES)
    }

    fn bucket(&self, bucket: usize) -> Result<Bucket<'a>> {
        let offset = ByteReader::new(&self.bytes[4 * bucket..]).u32_le()? as usize;
        let bytes = self
            .bytes
            .get(offset..)
            .ok_or_else(|| corrupt("a dictionary bucket lies outside its page"))?;
        let left = BUCKET_VALUES.min(self.values - bucket * BUCKET_VALUES);
        Ok(Bucket { reader: ByteReader::new(bytes), value: Vec::new(), first: true, left })
    }

    /// The value at a position of the page.
    pub(crate) fn get(&self, position: usize) -> Result<String> {
        let mut bucket = self.bucket(position / BUCKET_VALUES)?;
        for _ in 0..=position % BUCKET_VALUES {
            bucket.advance()?;
        }
        String::from_utf8(bucket.value).map_err(|_| corrupt("a dictionary value is not UTF-8"))
    }

    /// The position of the first value that is not less than `value` (the number of values when
    /// there is none), and whether it is equal.
    pub(crate) fn lower_bound(&self, value: &str) -> Result<(usize, bool)> {
        let (mut low, mut high) = (0, self.buckets());
        while low + 1 < high {
            let middle = usize::midpoint(low, high);
            let mut reader = self.bucket(middle)?.reader;
            let length = reader.varint_usize()?;
            match reader.take(length)? <= value.as_bytes() {
                true => low = middle,
                false => high = middle,
            }
        }
        let mut bucket = self.bucket(low)?;
        let mut position = low * BUCKET_VALUES;
        while bucket.advance()? {
            match bucket.value.as_slice().cmp(value.as_bytes()) {
                Ordering::Less => position += 1,
                Ordering::Equal => return Ok((position, true)),
                Ordering::Greater => break,
            }
        }
        Ok((position, false))
    }

    /// Visits the values at positions `from..to`, in order.
    pub(crate) fn for_each(
        &self,
        from: usize,
        to: usize,
        visit: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let to = to.min(self.values);
        let mut position = from - from % BUCKET_VALUES;
        while position < to {
            let mut bucket = self.bucket(position / BUCKET_VALUES)?;
            while position < to && bucket.advance()? {
                if position >= from {
                    visit(bucket.text()?);
                }
                position += 1;
            }
        }
        Ok(())
    }
}

/// A cursor over the values of a bucket.
struct Bucket<'a> {
    reader: ByteReader<'a>,
    value: Vec<u8>,
    first: bool,
    left: usize,
}

impl Bucket<'_> {
    /// Moves to the next value; false behind the last.
    fn advance(&mut self) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let shared = if self.first { 0 } else { self.reader.varint_usize()? };
        self.first = false;
        if shared > self.value.len() {
            return Err(corrupt("a dictionary value shares more than its predecessor has"));
        }
        let length = self.reader.varint_usize()?;
        self.value.truncate(shared);
        self.value.extend_from_slice(self.reader.take(length)?);
        Ok(true)
    }

    fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.value).map_err(|_| corrupt("a dictionary value is not UTF-8"))
    }
}
