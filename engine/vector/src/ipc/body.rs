//! The buffers of a record batch, taken one after the other as its columns need them.

use arrow_array::LargeStringArray;
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow_ipc::RecordBatch;

use super::frame::{Frame, corrupt};
use crate::error::Result;

/// A record batch within its message's bytes.
pub(super) struct Body<'b> {
    bytes: &'b [u8],
    /// Rows of each array, in order.
    nodes: Vec<usize>,
    /// Where each buffer is.
    buffers: Vec<(usize, usize)>,
    next_node: usize,
    next_buffer: usize,
}

impl<'b> Body<'b> {
    pub(super) fn new(frame: &Frame<'b>, batch: RecordBatch<'b>) -> Result<Self> {
        if batch.compression().is_some() {
            return Err(corrupt("buffers are compressed"));
        }
        let size = |value: i64| usize::try_from(value).map_err(|_| corrupt("a negative length"));
        let nodes = batch.nodes().into_iter().flatten().map(|node| size(node.length()));
        let buffers = batch.buffers().into_iter().flatten();
        let buffers = buffers.map(|buffer| Ok((size(buffer.offset())?, size(buffer.length())?)));
        Ok(Self {
            bytes: frame.body,
            nodes: nodes.collect::<Result<_>>()?,
            buffers: buffers.collect::<Result<_>>()?,
            next_node: 0,
            next_buffer: 0,
        })
    }

    /// True when all was taken.
    pub(super) fn is_used_up(&self) -> bool {
        self.next_node == self.nodes.len() && self.next_buffer == self.buffers.len()
    }

    /// Begins an array: the number of its rows.
    pub(super) fn rows(&mut self) -> Result<usize> {
        let rows = self.nodes.get(self.next_node).ok_or_else(|| corrupt("an array is missing"))?;
        self.next_node += 1;
        Ok(*rows)
    }

    fn buffer(&mut self) -> Result<&'b [u8]> {
        let (offset, length) =
            *self.buffers.get(self.next_buffer).ok_or_else(|| corrupt("a buffer is missing"))?;
        self.next_buffer += 1;
        let end = offset.checked_add(length).ok_or_else(|| corrupt("a buffer has no end"))?;
        self.bytes.get(offset..end).ok_or_else(|| corrupt("a buffer lies beyond its message"))
    }

    /// The validity of so many rows.
    pub(super) fn nulls(&mut self, rows: usize) -> Result<Option<NullBuffer>> {
        let bits = self.buffer()?;
        if bits.is_empty() {
            return Ok(None);
        }
        let nulls = NullBuffer::new(boolean(bits, rows)?);
        Ok((nulls.null_count() > 0).then_some(nulls))
    }

    /// Bits of so many rows.
    pub(super) fn bits(&mut self, rows: usize) -> Result<BooleanBuffer> {
        boolean(self.buffer()?, rows)
    }

    /// So many numbers of `N` bytes.
    pub(super) fn numbers<T, const N: usize>(
        &mut self,
        count: usize,
        of: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>> {
        let bytes = self.buffer()?;
        let length = count.checked_mul(N).ok_or_else(|| corrupt("too many values"))?;
        let bytes = bytes.get(..length).ok_or_else(|| corrupt("a buffer is too short"))?;
        let (chunks, _) = bytes.as_chunks::<N>();
        Ok(chunks.iter().map(|chunk| of(*chunk)).collect())
    }

    /// Where so many items begin, and the end of the last, ascending from 0.
    pub(super) fn offsets(&mut self, rows: usize) -> Result<Vec<i64>> {
        let count = rows.checked_add(1).ok_or_else(|| corrupt("too many rows"))?;
        // Arrow lets arrays without rows do without offsets.
        if rows == 0 && self.buffers.get(self.next_buffer).is_some_and(|(_, length)| *length == 0) {
            self.next_buffer += 1;
            return Ok(vec![0]);
        }
        let offsets = self.numbers(count, i64::from_le_bytes)?;
        if offsets.first() == Some(&0) && offsets.is_sorted() {
            Ok(offsets)
        } else {
            Err(corrupt("offsets do not ascend"))
        }
    }

    /// Offsets and the bytes they divide.
    pub(super) fn byte_strings(&mut self, rows: usize) -> Result<(OffsetBuffer<i64>, Buffer)> {
        let offsets = self.offsets(rows)?;
        let bytes = self.buffer()?;
        let end = offsets.last().and_then(|end| usize::try_from(*end).ok());
        let bytes = end.and_then(|end| bytes.get(..end));
        let bytes = bytes.ok_or_else(|| corrupt("offsets go beyond their bytes"))?;
        Ok((OffsetBuffer::new(offsets.into()), Buffer::from(bytes)))
    }

    /// The values of a dictionary.
    pub(super) fn strings(&mut self) -> Result<LargeStringArray> {
        let rows = self.rows()?;
        let nulls = self.nulls(rows)?;
        let (offsets, bytes) = self.byte_strings(rows)?;
        LargeStringArray::try_new(offsets, bytes, nulls).map_err(|_| corrupt("text is not UTF-8"))
    }
}

fn boolean(bits: &[u8], rows: usize) -> Result<BooleanBuffer> {
    let bits = bits.get(..rows.div_ceil(8)).ok_or_else(|| corrupt("bits are missing"))?;
    Ok(BooleanBuffer::new(Buffer::from(bits), 0, rows))
}
