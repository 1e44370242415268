//! A table of page views: twelve fields, any number of rows, fixed by a seed.
//!
//! | field | type | values |
//! | --- | --- | --- |
//! | `__time` (`time` in JSON) | LONG | ascending, about 6.7 a second |
//! | `site` | STRING | 8, skewed |
//! | `uri` | STRING | 20,000, skewed |
//! | `referrer` | STRING | 500, skewed; null in 40 % |
//! | `country` | STRING | 60, skewed |
//! | `browser` | STRING | 6, skewed |
//! | `device` | STRING | 3, skewed |
//! | `visitor_id` | STRING | 1,000,000, all equally likely |
//! | `event_type` | STRING | view, click, scroll, purchase |
//! | `duration_ms` | LONG | 0 to 600,000, skewed |
//! | `bytes` | LONG | 200 to 200,000, skewed |
//! | `revenue` | DOUBLE | millionths of a dollar from advertisements; whole cents of purchases |
//!
//! [`PageViews`] yields the rows without end. They become [`Columns`] (and a segment), rows of the
//! write-optimised index ([`Rows`]), or JSON lines ([`write_json`]).

mod columns;
mod json;
mod rows;
mod schema;
mod texts;

use crate::random::Random;

pub use columns::Columns;
pub use json::{json_lines, write_json};
pub use rows::Rows;
pub use schema::{DATA_SCHEMA, DATA_SOURCE, data_schema, segment_schema};
pub use texts::{TEXT_FIELDS, TextField, Texts};

/// The seed of the benchmarks' table.
pub const SEED: u64 = 42;

/// 2026-01-01T00:00:00Z, when the benchmarks' table starts.
pub const START_MS: i64 = 1_767_225_600_000;

/// The mean time between two views of the benchmarks' table: four million take just under a week.
pub const MEAN_GAP_US: u32 = 150_000;

/// Number of STRING fields.
pub const TEXT_FIELD_COUNT: usize = TEXT_FIELDS.len();

/// One page view. Its texts are ids into [`Texts`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageView {
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// For each of [`TEXT_FIELDS`] the position of its value plus one; 0 is null.
    pub texts: [u32; TEXT_FIELD_COUNT],
    /// How long the page was looked at.
    pub duration_ms: i64,
    /// Bytes sent.
    pub bytes: i64,
    /// Dollars earned.
    pub revenue: f64,
}

impl PageView {
    /// The id of a text; 0 is null.
    #[must_use]
    pub fn text_id(&self, field: TextField) -> u32 {
        self.texts[field as usize]
    }
}

/// Page views in the order of time, without end.
#[derive(Debug, Clone)]
pub struct PageViews {
    random: Random,
    time_us: i64,
    mean_gap_us: u32,
}

impl PageViews {
    /// The views of a seed, from a time on, with a mean gap between two of them.
    #[must_use]
    pub fn new(seed: u64, start_ms: i64, mean_gap_us: u32) -> Self {
        Self { random: Random::new(seed), time_us: start_ms.saturating_mul(1_000), mean_gap_us }
    }

    /// The table of the benchmarks.
    #[must_use]
    pub fn standard() -> Self {
        Self::new(SEED, START_MS, MEAN_GAP_US)
    }
}

impl Iterator for PageViews {
    type Item = PageView;

    fn next(&mut self) -> Option<PageView> {
        let random = &mut self.random;
        let gap_us = random.below(self.mean_gap_us.saturating_mul(2).saturating_add(1));
        self.time_us = self.time_us.saturating_add(i64::from(gap_us));
        let texts = TEXT_FIELDS.map(|field| field.draw(random));
        let revenue = if texts[TextField::EventType as usize] == texts::PURCHASE_ID {
            f64::from(500 + random.skewed_below(20_000)) / 1e2
        } else {
            f64::from(random.skewed_below(20_000)) / 1e6
        };
        Some(PageView {
            time_ms: self.time_us.div_euclid(1_000),
            texts,
            duration_ms: i64::from(random.skewed_below(600_001)),
            bytes: 200 + i64::from(random.skewed_below(199_801)),
            revenue,
        })
    }
}

#[cfg(test)]
mod tests;
