//! What requests ask for: flags, numbers and intervals of the query string, intervals of paths, and who asks.

use std::ops::Range;

use axum::extract::{FromRequestParts, Query};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use henge_platform::http::DruidError;
use henge_types::Interval;

/// Entries of a list where a request says nothing; 0 stands for no limit there.
const MOST_LISTED: usize = 1_000;

/// The query string.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = DruidError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, DruidError> {
        let read = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        read.map(|Query(pairs)| Self(pairs)).map_err(|error| DruidError::invalid(error.body_text()))
    }
}

impl Parameters {
    /// True for `?name` and `?name=true`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value != "false")
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Refuses all other names: what is misspelt would be missed.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), DruidError> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => {
                let name: String = name.chars().take(40).collect();
                let known = known.join(", ");
                Err(DruidError::invalid(format!(
                    "the parameter '{}' is unknown here: use {known}",
                    name.escape_debug()
                )))
            }
            None => Ok(()),
        }
    }

    /// All values of a name that may come several times.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, DruidError> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let number = text.parse().map_err(|_| {
            let text = text.chars().take(40).collect::<String>();
            DruidError::invalid(format!("{name} '{}' is no such number", text.escape_debug()))
        });
        number.map(Some)
    }

    pub(super) fn interval(&self, name: &str) -> Result<Option<Interval>, DruidError> {
        self.value(name).map(interval).transpose()
    }

    /// `?limit=` of a list that grows with time.
    pub(super) fn limit(&self) -> Result<usize, DruidError> {
        Ok(self.number("limit")?.unwrap_or(MOST_LISTED).min(10 * MOST_LISTED))
    }

    /// The places of `?offset=&limit=` within a list; all of it where nothing is said.
    pub(super) fn page(&self, length: usize) -> Result<Range<usize>, DruidError> {
        let from = self.number::<usize>("offset")?.unwrap_or(0).min(length);
        let limit = self.number("limit")?.unwrap_or(usize::MAX);
        Ok(from..from.saturating_add(limit).min(length))
    }
}

/// An interval of a path, with `_` for the slash, or of the query string.
pub(super) fn interval(text: &str) -> Result<Interval, DruidError> {
    Ok(Interval::parse(&text.replace('_', "/"))?)
}

/// Who asks, and why, as Druid's console says it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asker {
    pub author: String,
    pub comment: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = DruidError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, DruidError> {
        let header = |name| text_of(&parts.headers, name);
        Ok(Self { author: header("x-druid-author")?, comment: header("x-druid-comment")? })
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Result<String, DruidError> {
    let Some(value) = headers.get(name) else { return Ok(String::new()) };
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| DruidError::invalid(format!("header {name} is not UTF-8")))?;
    if text.len() > 4_096 {
        return Err(DruidError::invalid(format!("header {name} is longer than 4096 bytes")));
    }
    Ok(text.to_owned())
}
