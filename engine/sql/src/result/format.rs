//! [`ResultFormat`] and [`Layout`]: which form an answer has, and what stands above its rows.

use serde_json::{Map, Value};

use crate::error::{Result, SqlError};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResultFormat {
    /// A JSON array of objects.
    #[default]
    Object,
    /// A JSON array of arrays.
    Array,
    /// A JSON object a line, then an empty line.
    ObjectLines,
    /// A JSON array a line, then an empty line.
    ArrayLines,
    /// Values between commas, a line a row, then an empty line.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

impl ResultFormat {
    /// All of them, as requests name them.
    pub const ALL: [(&'static str, Self); 6] = [
        ("object", Self::Object),
        ("array", Self::Array),
        ("objectLines", Self::ObjectLines),
        ("arrayLines", Self::ArrayLines),
        ("csv", Self::Csv),
        ("arrow", Self::Arrow),
    ];

    /// The format of a name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, format)| format)
    }

    /// Its `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Object | Self::Array => "application/json",
            Self::ObjectLines | Self::ArrayLines => "text/plain",
            Self::Csv => "text/csv",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// The form of an answer and its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// The form.
    pub format: ResultFormat,
    /// The columns' names come before the rows.
    pub header: bool,
    /// And their native types.
    pub types_header: bool,
    /// And their SQL types.
    pub sql_types_header: bool,
}

impl Layout {
    /// What a request asks for by `resultFormat`, `header`, `typesHeader` and `sqlTypesHeader`; `default` is the
    /// format of one that names none.
    ///
    /// # Errors
    /// When one of them is not of its type, or types are wanted without names.
    pub fn of_request(request: &Map<String, Value>, default: ResultFormat) -> Result<Self> {
        let layout = Self {
            format: format_of(request)?.unwrap_or(default),
            header: flag(request, "header")?,
            types_header: flag(request, "typesHeader")?,
            sql_types_header: flag(request, "sqlTypesHeader")?,
        };
        for (name, is_set) in
            [("typesHeader", layout.types_header), ("sqlTypesHeader", layout.sql_types_header)]
        {
            if is_set && !layout.header {
                return Err(SqlError::invalid(format!(
                    "{name}: needs a header to be part of; set \"header\": true, too"
                )));
            }
        }
        Ok(layout)
    }
}

fn format_of(request: &Map<String, Value>) -> Result<Option<ResultFormat>> {
    let name = match request.get("resultFormat") {
        None | Some(Value::Null) => return Ok(None),
        Some(name) => name,
    };
    match name.as_str().and_then(ResultFormat::parse) {
        Some(format) => Ok(Some(format)),
        None => {
            let known = ResultFormat::ALL.map(|(name, _)| name).join(", ");
            Err(SqlError::invalid(format!("resultFormat: {name} is none of {known}")))
        }
    }
}

/// A boolean of a request, which clients also send as text.
pub(super) fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool> {
    flag_or(fields, name, name, false)
}

/// As [`flag`], with a default and the path that errors name.
pub(super) fn flag_or(
    fields: &Map<String, Value>,
    name: &str,
    path: &str,
    default: bool,
) -> Result<bool> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(set)) => Ok(*set),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(other) => Err(SqlError::invalid(format!("{path}: {other} is neither true nor false"))),
    }
}
