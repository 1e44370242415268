//! The subset of Joda-Time's patterns that timestamps come in: `yyyy-MM-dd'T'HH:mm:ss.SSSZ`.

use std::fmt::Write;

use henge_types::parse_time_zone;
use henge_types::time::{days_from_civil, days_in_month};
use henge_types::zone::local_to_instant;
use jiff::tz::TimeZone;

use crate::time::{Civil, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// The longest pattern.
const MAX_PATTERN_BYTES: usize = 256;

/// A part of a pattern: a letter and how often it is repeated, or text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Field(char, usize),
    Text(String),
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JodaPattern {
    parts: Vec<Part>,
}

impl JodaPattern {
    /// Compiles a pattern of the letters `y Y x M d D e E w a H h k K m s S Z z`, quoted text and
    /// other characters.
    ///
    /// # Errors
    /// The reason, when it has another letter, an open quote, or more than 256 bytes.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(format!("the time pattern is over {MAX_PATTERN_BYTES} bytes"));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' => push_text(&mut parts, &quoted(&mut chars, pattern)?),
                c if "yYxMdDeEwaHhkKmsSZz".contains(c) => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    parts.push(Part::Field(c, count));
                }
                c if c.is_ascii_alphabetic() => {
                    return Err(format!(
                        "the time pattern '{pattern}' has the unknown letter '{c}'"
                    ));
                }
                c => push_text(&mut parts, c.encode_utf8(&mut [0; 4])),
            }
        }
        Ok(Self { parts })
    }

    /// True when text can be read with it: it has no week-based fields.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        !self.parts.iter().any(|part| matches!(part, Part::Field('x' | 'w' | 'e', _)))
    }

    /// While the local clock stays within one such unit (a second, a minute, an hour or a day) and
    /// keeps its offset, texts stay the same; `None` when they show milliseconds.
    pub(crate) fn unit_ms(&self) -> Option<i64> {
        let mut unit_ms = DAY_MS;
        for part in &self.parts {
            let Part::Field(letter, _) = part else { continue };
            unit_ms = unit_ms.min(match letter {
                'S' => return None,
                's' => SECOND_MS,
                'm' => MINUTE_MS,
                'a' | 'H' | 'h' | 'k' | 'K' => HOUR_MS,
                _ => DAY_MS,
            });
        }
        Some(unit_ms)
    }

    /// Writes an instant as local time of a zone.
    #[must_use]
    pub fn format(&self, ms: i64, zone: &TimeZone) -> String {
        let civil = Civil::new(ms, zone);
        let mut out = String::with_capacity(32);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field(letter, count) => write_field(&mut out, *letter, *count, &civil, zone),
            }
        }
        out
    }

    /// Reads a text that matches the whole pattern. Fields that are missing are those of 1970-01-01;
    /// a text without a zone is local time of `zone`; years of two digits are 1950 to 2049.
    #[must_use]
    pub fn read(&self, text: &str, zone: &TimeZone) -> Option<i64> {
        let mut fields = Fields::default();
        let mut rest = text;
        for (index, part) in self.parts.iter().enumerate() {
            rest = match part {
                Part::Text(wanted) => rest.strip_prefix(wanted.as_str())?,
                Part::Field(letter, count) => {
                    let digits_follow =
                        matches!(self.parts.get(index + 1), Some(next) if is_numeric(next));
                    fields.read(rest, *letter, *count, digits_follow)?
                }
            };
        }
        if rest.is_empty() { fields.to_ms(zone) } else { None }
    }
}

