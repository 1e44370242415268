//! Files of format version 1 stay readable, and writing them stays stable byte for byte.
//!
//! `UPDATE_GOLDEN=1 cargo test -p henge-segment --test golden` writes the fixture anew, which is right
//! only before a format version is released.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{open, read_all, write_projected, write_rich};
use henge_segment::{BlockCodec, SegmentView, WriteOptions};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1.seg");

const PROJECTED_FIXTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1-projections.seg");

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
