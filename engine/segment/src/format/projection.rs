//! Projections inside a segment file. Each is a whole little segment with footer and checksums of its
//! own, embedded as it is: it is read, verified and mapped by the code that does so for any segment.

use std::io::Write;
use std::ops::Range;

use henge_types::ProjectionDefinition;
use rustc_hash::FxHashSet;

use crate::error::{Result, SegmentError};
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::piece::SegmentBytes;
use crate::format::sink::FileSink;
use crate::format::{LARGE_ALIGNMENT, corrupt};

/// A projection that is about to be stored: the bytes are those of a segment file.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionFile {
    /// What it holds.
    pub definition: ProjectionDefinition,
    /// The segment of its rows.
    pub bytes: Vec<u8>,
}

/// Where a projection lies in the file, as the footer says it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredProjection {
    pub(crate) definition: ProjectionDefinition,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Part of a file as a file of its own, without a copy.
struct Slice {
    file: SegmentBytes,
    range: Range<usize>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        (*self.file).as_ref().get(self.range.clone()).unwrap_or_default()
    }
}

impl StoredProjection {
    /// Embeds a segment file.
    pub(crate) fn write<W: Write>(sink: &mut FileSink<W>, file: &ProjectionFile) -> Result<Self> {
        sink.align(LARGE_ALIGNMENT)?;
        let offset = sink.position();
        sink.append(&file.bytes)?;
        let definition = file.definition.clone();
        Ok(Self { definition, offset, length: file.bytes.len() as u64 })
    }

    /// The body of the footer's section.
    pub(crate) fn write_all(projections: &[Self]) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        body.put_varint(projections.len() as u64);
        for projection in projections {
            let definition = serde_json::to_string(&projection.definition)
                .map_err(|error| SegmentError::Invalid(format!("write projection: {error}")))?;
            body.put_text(&definition);
            body.put_varint(projection.offset / LARGE_ALIGNMENT as u64);
            body.put_varint(projection.length);
        }
        Ok(body)
    }

    /// Reads the body of the footer's section.
    pub(crate) fn read_all(mut body: ByteReader<'_>) -> Result<Vec<Self>> {
        let count = body.count(3)?;
        let mut projections = Vec::with_capacity(count);
        let mut names = FxHashSet::default();
        for _ in 0..count {
            let definition: ProjectionDefinition = serde_json::from_str(body.text()?)
                .map_err(|error| corrupt(format!("the definition of a projection: {error}")))?;
            if !names.insert(definition.name.clone()) {
                return Err(corrupt(format!("projection '{}' appears twice", definition.name)));
            }
            let offset = body
                .varint()?
                .checked_mul(LARGE_ALIGNMENT as u64)
                .ok_or_else(|| corrupt("a projection lies outside the file"))?;
            projections.push(Self { definition, offset, length: body.varint()? });
        }
        body.finish("the projections")?;
        Ok(projections)
    }

    /// The bytes of the embedded segment.
    pub(crate) fn bytes(&self, file: &SegmentBytes) -> Result<SegmentBytes> {
        let range = usize::try_from(self.offset)
            .ok()
            .zip(usize::try_from(self.length).ok())
            .and_then(|(start, length)| Some(start..start.checked_add(length)?))
            .filter(|range| range.end <= (**file).as_ref().len())
            .ok_or_else(|| corrupt("it lies outside the file"))?;
        Ok(std::sync::Arc::new(Slice { file: file.clone(), range }))
    }
}
