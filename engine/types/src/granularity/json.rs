//! Druid's JSON of granularities: a simple name, or an object of type `all`, `none`, `duration` or
//! `period`.

use jiff::tz::TimeZone;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Granularity, invalid};
use crate::error::TypeError;
use crate::period::Period;
use crate::time::{format_timestamp, parse_timestamp_ms};
use crate::zone::{format_time_zone, parse_time_zone};

impl Serialize for Granularity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::All => map.serialize_entry("type", "all")?,
            Self::None => map.serialize_entry("type", "none")?,
            Self::Duration { duration_ms, origin_ms } => {
                map.serialize_entry("type", "duration")?;
                map.serialize_entry("duration", duration_ms)?;
                map.serialize_entry("origin", &format_timestamp(*origin_ms))?;
            }
            Self::Period { period, time_zone, origin_ms } => {
                map.serialize_entry("type", "period")?;
                map.serialize_entry("period", period)?;
                map.serialize_entry("timeZone", &format_time_zone(time_zone))?;
                map.serialize_entry("origin", &origin_ms.map(format_timestamp))?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Granularity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GranularityVisitor)
    }
}

struct GranularityVisitor;

impl<'de> Visitor<'de> for GranularityVisitor {
    type Value = Granularity;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a granularity: a name such as \"day\", or an object with a \"type\"")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Granularity, E> {
        Granularity::parse_name(name).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Granularity, A::Error> {
        let object = GranularityObject::deserialize(MapAccessDeserializer::new(map))?;
        object.build().map_err(A::Error::custom)
    }
}

/// The fields of every object form; which ones count depends on the type.
#[derive(Deserialize)]
struct GranularityObject {
    r#type: String,
    #[serde(default)]
    duration: Option<NumberOrText>,
    #[serde(default)]
    period: Option<Period>,
    #[serde(default, rename = "timeZone")]
    time_zone: Option<String>,
    #[serde(default)]
    origin: Option<NumberOrText>,
}

impl GranularityObject {
    fn build(self) -> Result<Granularity, TypeError> {
        let origin_ms = self.origin.as_ref().map(NumberOrText::as_timestamp_ms).transpose()?;
        match self.r#type.as_str() {
            "all" => Ok(Granularity::All),
            "none" => Ok(Granularity::None),
            "duration" => {
                let Some(duration) = self.duration else {
                    return Err(invalid(
                        "duration",
                        "the field 'duration' (milliseconds) is missing",
                    ));
                };
                Granularity::duration(duration.as_number()?, origin_ms.unwrap_or(0))
            }
            "period" => {
                let Some(period) = self.period else {
                    return Err(invalid("period", "the field 'period' (such as P1D) is missing"));
                };
                let time_zone = match self.time_zone {
                    Some(name) => parse_time_zone(&name)?,
                    None => TimeZone::UTC,
                };
                Granularity::period(period, time_zone, origin_ms)
            }
            other => Err(invalid(
                other,
                "the field 'type' is unknown: use all, none, duration or period",
            )),
        }
    }
}

/// Numbers that some clients send as text, and origins that come as either.
#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(i64),
    Text(String),
}

impl NumberOrText {
    fn as_number(&self) -> Result<i64, TypeError> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => text.parse().map_err(|_| {
                invalid(text, "the field 'duration' must be milliseconds, such as 3600000")
            }),
        }
    }

    fn as_timestamp_ms(&self) -> Result<i64, TypeError> {
        match self {
            Self::Number(ms) => Ok(*ms),
            Self::Text(text) => parse_timestamp_ms(text),
        }
    }
}
