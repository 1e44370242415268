//! Bounds-checked reading and writing of the small structures: footer and index pieces.

use crate::error::Result;
use crate::format::corrupt;

/// Reads little-endian fields; running out of bytes is `Corrupt`, never a panic.
#[derive(Debug, Clone)]
pub(crate) struct ByteReader<'a> {
    bytes: &'a [u8],
    position: usize,
    base: u64,
}

impl<'a> ByteReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, base: 0 }
    }

    /// The place in the file that references to pieces count from.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    pub(crate) fn with_base(self, base: u64) -> Self {
        Self { base, ..self }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        if length > self.remaining() {
            return Err(corrupt(format!(
                "{length} bytes wanted at offset {}, {} left",
                self.position,
                self.remaining()
            )));
        }
        let taken = &self.bytes[self.position..self.position + length];
        self.position += length;
        Ok(taken)
    }

    /// A reader of the next `length` bytes, which keeps counting positions from the same start.
    pub(crate) fn sub(&mut self, length: usize) -> Result<Self> {
        let start = self.position;
        self.take(length)?;
        Ok(Self { bytes: &self.bytes[..self.position], position: start, base: self.base })
    }

    /// The rest of the bytes.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.position..];
        self.position = self.bytes.len();
        rest
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u32_le(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64_le(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// LEB128, at most ten bytes.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(corrupt("a variable-length integer exceeds 64 bits"))
    }

    pub(crate) fn varint_u32(&mut self) -> Result<u32> {
        u32::try_from(self.varint()?).map_err(|_| corrupt("an integer exceeds 32 bits"))
    }

    pub(crate) fn varint_usize(&mut self) -> Result<usize> {
        usize::try_from(self.varint()?).map_err(|_| corrupt("a length exceeds the address space"))
    }

    /// A count of things that take at least `bytes_each` bytes: what may be allocated for them is
    /// bounded by the bytes at hand.
    pub(crate) fn count(&mut self, bytes_each: usize) -> Result<usize> {
        let count = self.varint_usize()?;
        if count > self.remaining() / bytes_each.max(1) {
            return Err(corrupt(format!("a count of {count} exceeds the bytes at hand")));
        }
        Ok(count)
    }

    pub(crate) fn zigzag(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let length = self.varint_usize()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| corrupt("text is not UTF-8"))
    }

    /// Fails when bytes are left over.
    pub(crate) fn finish(self, what: &str) -> Result<()> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(corrupt(format!("{left} bytes left over after {what}"))),
        }
    }
}

/// Appends fields to a vector.
pub(crate) trait ByteWriter {
    fn put_varint(&mut self, value: u64);
    fn put_zigzag(&mut self, value: i64);
    fn put_text(&mut self, text: &str);
}

impl ByteWriter for Vec<u8> {
    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.push(value.to_le_bytes()[0]);
    }

    fn put_zigzag(&mut self, value: i64) {
        self.put_varint(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn put_text(&mut self, text: &str) {
        self.put_varint(text.len() as u64);
        self.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_round_trip() {
        let mut bytes = Vec::new();
        let values = [0, 1, 127, 128, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        let signed = [0, -1, 1, i64::MIN, i64::MAX];
        values.iter().for_each(|v| bytes.put_varint(*v));
        signed.iter().for_each(|v| bytes.put_zigzag(*v));
        let mut reader = ByteReader::new(&bytes);
        values.iter().for_each(|v| assert_eq!(reader.varint().unwrap(), *v));
        signed.iter().for_each(|v| assert_eq!(reader.zigzag().unwrap(), *v));
        reader.finish("test").unwrap();
    }

    #[test]
    fn h_41_overlong_integers_and_counts_are_refused() {
        assert!(ByteReader::new(&[0xff; 10]).varint().is_err());
        assert!(ByteReader::new(&[0x80; 3]).varint().is_err());
        assert!(ByteReader::new(&[200, 1, 0]).count(1).is_err());
        assert!(ByteReader::new(&[5, b'a']).text().is_err());
        assert!(ByteReader::new(&[1, 0xff]).text().is_err());
    }
}