fn quoted(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    pattern: &str,
) -> Result<String, String> {
    if chars.next_if_eq(&'\'').is_some() {
        return Ok("'".to_owned());
    }
    let mut text = String::new();
    loop {
        match chars.next() {
            Some('\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            Some('\'') => return Ok(text),
            Some(c) => text.push(c),
            None => return Err(format!("the time pattern '{pattern}' has an open quote")),
        }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(known)) => known.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// True for fields written in digits only.
fn is_numeric(part: &Part) -> bool {
    match part {
        Part::Field('E' | 'a' | 'Z' | 'z', _) | Part::Text(_) => false,
        Part::Field('M', count) => *count < 3,
        Part::Field(..) => true,
    }
}

fn write_field(out: &mut String, letter: char, count: usize, civil: &Civil, zone: &TimeZone) {
    let year = |year: i64| if count == 2 { year.rem_euclid(100) } else { year };
    let number = match letter {
        'y' | 'Y' => year(civil.year),
        'x' => year(civil.iso_week().0),
        'M' if count >= 3 => return write_name(out, &MONTHS, i64::from(civil.month), count),
        'M' => i64::from(civil.month),
        'd' => i64::from(civil.day),
        'D' => civil.day_of_year(),
        'e' => civil.day_of_week(),
        'E' => return write_name(out, &WEEKDAYS, civil.day_of_week(), count),
        'w' => civil.iso_week().1,
        'a' => return out.push_str(if civil.hour < 12 { "AM" } else { "PM" }),
        'H' => civil.hour,
        'h' => (civil.hour + 11) % 12 + 1,
        'k' => (civil.hour + 23) % 24 + 1,
        'K' => civil.hour % 12,
        'm' => civil.minute,
        's' => civil.second,
        'S' => {
            let digits = format!("{:03}", civil.millis);
            return out.extend(digits.chars().chain(std::iter::repeat('0')).take(count));
        }
        _ => return write_zone(out, letter, count, civil.offset_ms, zone),
    };
    // Writing to a String cannot fail.
    let _ = write!(out, "{number:0count$}");
}

fn write_name(out: &mut String, names: &[&str], one_based: i64, count: usize) {
    let name = usize::try_from(one_based - 1).ok().and_then(|at| names.get(at)).unwrap_or(&"");
    out.push_str(if count >= 4 { name } else { name.get(..3).unwrap_or(name) });
}

/// `Z` is +0000, `ZZ` is +00:00, `ZZZ` and `z` are the zone's name.
fn write_zone(out: &mut String, letter: char, count: usize, offset_ms: i64, zone: &TimeZone) {
    if letter == 'z' || count >= 3 {
        return out.push_str(&henge_types::format_time_zone(zone));
    }
    let minutes = offset_ms.abs() / 60_000;
    let sign = if offset_ms < 0 { '-' } else { '+' };
    let colon = if count == 2 { ":" } else { "" };
    let _ = write!(out, "{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60);
}

/// What was read so far.
#[derive(Default)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    half_day_hour: Option<i64>,
    afternoon: bool,
    minute: i64,
    second: i64,
    millis: i64,
    offset_ms: Option<i64>,
    zone: Option<TimeZone>,
}

impl Fields {
    /// Reads one field off the front; returns what is left.
    fn read<'t>(
        &mut self,
        text: &'t str,
        letter: char,
        count: usize,
        digits_follow: bool,
    ) -> Option<&'t str> {
        match letter {
            'E' => return read_name(text, &WEEKDAYS).map(|(_, rest)| rest),
            'M' if count >= 3 => {
                let (month, rest) = read_name(text, &MONTHS)?;
                self.month = Some(month);
                return Some(rest);
            }
            'a' => {
                let half = text.get(..2)?;
                self.afternoon = half.eq_ignore_ascii_case("pm");
                return (self.afternoon || half.eq_ignore_ascii_case("am")).then(|| &text[2..]);
            }
            'Z' | 'z' => return self.read_zone(text),
            'S' => {
                let most = if digits_follow { count } else { 9 };
                let (digits, rest) = take_digits(text, most)?;
                let thousandths = digits.bytes().chain([b'0'; 3]).take(3);
                self.millis = thousandths.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
                return Some(rest);
            }
            _ => {}
        }
        let negative = matches!(letter, 'y' | 'Y') && text.starts_with('-');
        let widest = match letter {
            'y' | 'Y' => 9,
            'D' => 3,
            _ => 2,
        };
        let (digits, rest) = take_digits(
            &text[usize::from(negative)..],
            if digits_follow { count } else { widest },
        )?;
        let number: i64 = digits.parse().ok()?;
        match letter {
            'y' | 'Y' if count == 2 && digits.len() == 2 => {
                self.year = Some(if number < 50 { 2000 + number } else { 1900 + number });
            }
            'y' | 'Y' => self.year = Some(if negative { -number } else { number }),
            'M' => self.month = Some(number),
            'd' => self.day = Some(number),
            'D' => self.day_of_year = Some(number),
            'H' => self.hour = number,
            'k' => self.hour = if number == 24 { 0 } else { number },
            'h' => {
                self.half_day_hour = Some(number).filter(|h| (1..=12).contains(h)).map(|h| h % 12);
            }
            'K' => self.half_day_hour = Some(number).filter(|h| *h < 12),
            'm' => self.minute = number,
            's' => self.second = number,
            _ => return None,
        }
        let bad_half_day = matches!(letter, 'h' | 'K') && self.half_day_hour.is_none();
        (!bad_half_day).then_some(rest)
    }

    /// `Z`, `+05:30`, `+0530` or a name.
    fn read_zone<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || "+-:/_".contains(c)))
            .unwrap_or(text.len());
        let zone = parse_time_zone(&text[..end]).ok()?;
        match zone.to_fixed_offset() {
            Ok(offset) => self.offset_ms = Some(i64::from(offset.seconds()) * 1000),
            Err(_) => self.zone = Some(zone),
        }
        Some(&text[end..])
    }

    fn to_ms(&self, zone: &TimeZone) -> Option<i64> {
        let year = self.year.unwrap_or(1970);
        let month = u32::try_from(self.month.unwrap_or(1)).ok()?;
        let day = u32::try_from(self.day.unwrap_or(1)).ok()?;
        if year == 0 || year.abs() > 146_000_000 || !(1..=12).contains(&month) {
            return None;
        }
        if day == 0 || day > days_in_month(year, month) {
            return None;
        }
        let days = match self.day_of_year {
            None => days_from_civil(year, month, day),
            Some(of_year) => {
                let first = days_from_civil(year, 1, 1);
                let length = days_from_civil(year + 1, 1, 1) - first;
                if !(1..=length).contains(&of_year) {
                    return None;
                }
                first + of_year - 1
            }
        };
        let hour = match self.half_day_hour {
            Some(hour) => hour + if self.afternoon { 12 } else { 0 },
            None => self.hour,
        };
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let seconds = days * 86_400 + hour * 3600 + self.minute * 60 + self.second;
        let local = seconds * 1000 + self.millis;
        Some(match (self.offset_ms, &self.zone) {
            (Some(offset_ms), _) => local - offset_ms,
            (None, Some(named)) => local_to_instant(named, local),
            (None, None) => local_to_instant(zone, local),
        })
    }
}

