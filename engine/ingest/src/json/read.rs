//! One event: a JSON object read into an [`EventBuffer`].

use crate::fields::{Field, FieldTable};
use crate::json::scan::{FaultKind, Scan, Scanner};
use crate::limits::ParseLimits;
use crate::raw::{EventBuffer, Raw, Span, UnknownField};

/// Reads the object that starts at the scanner. Of a name that occurs twice the last value holds.
/// Unknown fields are checked; they are kept when `discover` is set, and noted otherwise.
pub(crate) fn read_event(
    scanner: &mut Scanner<'_>,
    body: &str,
    table: &mut FieldTable,
    buffer: &mut EventBuffer,
    limits: &ParseLimits,
    discover: bool,
) -> Scan<()> {
    buffer.clear(table.len());
    scanner.expect(b'{', "'{'")?;
    scanner.skip_blanks();
    if scanner.take(b'}') {
        return Ok(());
    }
    let mut place = 0;
    loop {
        if place == limits.max_fields {
            return scanner.fault(FaultKind::OverLimit("fields", limits.max_fields));
        }
        let field = match table.take_expected(scanner.rest(), place) {
            Some((field, bytes)) => {
                scanner.at += bytes;
                Name::Field(field)
            }
            None => name(scanner, body, table, buffer, place, discover)?,
        };
        scanner.skip_blanks();
        match field {
            Name::Field(Field::Known(position)) => {
                let value = value(scanner, buffer, limits)?;
                if let Some(slot) = buffer.fields.get_mut(position) {
                    *slot = value;
                }
            }
            Name::Field(Field::Ignored(number)) => {
                let value = pass(scanner, buffer, limits)?;
                if !value.is_null() {
                    buffer.ignored.push((number, value));
                }
            }
            Name::Unknown(name) => {
                let value = value(scanner, buffer, limits)?;
                remember(buffer, body, UnknownField { name, value });
            }
        }
        place += 1;
        scanner.skip_blanks();
        if scanner.take(b',') {
            scanner.skip_blanks();
            continue;
        }
        return scanner.expect(b'}', "',' or '}' after a value");
    }
}

/// What a name stands for.
enum Name {
    Field(Field),
    /// Nothing so far.
    Unknown(Span),
}

/// Reads a name and the colon behind it.
fn name(
    scanner: &mut Scanner<'_>,
    body: &str,
    table: &mut FieldTable,
    buffer: &mut EventBuffer,
    place: usize,
    discover: bool,
) -> Scan<Name> {
    scanner.expect(b'"', "a field name in double quotes")?;
    let name = scanner.string(&mut buffer.arena)?;
    let text = name.text(body, &buffer.arena);
    let field = match table.find_expected(text, place) {
        Some(field) => Some(field),
        // Only escapes can bring control characters here, except for the last one.
        None if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) => {
            return scanner.fault(FaultKind::NameControl);
        }
        None => table.find(text, place, !discover),
    };
    scanner.skip_blanks();
    scanner.expect(b':', "':' after a field name")?;
    Ok(field.map_or(Name::Unknown(name), Name::Field))
}

/// Keeps an unknown field; a second one of the same name replaces the first.
pub(super) fn remember(buffer: &mut EventBuffer, body: &str, field: UnknownField) {
    let arena = &buffer.arena;
    let name = field.name.text(body, arena);
    match buffer.unknown.iter_mut().find(|known| known.name.text(body, arena) == name) {
        Some(known) => known.value = field.value,
        None => buffer.unknown.push(field),
    }
}

/// Passes over a value; gives it, of lists the text.
pub(super) fn pass(
    scanner: &mut Scanner<'_>,
    buffer: &mut EventBuffer,
    limits: &ParseLimits,
) -> Scan<Raw> {
    match scanner.peek() {
        Some(b'{' | b'[') => {
            scanner.skip_nested(1, limits.max_depth, &mut buffer.arena).map(Raw::Json)
        }
        _ => scalar(scanner, buffer),
    }
}

#[inline]
pub(super) fn value(
    scanner: &mut Scanner<'_>,
    buffer: &mut EventBuffer,
    limits: &ParseLimits,
) -> Scan<Raw> {
    let short = match scanner.peek() {
        Some(b'"') => scanner.short_string().map(Raw::Text),
        Some(b'-' | b'0'..=b'9') => scanner.short_number(),
        _ => None,
    };
    short.map_or_else(|| any_value(scanner, buffer, limits), Ok)
}

#[inline(never)]
fn any_value(
    scanner: &mut Scanner<'_>,
    buffer: &mut EventBuffer,
    limits: &ParseLimits,
) -> Scan<Raw> {
    match scanner.peek() {
        Some(b'[') => list(scanner, buffer, limits),
        Some(b'{') => scanner.skip_nested(1, limits.max_depth, &mut buffer.arena).map(Raw::Json),
        _ => scalar(scanner, buffer),
    }
}

#[inline]
fn scalar(scanner: &mut Scanner<'_>, buffer: &mut EventBuffer) -> Scan<Raw> {
    match scanner.peek() {
        Some(b'"') => {
            scanner.at += 1;
            scanner.string(&mut buffer.arena).map(Raw::Text)
        }
        Some(b'-' | b'0'..=b'9') => scanner.number(),
        _ => scanner.word(),
    }
}

fn list(scanner: &mut Scanner<'_>, buffer: &mut EventBuffer, limits: &ParseLimits) -> Scan<Raw> {
    if limits.max_depth < 2 {
        return scanner.fault(FaultKind::OverLimit("levels of nesting", limits.max_depth));
    }
    scanner.at += 1;
    let first = buffer.items.len();
    scanner.skip_blanks();
    if scanner.take(b']') {
        return Ok(Raw::List { first: first as u32, count: 0 });
    }
    loop {
        if buffer.items.len() - first == limits.max_multi_values {
            let limit = limits.max_multi_values;
            return scanner.fault(FaultKind::OverLimit("values in one field", limit));
        }
        let item = match scanner.peek() {
            Some(b'{' | b'[') => {
                scanner.skip_nested(2, limits.max_depth, &mut buffer.arena).map(Raw::Json)?
            }
            _ => scalar(scanner, buffer)?,
        };
        buffer.items.push(item);
        scanner.skip_blanks();
        if scanner.take(b',') {
            scanner.skip_blanks();
            continue;
        }
        scanner.expect(b']', "',' or ']' after a value")?;
        let count = (buffer.items.len() - first) as u32;
        return Ok(Raw::List { first: first as u32, count });
    }
}
