//! Made-up page views of twelve fields; a seed always means the same ones.

use std::io::Write;

use henge_types::write_timestamp;
use serde_json::{Value, json};

const SITES: [&str; 4] =
    ["www.example.com", "shop.example.com", "blog.example.com", "docs.example.com"];
const SECTIONS: [&str; 6] = ["products", "articles", "search", "cart", "help", "about"];
const PAGES_PER_SECTION: u32 = 200;
const REFERRERS: [&str; 5] = [
    "https://search.example.org/",
    "https://social.example.net/",
    "https://news.example.org/",
    "https://mail.example.net/",
    "https://partner.example.com/",
];
const COUNTRIES: [&str; 16] = [
    "US", "DE", "GB", "FR", "JP", "BR", "IN", "CA", "ES", "IT", "AU", "NL", "SE", "PL", "MX", "KR",
];
const BROWSERS: [&str; 5] = ["Chrome", "Safari", "Firefox", "Edge", "Opera"];
const DEVICES: [&str; 3] = ["mobile", "desktop", "tablet"];
const VISITORS: u32 = 400_000;
const MAX_DURATION_MS: u32 = 300_000;
const MAX_BYTES: u32 = 500_000;
const MAX_PURCHASE_CENTS: u32 = 40_000;

/// The schema that the events are pushed under: an hour a segment, every event a row.
pub(super) fn data_schema() -> Value {
    json!({
        "timestampSpec": { "column": "time", "format": "iso" },
        "dimensionsSpec": { "dimensions": [
            "site", "uri", "referrer", "country", "browser", "device", "visitor_id", "event_type",
        ] },
        "metricsSpec": [
            { "type": "longSum", "name": "duration_ms", "fieldName": "duration_ms" },
            { "type": "longSum", "name": "bytes", "fieldName": "bytes" },
            { "type": "doubleSum", "name": "revenue", "fieldName": "revenue" },
        ],
        "granularitySpec": {
            "segmentGranularity": "hour", "queryGranularity": "none", "rollup": false,
        },
    })
}

/// Page views without end.
#[derive(Debug, Clone)]
pub(super) struct PageViews {
    random: Random,
}

impl PageViews {
    /// The views of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random(seed) }
    }

    /// Appends the next view, as happened at `time_ms`, as one line of JSON. No value needs an
    /// escape.
    pub(super) fn write_next(&mut self, time_ms: i64, out: &mut Vec<u8>) {
        let random = &mut self.random;
        let event_type = match random.below(100) {
            0..80 => "view",
            80..92 => "click",
            92..98 => "scroll",
            _ => "purchase",
        };
        out.extend_from_slice(b"{\"time\":\"");
        write_timestamp(out, time_ms);
        text(out, "\",\"site\":\"", random.skewed(&SITES));
        let (section, page) = (random.skewed(&SECTIONS), random.skewed_below(PAGES_PER_SECTION));
        number(out, format_args!("\",\"uri\":\"/{section}/{page}"));
        match random.below(10) {
            0..4 => out.extend_from_slice(b"\",\"referrer\":null"),
            _ => {
                text(out, "\",\"referrer\":\"", random.skewed(&REFERRERS));
                out.push(b'"');
            }
        }
        text(out, ",\"country\":\"", random.skewed(&COUNTRIES));
        text(out, "\",\"browser\":\"", random.skewed(&BROWSERS));
        text(out, "\",\"device\":\"", random.skewed(&DEVICES));
        let visitor = random.skewed_below(VISITORS);
        let cents = match event_type {
            "purchase" => 500 + random.skewed_below(MAX_PURCHASE_CENTS),
            _ => 0,
        };
        number(
            out,
            format_args!(
                "\",\"visitor_id\":\"v{visitor:06}\",\"event_type\":\"{event_type}\",\
                 \"duration_ms\":{},\"bytes\":{},\"revenue\":{}.{:02}}}\n",
                random.skewed_below(MAX_DURATION_MS),
                200 + random.skewed_below(MAX_BYTES),
                cents / 100,
                cents % 100
            ),
        );
    }
}

fn text(out: &mut Vec<u8>, before: &str, text: &str) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn number(out: &mut Vec<u8>, formatted: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(formatted);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// SplitMix64: a few operations a number, and good enough for sample data.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..limit`, all equally likely.
    fn below(&mut self, limit: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// A number in `0..limit`, small ones more often than large ones.
    fn skewed_below(&mut self, limit: u32) -> u32 {
        let unit = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        (unit * unit * unit * f64::from(limit)) as u32
    }

    /// One of a list, the first ones more often than the last ones.
    fn skewed<'a>(&mut self, values: &[&'a str]) -> &'a str {
        let index = self.skewed_below(values.len() as u32) as usize;
        values.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seed: u64, count: usize) -> Vec<u8> {
        let mut views = PageViews::new(seed);
        let mut out = Vec::new();
        (0..count).for_each(|index| views.write_next(index as i64, &mut out));
        out
    }

    #[test]
    fn the_sequence_of_a_seed_is_known() {
        let mut random = Random(0);
        assert_eq!(random.bits(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(lines(7, 50), lines(7, 50));
        assert_ne!(lines(7, 50), lines(8, 50));
    }

    #[test]
    fn every_line_is_an_event_of_twelve_fields() {
        let text = String::from_utf8(lines(1, 2_000)).unwrap();
        let events: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.len(), 2_000);
        assert!(events.iter().all(|event| event.as_object().unwrap().len() == 12));
        let count = |test: &dyn Fn(&Value) -> bool| events.iter().filter(|e| test(e)).count();
        assert!((600..1_000).contains(&count(&|event| event["referrer"].is_null())));
        assert!((10..100).contains(&count(&|event| event["event_type"] == "purchase")));
        let paid = count(&|event| event["revenue"].as_f64().unwrap() > 0.0);
        assert_eq!(paid, count(&|event| event["event_type"] == "purchase"));
    }
}
