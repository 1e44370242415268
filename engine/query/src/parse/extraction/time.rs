//! Functions of time: instants, or texts of them, in another form.

use henge_expr::joda::JodaPattern;
use henge_types::{Granularity, format_time_zone, format_timestamp, parse_time_zone};

use super::{Reading, constant, quoted};
use crate::error::Result;
use crate::node::{Node, excerpt};
use crate::parse::intervals::granularity;

/// `{"type":"timeFormat"}`: an instant, cut to a granularity, in a format.
pub(super) fn time_format(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let format = node.get("format").map(|format| pattern(&format)).transpose()?;
    let format = format.map(|(text, _)| text);
    english_only(node)?;
    let as_millis = node.boolean_or("asMillis", false)?;
    let zone = match node.get("timeZone") {
        Some(zone) if as_millis && format.is_none() => {
            return Err(zone.invalid("milliseconds are of no zone; give a format, or leave it out"));
        }
        zone => zone.map(|zone| time_zone(&zone)).transpose()?,
    };
    let value = read.text();
    let instant = if read.is_time() {
        value.to_owned()
    } else if as_millis {
        format!("nvl(parse_long({value}), timestamp({value}))")
    } else {
        format!("timestamp({value})")
    };
    let start = cut(node, instant)?;
    let text = match (as_millis, &format) {
        (true, None) => format!("cast({start}, 'STRING')"),
        _ => {
            let (format, zone) = (constant(format.as_deref()), constant(zone.as_deref()));
            format!("timestamp_format({start}, {format}, {zone})")
        }
    };
    Ok(read.with(text))
}

/// `{"type":"time"}`: a text of a time in one format, in another; what is no such text stays.
pub(super) fn time(node: &Node<'_>, read: Reading) -> Result<Reading> {
    /// Letters that are something else in the patterns of `SimpleDateFormat`.
    const OTHERWISE: &[char] = &['Y', 'x', 'u', 'e', 'k', 'K', 'w'];
    let from = node.require("timeFormat", "give the format that texts have")?;
    let to = node.require("resultFormat", "give the format that they get")?;
    let joda = node.boolean_or("joda", false)?;
    let (read_as, parsed) = pattern(&from)?;
    let (written_as, _) = pattern(&to)?;
    if !parsed.is_readable() {
        return Err(
            from.unsupported("times cannot be read by their week; give year, month and day")
        );
    }
    for (format, text) in [(from, &read_as), (to, &written_as)] {
        if !joda && text.contains(OTHERWISE) {
            return Err(format.unsupported(
                "has one of the letters Y x u e k K w, which are read as Joda's only; \
                 set joda to true",
            ));
        }
    }
    let value = read.text();
    let instant = format!("timestamp_parse({value}, {})", quoted(&read_as, '\''));
    let written = format!("timestamp_format({instant}, {})", quoted(&written_as, '\''));
    let text = format!("nvl({written}, {value})");
    Ok(read.with(text))
}

/// A pattern of Joda's, as text and read. A quote that is left open ends with the pattern.
fn pattern(node: &Node<'_>) -> Result<(String, JodaPattern)> {
    let mut text = node.name()?;
    if text.matches('\'').count() % 2 == 1 {
        text.push('\'');
    }
    let parsed = JodaPattern::parse(&text).map_err(|error| node.invalid(error))?;
    Ok((text, parsed))
}

/// The name of a zone that is known to be one.
fn time_zone(node: &Node<'_>) -> Result<String> {
    let name = node.name()?;
    parse_time_zone(&name).map_err(|error| node.invalid(error.to_string()))?;
    Ok(name)
}

fn english_only(node: &Node<'_>) -> Result<()> {
    let Some(locale) = node.get("locale") else { return Ok(()) };
    let name = locale.text()?;
    match name.split(['-', '_']).next() {
        Some(language) if language.eq_ignore_ascii_case("en") => Ok(()),
        _ => Err(locale.unsupported(format!(
            "months and days have English names only, not those of \"{}\"; leave locale out",
            excerpt(name)
        ))),
    }
}

/// The start of the bucket of an instant.
fn cut(node: &Node<'_>, instant: String) -> Result<String> {
    let (Some(given), Some(granularity)) =
        (node.get("granularity"), granularity(node, "granularity")?)
    else {
        return Ok(instant);
    };
    Ok(match granularity {
        Granularity::None => instant,
        Granularity::All => {
            return Err(given.invalid("all of time is one bucket; give another, or leave it out"));
        }
        Granularity::Duration { duration_ms, origin_ms } => {
            let (seconds, millis) = (duration_ms / 1000, duration_ms % 1000);
            let period = format!("'PT{seconds}.{millis:03}S'");
            format!("timestamp_floor({instant}, {period}, {origin_ms})")
        }
        Granularity::Period { period, time_zone, origin_ms } => {
            let origin = constant(origin_ms.map(format_timestamp).as_deref());
            let zone = quoted(&format_time_zone(&time_zone), '\'');
            format!("timestamp_floor({instant}, '{period}', {origin}, {zone})")
        }
    })
}
