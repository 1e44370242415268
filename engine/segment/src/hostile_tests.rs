//! Attacker-made files: contents changed and checksums made right again. Such a file may be refused or
//! read as something, but must never panic, hang or take memory without bound.

use std::sync::Arc;

use crate::common::{mix, read_all, write_layouts, write_projected, write_rich};
use crate::format::bytes::ByteWriter;
use crate::format::footer;
use crate::format::piece::StoredPiece;
use crate::format::sink::FileSink;
use crate::format::trailer::Trailer;
use crate::format::{FORMAT_VERSION, checksum, trailer};
use crate::options::WriteOptions;
use crate::reader::MappedSegment;
use crate::reader::stored::PieceRole;
use crate::view::{ColumnView, SegmentView};
use crate::{BlockCodec, ProjectionFile, Result};

/// The file with another raw footer, signed.
fn with_footer(file: &[u8], raw: &[u8]) -> Vec<u8> {
    let trailer = Trailer::read(file).unwrap();
    let end = trailer.footer_offset as usize;
    let mut sink = FileSink::new(Vec::new(), trailer.version);
    sink.append(&file[..end]).unwrap();
    footer::append(&mut sink, raw).unwrap();
    sink.finish().unwrap()
}

/// Does everything a reader can do, whatever comes back. True when all of it succeeded.
fn use_all(file: Vec<u8>) -> bool {
    let Ok(segment) = MappedSegment::open(Arc::new(file)) else { return false };
    let read = || -> Result<()> {
        segment.inspect()?;
        read_all(&segment)?;
        for projection in segment.projections() {
            read_all(projection.view())?;
        }
        for column in &segment.schema().columns {
            if let Some(ColumnView::String(strings)) = segment.column(&column.name)? {
                let dictionary = strings.dictionary();
                for id in 0..dictionary.len().min(50) {
                    strings.bitmap(id)?;
                    dictionary.get(id)?;
                }
                dictionary.lookup("Page/5/77")?;
                dictionary.lower_bound("b")?;
            }
        }
        Ok(())
    };
    let read = read();
    let verified = segment.verify();
    read.is_ok() && verified.is_ok()
}

fn raw_footer(file: &[u8]) -> Vec<u8> {
    Trailer::read(file).unwrap().footer(file).unwrap()
}

#[test]
fn h_50_signed_nonsense_never_panics() {
    // So few rows that every piece lies in the footer: damage reaches each decoder.
    let mut survivors = 0;
    for rows in [1, 8] {
        let (file, _) = write_rich(rows, WriteOptions::default());
        let raw = raw_footer(&file);
        assert!(use_all(with_footer(&file, &raw)));
        for at in 0..raw.len() {
            for change in [raw[at] ^ 1 << (mix(at) % 8), mix(at + 9) as u8] {
                let mut damaged = raw.clone();
                damaged[at] = change;
                survivors += usize::from(use_all(with_footer(&file, &damaged)));
            }
        }
        for at in (0..raw.len()).step_by(7) {
            let mut damaged = raw.clone();
            damaged.drain(at..(at + 1 + mix(at) as usize % 9).min(raw.len()));
            use_all(with_footer(&file, &damaged));
        }
    }
    // Values, names and sketches may read as others; most of the rest contradicts itself.
    println!("signed nonsense: {survivors} read as something");
}

#[test]
fn h_50_signed_nonsense_about_projections_never_panics() {
    let file = write_projected(2, WriteOptions::default());
    let raw = raw_footer(&file);
    assert!(use_all(with_footer(&file, &raw)));
    for at in 0..raw.len() {
        let mut damaged = raw.clone();
        damaged[at] = mix(at + 3) as u8;
        use_all(with_footer(&file, &damaged));
    }
}

#[test]
fn projections_do_not_nest_and_have_names_of_their_own() {
    let file = write_projected(2, WriteOptions::default());
    let inner = |name: &str, bytes: &[u8]| ProjectionFile {
        definition: crate::common::definition(name),
        bytes: bytes.to_vec(),
    };
    let (plain, _) = write_rich(2, WriteOptions::default());
    let mut nested = Vec::new();
    crate::add_projections(&plain, &[inner("outer", &file)], &mut nested).unwrap();
    let error = MappedSegment::open(Arc::new(nested)).unwrap_err().to_string();
    assert!(error.contains("projection 'outer'") && error.contains("holds projections"), "{error}");
    let twice = [inner("same", &plain), inner("same", &plain)];
    assert!(crate::add_projections(&plain, &twice, Vec::new()).is_err());
    assert!(crate::add_projections(&file, &twice[..1], Vec::new()).is_err());
}

