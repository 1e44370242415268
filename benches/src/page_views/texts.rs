//! The STRING fields and their values.

use std::fmt::Write;

use henge_segment::StringTable;

use crate::random::Random;

/// The id of the event type `purchase`.
pub(super) const PURCHASE_ID: u32 = 2;

const SITES: [&str; 8] = [
    "blog.example.com",
    "docs.example.com",
    "forum.example.com",
    "help.example.com",
    "news.example.com",
    "shop.example.com",
    "video.example.com",
    "www.example.com",
];
const SECTIONS: [&str; 8] =
    ["about", "articles", "cart", "categories", "products", "profile", "search", "topics"];
const COUNTRIES: [&str; 60] = [
    "AE", "AR", "AT", "AU", "BD", "BE", "BG", "BR", "CA", "CH", "CL", "CN", "CO", "CZ", "DE", "DK",
    "EG", "ES", "FI", "FR", "GB", "GR", "HK", "HU", "ID", "IE", "IL", "IN", "IT", "JP", "KE", "KR",
    "LT", "LV", "MA", "MX", "MY", "NG", "NL", "NO", "NZ", "PE", "PH", "PK", "PL", "PT", "RO", "RS",
    "SA", "SE", "SG", "SK", "TH", "TR", "TW", "UA", "US", "VE", "VN", "ZA",
];
const BROWSERS: [&str; 6] = ["Chrome", "Edge", "Firefox", "Opera", "Safari", "Samsung Internet"];
const DEVICES: [&str; 3] = ["desktop", "mobile", "tablet"];
const EVENT_TYPES: [&str; 4] = ["click", "purchase", "scroll", "view"];

/// A STRING field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextField {
    /// `site`
    Site,
    /// `uri`
    Uri,
    /// `referrer`, which may be null
    Referrer,
    /// `country`
    Country,
    /// `browser`
    Browser,
    /// `device`
    Device,
    /// `visitor_id`
    VisitorId,
    /// `event_type`
    EventType,
}

/// All STRING fields, in the order of the columns.
pub const TEXT_FIELDS: [TextField; 8] = [
    TextField::Site,
    TextField::Uri,
    TextField::Referrer,
    TextField::Country,
    TextField::Browser,
    TextField::Device,
    TextField::VisitorId,
    TextField::EventType,
];

impl TextField {
    /// The name of the field.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Uri => "uri",
            Self::Referrer => "referrer",
            Self::Country => "country",
            Self::Browser => "browser",
            Self::Device => "device",
            Self::VisitorId => "visitor_id",
            Self::EventType => "event_type",
        }
    }

    /// How many values there are, null not counted.
    #[must_use]
    pub fn value_count(self) -> u32 {
        match self {
            Self::Site => SITES.len() as u32,
            Self::Uri => 20_000,
            Self::Referrer => 500,
            Self::Country => COUNTRIES.len() as u32,
            Self::Browser => BROWSERS.len() as u32,
            Self::Device => DEVICES.len() as u32,
            Self::VisitorId => 1_000_000,
            Self::EventType => EVENT_TYPES.len() as u32,
        }
    }

    /// Draws an id: the position of a value plus one, or 0 for null.
    pub(super) fn draw(self, random: &mut Random) -> u32 {
        // The popular values are spread over the order of the texts: the step and the number of
        // values have no common divisor, and the first is a value that deserves it.
        let mut spread = |step: u32, first: u32| {
            let values = self.value_count();
            1 + (random.skewed_below(values) * step + first) % values
        };
        match self {
            Self::Site => spread(3, 7),
            Self::Uri => spread(7_919, 12_345),
            Self::Country => spread(37, 56),
            Self::Browser => spread(5, 0),
            Self::Device => spread(1, 1),
            Self::Referrer => {
                let id = spread(211, 99);
                if random.chance(400) { 0 } else { id }
            }
            Self::VisitorId => 1 + random.below(self.value_count()),
            Self::EventType => match random.below(1_000) {
                0..880 => 4,
                880..970 => 1,
                970..990 => 3,
                _ => PURCHASE_ID,
            },
        }
    }

    /// Appends the value at a position. Values ascend with their positions.
    fn write(self, position: u32, out: &mut String) {
        let listed = |list: &[&'static str]| list.get(position as usize).copied();
        let written = match self {
            Self::Site => out.write_str(listed(&SITES).unwrap_or_default()),
            Self::Country => out.write_str(listed(&COUNTRIES).unwrap_or_default()),
            Self::Browser => out.write_str(listed(&BROWSERS).unwrap_or_default()),
            Self::Device => out.write_str(listed(&DEVICES).unwrap_or_default()),
            Self::EventType => out.write_str(listed(&EVENT_TYPES).unwrap_or_default()),
            Self::Referrer => write!(out, "https://partner-{position:03}.example.org/"),
            Self::VisitorId => write!(out, "visitor-{position:06}"),
            Self::Uri => {
                let pages = self.value_count() / SECTIONS.len() as u32;
                let section = SECTIONS.get((position / pages) as usize).copied();
                write!(out, "/{}/page-{:04}", section.unwrap_or_default(), position % pages)
            }
        };
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
}

/// The values of all STRING fields, ascending, as the dictionaries of a segment want them.
#[derive(Debug, Clone)]
pub struct Texts {
    tables: [StringTable; TEXT_FIELDS.len()],
}

impl Default for Texts {
    fn default() -> Self {
        Self::new()
    }
}

impl Texts {
    /// Writes out all values: about 20 MB, for the visitors' sake.
    #[must_use]
    pub fn new() -> Self {
        let mut text = String::new();
        let tables = TEXT_FIELDS.map(|field| {
            let mut table = StringTable::new();
            for position in 0..field.value_count() {
                text.clear();
                field.write(position, &mut text);
                table.push(&text);
            }
            table
        });
        Self { tables }
    }

    /// The value of an id; `None` for 0, which is null.
    #[must_use]
    pub fn get(&self, field: TextField, id: u32) -> Option<&str> {
        let position = id.checked_sub(1)?;
        Some(self.table(field).get(position as usize))
    }

    /// The values of a field: value `i` has id `i + 1`.
    #[must_use]
    pub fn table(&self, field: TextField) -> &StringTable {
        &self.tables[field as usize]
    }
}
