//! H-15: bombs stop at the limit; wrong encodings and trailing garbage are refused.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::*;

fn inflated(
    encoding: ContentEncoding,
    body: &[u8],
    limits: InflateLimits,
) -> Result<Vec<u8>, InflateError> {
    inflate(encoding, body, limits, &MemoryAccount::unbounded()).map(|(bytes, _)| bytes)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;

fn compressors() -> [(ContentEncoding, Compress); 3] {
    [(ContentEncoding::Gzip, gzip), (ContentEncoding::Deflate, zlib), (ContentEncoding::Zstd, zstd)]
}

#[test]
fn round_trips() {
    let text = br#"{"a":1}"#.repeat(10);
    for (encoding, compress) in compressors() {
        let out = inflated(encoding, &compress(&text), InflateLimits::default()).unwrap();
        assert_eq!(out, text, "{encoding:?}");
    }
    assert_eq!(inflated(ContentEncoding::Identity, b"x", InflateLimits::default()).unwrap(), b"x");
}

#[test]
fn names_of_encodings() {
    assert_eq!(ContentEncoding::parse(" GZIP ").unwrap(), ContentEncoding::Gzip);
    assert_eq!(ContentEncoding::parse("").unwrap(), ContentEncoding::Identity);
    for bad in ["br", "gzip, gzip", "utf-8"] {
        assert_eq!(ContentEncoding::parse(bad).unwrap_err().class(), ErrorClass::Unsupported);
    }
}

#[test]
fn h_15_a_bomb_stops_at_the_ratio_and_at_the_size() {
    let zeros = vec![0; 8 << 20];
    for (encoding, compress) in compressors() {
        let bomb = compress(&zeros);
        let by_ratio = inflated(encoding, &bomb, InflateLimits::default()).unwrap_err();
        assert_eq!(by_ratio, InflateError::Ratio(100), "{encoding:?}");
        let limits = InflateLimits {
            max_inflated_bytes: 1 << 20,
            max_ratio: usize::MAX,
            ..InflateLimits::default()
        };
        let by_size = inflated(encoding, &bomb, limits).unwrap_err();
        assert_eq!(by_size, InflateError::TooLarge(1 << 20), "{encoding:?}");
    }
}

#[test]
fn h_15_the_limits_are_exact() {
    let text = vec![b'a'; 1_000];
    for (encoding, compress) in compressors() {
        let body = compress(&text);
        let at = |max| InflateLimits { max_inflated_bytes: max, ..InflateLimits::default() };
        assert!(inflated(encoding, &body, at(1_001)).is_ok());
        assert!(inflated(encoding, &body, at(1_000)).is_ok());
        assert_eq!(inflated(encoding, &body, at(999)), Err(InflateError::TooLarge(999)));
    }
    let limits = InflateLimits { max_inflated_bytes: 3, ..InflateLimits::default() };
    assert!(inflated(ContentEncoding::Identity, b"1234", limits).is_err());
}

#[test]
fn h_15_trailing_garbage_is_refused() {
    for (encoding, compress) in compressors() {
        let mut body = compress(b"hello");
        body.extend_from_slice(b"garbage");
        let error = inflated(encoding, &body, InflateLimits::default()).unwrap_err();
        assert_eq!(error.class(), ErrorClass::InvalidInput, "{encoding:?}");
    }
}

#[test]
fn h_15_a_wrong_or_truncated_body_is_refused() {
    let text = b"hello hello hello";
    for (encoding, compress) in compressors() {
        let body = compress(text);
        for end in 0..body.len() {
            assert!(inflated(encoding, &body[..end], InflateLimits::default()).is_err());
        }
        assert!(inflated(encoding, b"[1,2,3]", InflateLimits::default()).is_err());
    }
}

#[test]
fn gzip_members_and_zstd_frames_may_follow_each_other() {
    for (encoding, compress) in [compressors()[0], compressors()[2]] {
        let body = [compress(b"one "), compress(b"two")].concat();
        assert_eq!(inflated(encoding, &body, InflateLimits::default()).unwrap(), b"one two");
    }
}

#[test]
fn h_15_a_bomb_is_charged_while_it_grows_and_stops_at_the_account() {
    let account = MemoryAccount::root("requests", "memory.requests_bytes", 300_000);
    let text = vec![b'x'; 1 << 20];
    for (encoding, compress) in compressors() {
        let limits = InflateLimits { max_ratio: usize::MAX, ..InflateLimits::default() };
        let body = compress(&text);
        let full = inflate(encoding, &body, limits, &account).unwrap_err();
        assert!(full.to_string().contains("memory.requests_bytes"), "{full}");
        assert_eq!(account.used_bytes(), 0, "{encoding:?}");
        let (bytes, charge) =
            inflate(encoding, &compress(&text[..1_000]), limits, &account).unwrap();
        assert!(bytes.capacity() <= charge.bytes());
    }
    assert!(account.peak_bytes() <= 300_000);
}

#[test]
fn compressed_bodies_without_their_header_are_told_which_one() {
    let told = |body: &[u8]| refuse_compressed(body).map_err(|error| error.to_string());
    assert_eq!(told(b"{\"t\":1}"), Ok(()));
    let asked =
        |name: &str| Err(format!("the body is {name}: send `Content-Encoding: {name}` with it"));
    assert_eq!(told(&gzip(b"{}")), asked("gzip"));
    assert_eq!(told(&zstd(b"{}")), asked("zstd"));
}