#[test]
fn h_44_h_45_h_46_signed_pieces_never_panic() {
    for codec in [BlockCodec::None, BlockCodec::Zstd, BlockCodec::Lz4, BlockCodec::Snappy] {
        let options = WriteOptions { codec, ..WriteOptions::default() };
        sign_damaged_pieces(&write_rich(1_030, options).0, 10);
    }
    sign_damaged_pieces(&write_layouts(6_000, WriteOptions::default()), 4);
}

fn sign_damaged_pieces(file: &[u8], least: usize) {
    let raw = raw_footer(file);
    let mut pieces: Vec<StoredPiece> = Vec::new();
    let segment = MappedSegment::open(Arc::new(file.to_vec())).unwrap();
    for column in 0..segment.columns.len() {
        segment
            .for_each_piece(column, &mut |_: PieceRole, piece| {
                if let crate::format::piece::Piece::Stored(stored) = piece {
                    pieces.push(*stored);
                }
                Ok(())
            })
            .unwrap();
    }
    assert!(pieces.len() > least);
    for (number, piece) in pieces.iter().enumerate() {
        for round in 0..2 {
            damage_and_sign(file, &raw, piece, number * 100 + round);
        }
    }
}

/// Changes bytes of a piece and the checksum that the footer keeps of it.
fn damage_and_sign(file: &[u8], raw: &[u8], piece: &StoredPiece, seed: usize) {
    let range = piece.offset as usize..piece.offset as usize + piece.stored_length as usize;
    let mut damaged = file.to_vec();
    for at in 0..1 + seed % 3 {
        let position = range.start + mix(seed * 31 + at) as usize % range.len();
        damaged[position] = mix(seed + at + 5) as u8;
    }
    let sum = checksum(&damaged[range]).to_le_bytes();
    let old = piece.checksum.to_le_bytes();
    // Checksums of dictionary pages and bitmap buckets lie in index pieces: those stay unsigned.
    let Some(at) = raw.windows(8).position(|window| window == old) else { return };
    let mut signed = raw.to_vec();
    signed[at..at + 8].copy_from_slice(&sum);
    use_all(with_footer(&damaged, &signed));
}

#[test]
fn h_41_h_42_h_43_huge_claims_are_refused() {
    let (file, _) = write_rich(6, WriteOptions::default());
    let raw = raw_footer(&file);
    for claim in [7, 1 << 20, u64::from(u32::MAX), 1 << 63] {
        let mut rows = Vec::new();
        rows.put_varint(claim);
        let sections = footer::sections(&raw).unwrap();
        let mut rewritten = Vec::new();
        for section in sections {
            match section.kind {
                3 => {
                    rewritten.extend([3, 1, 1, rows.len() as u8 + 3]);
                    rewritten.extend(&rows);
                    rewritten.extend([1, 0, 0]);
                }
                _ => section.copy(&mut rewritten),
            }
        }
        assert!(!use_all(with_footer(&file, &rewritten)), "{claim} rows");
    }
    let mut bomb = trailer::header(FORMAT_VERSION).to_vec();
    let trailer = Trailer {
        footer_offset: 16,
        stored_length: 0,
        raw_length: u32::MAX,
        codec: BlockCodec::Lz4,
        footer_checksum: checksum(&[]),
        version: FORMAT_VERSION,
    };
    bomb.extend(trailer.to_bytes());
    assert!(MappedSegment::open(Arc::new(bomb)).is_err());
}

#[test]
fn h_51_no_file_at_all_is_refused() {
    for length in [0, 1, 15, 71, 72, 1 << 20] {
        assert!(MappedSegment::open(Arc::new(vec![0_u8; length])).is_err());
    }
}

#[test]
fn h_40_other_versions_are_named() {
    let (file, _) = write_rich(3, WriteOptions::default());
    for version in [0, 3] {
        let mut file = file.clone();
        file[8] = version;
        let error = MappedSegment::open(Arc::new(file)).unwrap_err().to_string();
        let expected =
            format!("unknown segment format version {version}: this build reads versions 1 to 2");
        assert_eq!(error, expected);
    }
    // The trailer is of the other version still.
    let mut mixed = file;
    mixed[8] = 1;
    assert!(MappedSegment::open(Arc::new(mixed)).is_err());
}
