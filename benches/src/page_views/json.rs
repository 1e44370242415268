//! Page views as JSON lines, as a client pushes them.

use std::io::Write;

use henge_types::write_timestamp;

use super::{PageView, TEXT_FIELDS, Texts};

/// Appends a view as one JSON object and a line feed. No text needs an escape.
pub fn write_json(view: &PageView, texts: &Texts, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"time\":\"");
    write_timestamp(out, view.time_ms);
    out.push(b'"');
    for field in TEXT_FIELDS {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(field.name().as_bytes());
        out.extend_from_slice(b"\":");
        match texts.get(field, view.text_id(field)) {
            Some(text) => {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
    }
    let PageView { duration_ms, bytes, revenue, .. } = view;
    let numbers =
        writeln!(out, ",\"duration_ms\":{duration_ms},\"bytes\":{bytes},\"revenue\":{revenue}}}");
    debug_assert!(numbers.is_ok(), "writing to memory does not fail");
}

/// Views as one body of JSON lines.
#[must_use]
pub fn json_lines(views: impl IntoIterator<Item = PageView>, texts: &Texts) -> Vec<u8> {
    let mut out = Vec::new();
    for view in views {
        write_json(&view, texts, &mut out);
    }
    out
}
