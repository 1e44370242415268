//! Text in other encodings becomes UTF-8 however it is cut into pieces, and bytes that are no text stay none.

use std::io::{Read, Result};

use henge_query::ingest::TextEncoding;

use super::{BUFFER_BYTES, Utf8Reader};

/// Gives a few bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.1.min(buffer.len());
        (&mut self.0).take(count as u64).read(buffer)
    }
}

fn read(bytes: &[u8], encoding: &str) -> Vec<u8> {
    let encoding = TextEncoding::named(encoding).unwrap();
    let mut whole = Vec::new();
    Utf8Reader::new(bytes, encoding).read_to_end(&mut whole).unwrap();
    for piece in [1, 3, 5] {
        let mut again = Vec::new();
        Utf8Reader::new(Drops(bytes, piece), encoding).read_to_end(&mut again).unwrap();
        assert_eq!(again, whole, "in pieces of {piece}");
    }
    whole
}

fn utf16(text: &str, is_little: bool) -> Vec<u8> {
    let pair = |unit: u16| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    text.encode_utf16().flat_map(pair).collect()
}

const TEXT: &str = "time,page\r\n2024-01-01,caf\u{e9} \u{20ac} \u{1f408}\r\n";

#[test]
fn utf_16_is_known_by_its_mark_whatever_was_said() {
    for is_little in [true, false] {
        let marked = utf16(&format!("\u{feff}{TEXT}"), is_little);
        for said in ["utf-8", "windows-1252", "utf-16le", "utf-16be"] {
            assert_eq!(read(&marked, said), TEXT.as_bytes(), "{said}");
        }
        let named = if is_little { "utf-16le" } else { "utf-16be" };
        assert_eq!(read(&utf16(TEXT, is_little), named), TEXT.as_bytes());
    }
}

#[test]
fn text_is_decoded_as_was_said_and_utf_8_passes_as_it_is() {
    assert_eq!(read(b"caf\xe9 \x80", "latin1"), "caf\u{e9} \u{20ac}".as_bytes());
    assert_eq!(read(b"\x94\x4c", "shift_jis"), "\u{732b}".as_bytes());
    for passed in
        [TEXT.as_bytes(), b"caf\xe9", b"", b"a", b"\xef\xbb\xbfa,b\n", b"\xff\xfe\0\0a\0\0\0"]
    {
        assert_eq!(read(passed, "utf-8"), passed);
    }
    // A mark of UTF-8 goes before what was said as well.
    let marked = ["\u{feff}", TEXT].concat();
    assert_eq!(read(marked.as_bytes(), "windows-1252"), marked.as_bytes());
}

#[test]
fn h_08_what_is_no_text_stays_none() {
    // Half a pair, and half a unit at the end.
    let mut broken = utf16("a,", true);
    broken.extend_from_slice(&[0x00, 0xd8, b'\n', 0, b'b']);
    assert_eq!(read(&broken, "utf-16le"), b"a,\xff\n\xff");
    assert_eq!(read(b"a\x81\x20b", "shift_jis"), b"a\xff b");
}

#[test]
fn long_text_passes_the_buffers() {
    let text = "\u{e9}\u{20ac}x".repeat(BUFFER_BYTES);
    assert_eq!(read(&utf16(&text, true), "utf-16le"), text.as_bytes());
    let broken = vec![0xff; BUFFER_BYTES + 7];
    assert_eq!(read(&broken, "euc-jp"), broken);
}