/// One to `most` digits off the front.
fn take_digits(text: &str, most: usize) -> Option<(&str, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    (end > 0).then(|| text.split_at(end))
}

/// A full or three-letter name, in any case; its position counted from 1.
fn read_name<'t>(text: &'t str, names: &[&str]) -> Option<(i64, &'t str)> {
    let starts = |prefix: &str| {
        text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    let at = names.iter().position(|name| starts(&name[..3]))?;
    let length = if starts(names[at]) { names[at].len() } else { 3 };
    Some((at as i64 + 1, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_read_and_write() {
        for (pattern, text, ms) in [
            ("yyyy-MM-dd HH:mm:ss", "2000-02-03 04:05:06", 949_550_706_000),
            ("MM/dd/yyyy", "02/03/2000", 949_536_000_000),
            ("yyyyMMddHHmmssSSS", "20000203040506007", 949_550_706_007),
            ("dd/MMM/yyyy:HH:mm:ss Z", "03/Feb/2000:05:05:06 +0100", 949_550_706_000),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2000-02-03T04:05:06.007Z", 949_550_706_007),
            ("h:mm a, MMMM d yyyy", "4:05 AM, February 3 2000", 949_550_700_000),
            ("EEE, dd MMM yyyy HH:mm:ss z", "Thu, 03 Feb 2000 04:05:06 GMT", 949_550_706_000),
        ] {
            let compiled = JodaPattern::parse(pattern).unwrap();
            assert_eq!(compiled.read(text, &TimeZone::UTC), Some(ms), "{pattern}");
        }
        let pattern = JodaPattern::parse("EEEE xxxx-'W'ww-e hh:mm:ss.SSS a ZZ").unwrap();
        assert!(!pattern.is_readable());
        assert_eq!(
            pattern.format(949_550_706_007, &TimeZone::UTC),
            "Thursday 2000-W05-4 04:05:06.007 AM +00:00"
        );
    }

    #[test]
    fn h_27_times_that_do_not_exist_are_refused() {
        let pattern = JodaPattern::parse("yyyy-MM-dd HH:mm:ss").unwrap();
        for text in [
            "2000-02-30 00:00:00",
            "2000-13-01 00:00:00",
            "2000-01-01 24:00:00",
            "2016-12-31 23:59:60",
            "0000-01-01 00:00:00",
            "2000-01-01 00:00:00 ",
            "2000-01-01",
            "",
        ] {
            assert_eq!(pattern.read(text, &TimeZone::UTC), None, "{text}");
        }
        assert!(JodaPattern::parse("yyyy-QQ").is_err());
        assert!(JodaPattern::parse("yyyy'open").is_err());
    }
}
