//! Text that is not UTF-8, as far as its first bytes tell: what it is and what to say of it.

/// What is wrong with the encoding of a text that begins so, and is to be UTF-8 (see
/// [`Utf8Reader`](crate::Utf8Reader)); `None` where it may be. One broken line among others is nothing to refuse a
/// file for: then some characters are proper UTF-8.
#[must_use]
pub fn encoding_fault(bytes: &[u8]) -> Option<String> {
    let say =
        |name: &str| format!("say --encoding {name} (in a spec: \"encoding\" of the inputFormat)");
    if bytes.starts_with(b"\xff\xfe\0\0") || bytes.starts_with(b"\0\0\xfe\xff") {
        return Some("it is UTF-32: convert it (iconv -f UTF-32 -t UTF-8 FILE > NEW)".to_owned());
    }
    if let Some(is_little) = looks_wide(bytes) {
        let name = if is_little { "utf-16le" } else { "utf-16be" };
        return Some(format!("it is UTF-16 without a byte-order mark: {}", say(name)));
    }
    let broken = first_latin_byte(bytes)?;
    let line = bytes[..broken].iter().filter(|byte| **byte == b'\n').count() + 1;
    Some(format!(
        "line {line} is not UTF-8, and no other line has letters that are: it is probably Latin-1 or Windows-1252, {}",
        say("windows-1252")
    ))
}

/// Every second byte of ASCII text in UTF-16 is NUL; `Some(true)` with the low bytes first.
fn looks_wide(bytes: &[u8]) -> Option<bool> {
    const LOOKED_AT: usize = 64;
    let pairs = bytes.chunks_exact(2).take(LOOKED_AT);
    let count = pairs.len();
    let with_nul = |at: usize| pairs.clone().filter(|pair| pair[at] == 0).count();
    let is_mostly = |nuls: usize| count > 0 && nuls * 4 >= count * 3;
    match (is_mostly(with_nul(0)), is_mostly(with_nul(1))) {
        (false, true) => Some(true),
        (true, false) => Some(false),
        _ => None,
    }
}

/// Where the text first is not UTF-8, when none of its other bytes makes a proper character of several
/// bytes either.
fn first_latin_byte(bytes: &[u8]) -> Option<usize> {
    let mut first = None;
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_ascii() {
            return None;
        }
        let start = chunk.valid().as_ptr() as usize - bytes.as_ptr() as usize;
        let broken = start + chunk.valid().len();
        // A character that is cut off at the end of a sample is whole in the file.
        let is_cut = broken + chunk.invalid().len() == bytes.len()
            && std::str::from_utf8(&bytes[broken..])
                .is_err_and(|error| error.error_len().is_none());
        if !chunk.invalid().is_empty() && !is_cut {
            first = first.or(Some(broken));
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::encoding_fault;

    #[test]
    fn h_08_encodings_are_named_with_the_way_out() {
        let utf16 = |text: &str, little: bool| -> Vec<u8> {
            let pair = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
            text.encode_utf16().flat_map(pair).collect()
        };
        let text = "time,page\n2024-01-01,caf\u{e9}\n";
        let latin: Vec<u8> = text.chars().map(|c| c as u32 as u8).collect();
        for (bytes, fault) in [
            (utf16(text, true), Some("--encoding utf-16le ")),
            (utf16(text, false), Some("--encoding utf-16be ")),
            (latin.clone(), Some("line 2 is not UTF-8")),
            (latin.clone(), Some("--encoding windows-1252 ")),
            (b"\xff\xfe\0\0a\0\0\0".to_vec(), Some("iconv -f UTF-32 ")),
            (text.as_bytes().to_vec(), None),
            // One broken line among proper ones is for the line to answer for.
            ([text.as_bytes(), &latin].concat(), None),
            (b"a,b\n1,2\n".to_vec(), None),
            // A sample may end within a character.
            (text.as_bytes()[..text.len() - 2].to_vec(), None),
            (Vec::new(), None),
        ] {
            let found = encoding_fault(&bytes);
            match fault {
                None => assert_eq!(found, None, "{}", String::from_utf8_lossy(&bytes)),
                Some(part) => {
                    assert!(found.as_deref().is_some_and(|f| f.contains(part)), "{found:?}");
                }
            }
        }
    }
}
