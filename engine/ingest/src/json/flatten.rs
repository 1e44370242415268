//! Values from within nested events, which a `flattenSpec` makes fields of their own.

use henge_query::ingest::{FlattenField, FlattenSpec, FlattenStep};

use super::read::{pass, remember, value};
use super::scan::{FaultKind, Scan, Scanner};
use crate::fields::{FieldTable, is_no_column};
use crate::limits::ParseLimits;
use crate::parser::RowParser;
use crate::raw::{EventBuffer, Raw, UnknownField};

/// What is done with each event.
#[derive(Debug)]
pub(crate) struct Flattening {
    spec: FlattenSpec,
    /// Where the values of the field at hand begin.
    found: Vec<usize>,
}

/// An event that was read.
pub(crate) struct ReadEvent<'a> {
    /// The body.
    pub(crate) text: &'a str,
    /// Where the event begins in it.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// Fields that nobody knows may become dimensions.
    pub(crate) discover: bool,
}

impl RowParser {
    /// Makes values from within events fields of their own: of JSON, and of rows that have JSON within
    /// ([`TableFields::with_json`](crate::TableFields::with_json)).
    pub fn set_flattening(&mut self, spec: &FlattenSpec) {
        self.flattening = Flattening::new(spec);
    }
}

impl Flattening {
    /// `None` when events are taken as they are.
    fn new(spec: &FlattenSpec) -> Option<Self> {
        (!spec.is_plain()).then(|| Self { spec: spec.clone(), found: Vec::new() })
    }

    /// Adds the fields from within an event to those that were read of it.
    pub(crate) fn apply(
        &mut self,
        event: &ReadEvent<'_>,
        table: &mut FieldTable,
        buffer: &mut EventBuffer,
        limits: &ParseLimits,
    ) -> Scan<()> {
        if !self.spec.use_field_discovery {
            buffer.fields.fill(Raw::Missing);
            buffer.unknown.clear();
            buffer.ignored.clear();
        }
        for field in &self.spec.fields {
            self.found.clear();
            let mut scanner = Scanner::new(event.text, event.start, event.end);
            walk(&mut scanner, event.text, &field.steps, buffer, limits, &mut self.found)?;
            if let Some(value) = value_of(field, &self.found, event, buffer, limits)? {
                put(&field.name, value, event, table, buffer);
            }
        }
        Ok(())
    }
}

/// Passes over the value at the scanner and notes where those begin that the steps lead to. Of a name that
/// occurs twice the last value holds.
fn walk(
    scanner: &mut Scanner<'_>,
    text: &str,
    steps: &[FlattenStep],
    buffer: &mut EventBuffer,
    limits: &ParseLimits,
    found: &mut Vec<usize>,
) -> Scan<()> {
    let Some((step, rest)) = steps.split_first() else {
        found.push(scanner.at);
        return pass(scanner, buffer, limits).map(|_| ());
    };
    match scanner.peek() {
        Some(b'{') => walk_object(scanner, text, (step, rest), buffer, limits, found),
        Some(b'[') => walk_list(scanner, text, (step, rest), buffer, limits, found),
        _ => pass(scanner, buffer, limits).map(|_| ()),
    }
}

fn walk_object(
    scanner: &mut Scanner<'_>,
    text: &str,
    (step, rest): (&FlattenStep, &[FlattenStep]),
    buffer: &mut EventBuffer,
    limits: &ParseLimits,
    found: &mut Vec<usize>,
) -> Scan<()> {
    let before = found.len();
    scanner.at += 1;
    scanner.skip_blanks();
    if scanner.take(b'}') {
        return Ok(());
    }
    loop {
        scanner.expect(b'"', "a field name in double quotes")?;
        let name = scanner.string(&mut buffer.arena)?;
        scanner.skip_blanks();
        scanner.expect(b':', "':' after a field name")?;
        scanner.skip_blanks();
        match step {
            FlattenStep::Field(wanted) if name.text(text, &buffer.arena) == wanted => {
                found.truncate(before);
                walk(scanner, text, rest, buffer, limits, found)?;
            }
            FlattenStep::All => walk(scanner, text, rest, buffer, limits, found)?,
            FlattenStep::Field(_) | FlattenStep::Element(_) => {
                pass(scanner, buffer, limits)?;
            }
        }
        scanner.skip_blanks();
        if !scanner.take(b',') {
            return scanner.expect(b'}', "',' or '}' after a value");
        }
        scanner.skip_blanks();
    }
}

fn walk_list(
    scanner: &mut Scanner<'_>,
    text: &str,
    (step, rest): (&FlattenStep, &[FlattenStep]),
    buffer: &mut EventBuffer,
    limits: &ParseLimits,
    found: &mut Vec<usize>,
) -> Scan<()> {
    let mut starts = Vec::new();
    scanner.at += 1;
    scanner.skip_blanks();
    if scanner.take(b']') {
        return Ok(());
    }
    loop {
        starts.push(scanner.at);
        pass(scanner, buffer, limits)?;
        scanner.skip_blanks();
        if !scanner.take(b',') {
            scanner.expect(b']', "',' or ']' after a value")?;
            break;
        }
        scanner.skip_blanks();
    }
    let end = scanner.at;
    let wanted = match step {
        FlattenStep::All => 0..starts.len(),
        FlattenStep::Element(at) => match place(*at, starts.len()) {
            Some(at) => at..at + 1,
            None => return Ok(()),
        },
        FlattenStep::Field(_) => return Ok(()),
    };
    for start in &starts[wanted] {
        walk(&mut Scanner::new(text, *start, end), text, rest, buffer, limits, found)?;
    }
    Ok(())
}

/// An index that may count from the end.
fn place(at: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if at < 0 { length + at } else { at };
    usize::try_from(at).ok().filter(|_| at < length)
}

/// The value that a field has: several ones where the way branches.
fn value_of(
    field: &FlattenField,
    found: &[usize],
    event: &ReadEvent<'_>,
    buffer: &mut EventBuffer,
    limits: &ParseLimits,
) -> Scan<Option<Raw>> {
    let scanner = |at: usize| Scanner::new(event.text, at, event.end);
    if !field.steps.contains(&FlattenStep::All) {
        let Some(at) = found.first() else { return Ok(None) };
        return value(&mut scanner(*at), buffer, limits).map(Some);
    }
    if found.len() > limits.max_multi_values {
        let limit = limits.max_multi_values;
        return scanner(event.start).fault(FaultKind::OverLimit("values in one field", limit));
    }
    if found.is_empty() {
        return Ok(None);
    }
    // Lists within are text, as they are within any list.
    let items = found.iter().map(|at| pass(&mut scanner(*at), buffer, limits));
    let items = items.collect::<Scan<Vec<Raw>>>()?;
    let first = buffer.items.len() as u32;
    let count = items.len() as u32;
    buffer.items.extend(items);
    Ok(Some(Raw::List { first, count }))
}

/// Gives a field its value, in place of what the event itself has under this name.
fn put(
    name: &str,
    value: Raw,
    event: &ReadEvent<'_>,
    table: &mut FieldTable,
    buffer: &mut EventBuffer,
) {
    match table.meet(name) {
        Some(position) => {
            if let Some(slot) = buffer.fields.get_mut(position) {
                *slot = value;
            }
        }
        None if is_no_column(name) || !event.discover => {
            if !value.is_null() {
                buffer.ignored.push((table.ignore(name), value));
            }
        }
        None => {
            let name = buffer.keep(name);
            remember(buffer, event.text, UnknownField { name, value });
        }
    }
}
