//! Files of every format version stay readable, and writing those of version 1 stays stable byte for
//! byte.
//!
//! `UPDATE_GOLDEN=1 cargo test -p henge-segment --test golden` writes the fixture anew, which is right
//! only before a format version is released.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{open, read_all, write_layouts, write_projected, write_rich};
use henge_segment::{BlockCodec, SegmentView, WriteOptions};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1.seg");

const PROJECTED_FIXTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1-projections.seg");

/// The layouts that came with version 2 are for a codec, so only reading is compared.
const LAYOUTS_FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v2.seg");

/// No codec: the bytes of a compressor may change with its version, those of the format may not.
fn golden() -> Vec<u8> {
    let options = WriteOptions { codec: BlockCodec::None, ..WriteOptions::default() };
    write_rich(1_100, options).0
}

fn check_stable(fixture: &str, written: &[u8]) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(fixture, written).unwrap();
    }
    let kept = std::fs::read(fixture).unwrap();
    assert!(kept == written, "the bytes of format version 1 have changed");
    assert_eq!(kept[8..12], 1_u32.to_le_bytes());
}

#[test]
fn version_1_is_stable() {
    check_stable(FIXTURE, &golden());
}

#[test]
fn version_1_with_projections_is_stable_and_readable() {
    let options = WriteOptions { codec: BlockCodec::None, ..WriteOptions::default() };
    check_stable(PROJECTED_FIXTURE, &write_projected(120, options));
    let segment = open(std::fs::read(PROJECTED_FIXTURE).unwrap()).unwrap();
    segment.verify().unwrap();
    let names: Vec<&str> =
        segment.projections().iter().map(|p| p.definition.name.as_str()).collect();
    assert_eq!(names, ["hourly", "daily"]);
    assert_eq!(segment.projections()[0].view().row_count(), 31);
}

#[test]
fn version_1_is_readable() {
    let segment = open(std::fs::read(FIXTURE).unwrap()).unwrap();
    segment.verify().unwrap();
    assert_eq!(segment.id().to_string(), common::segment_id().to_string());
    assert_eq!(segment.row_count(), 1_100);
    let expected = open(write_rich(1_100, WriteOptions::default()).0).unwrap();
    assert_eq!(read_all(&segment).unwrap(), read_all(&expected).unwrap());
}

#[test]
fn version_2_is_readable() {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let written = write_layouts(6_000, WriteOptions::default());
        std::fs::write(LAYOUTS_FIXTURE, &written).unwrap();
    }
    let kept = std::fs::read(LAYOUTS_FIXTURE).unwrap();
    assert_eq!(kept[8..12], 2_u32.to_le_bytes());
    let segment = open(kept).unwrap();
    segment.verify().unwrap();
    assert_eq!(segment.inspect().unwrap().format_version, 2);
    let plain = open(write_layouts(6_000, WriteOptions::hot())).unwrap();
    assert_eq!(plain.inspect().unwrap().format_version, 1);
    let expected = read_all(&plain).unwrap();
    // Columns that samples got later are not in the file.
    for (name, values) in read_all(&segment).unwrap() {
        assert_eq!(values, expected[&name], "{name}");
    }
}
