//! `ioConfig`: input sources and input formats.

use super::encoding::TextEncoding;
use super::flatten::FlattenSpec;
use crate::error::Result;
use crate::node::Node;

/// Where events come from and what happens to data that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoConfig {
    /// Where events come from.
    pub input_source: InputSource,
    /// How they are written.
    pub input_format: InputFormat,
    /// True adds to what is there; false replaces the time chunks that events fall into.
    pub append_to_existing: bool,
    /// True replaces everything in `granularitySpec.intervals`, also chunks without new events.
    pub drop_existing: bool,
}

/// Where events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSource {
    /// In the spec itself.
    Inline {
        /// The events.
        data: String,
    },
    /// Files of the server.
    Local {
        /// A directory, searched with its sub-directories.
        base_dir: Option<String>,
        /// A glob over file names under `base_dir`.
        filter: String,
        /// Files by path.
        files: Vec<String>,
    },
    /// Files that a client sent to the cluster before, in parts. Ours.
    Uploaded {
        /// The files, in the order in which they are read.
        files: Vec<UploadedFile>,
    },
}

/// A file that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// What it is called, for people.
    pub name: String,
    /// What its parts were sent under: 32 hexadecimal digits.
    pub upload: String,
    /// How many parts it has.
    pub parts: u64,
}

/// How events are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputFormat {
    /// JSON: one object after the other, or lists of objects.
    Json {
        /// Which values are fields.
        flatten: FlattenSpec,
        /// How its letters are written.
        encoding: TextEncoding,
    },
    /// Lines of values: with quotes (CSV) or without (TSV).
    Delimited(DelimitedFormat),
    /// Apache Parquet.
    Parquet {
        /// Bytes that are not marked as text are text nevertheless; otherwise they are Base64.
        binary_as_string: bool,
        /// What becomes of whole numbers above 2^63 - 1.
        uint64: WideNumbers,
        /// Which values are fields.
        flatten: FlattenSpec,
    },
}

/// What becomes of whole numbers above 2^63 - 1 in a column whose type the spec leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WideNumbers {
    /// The column is text as soon as one of its values is that large.
    #[default]
    Text,
    /// The column is DOUBLE, as soon as one of its values is that large, and holds the nearest.
    Decimal,
    /// The column is LONG, and rows with such a value are refused.
    Long,
}

/// How lines of values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelimitedFormat {
    /// Values may be quoted, and then hold delimiters and line breaks: CSV.
    pub quoting: bool,
    /// What separates values.
    pub delimiter: char,
    /// What separates the values of one field.
    pub list_delimiter: String,
    /// The fields; `None` takes them from the header.
    pub columns: Option<Vec<String>>,
    /// The first line (after those that are skipped) names the fields.
    pub has_header: bool,
    /// Lines at the start of each file that are passed over.
    pub skip_header_rows: u64,
    /// Which values are numbers.
    pub try_parse_numbers: NumberParsing,
    /// How its letters are written.
    pub encoding: TextEncoding,
}

impl InputFormat {
    /// How the letters of texts are written; UTF-8 where a format has no choice.
    #[must_use]
    pub fn encoding(&self) -> TextEncoding {
        match self {
            Self::Json { encoding, .. } => *encoding,
            Self::Delimited(format) => format.encoding,
            Self::Parquet { .. } => TextEncoding::default(),
        }
    }

    /// Which values of nested events are fields; `None` where events are flat.
    #[must_use]
    pub fn flatten(&self) -> Option<&FlattenSpec> {
        match self {
            Self::Json { flatten, .. } | Self::Parquet { flatten, .. } => Some(flatten),
            Self::Delimited(_) => None,
        }
    }
}

/// Which of the values that look like numbers are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NumberParsing {
    /// None: all is text.
    #[default]
    Never,
    /// All, as Druid has it: `007` is 7, and what has more digits than a double holds is cut.
    All,
    /// Those that are written back as they were: `007` and `+49` are text, and so is what a double
    /// would cut.
    Exact,
}

const TYPES: &[&str] = &["index_parallel", "index"];

impl IoConfig {
    pub(super) fn read(node: &Node<'_>) -> Result<Self> {
        match node.type_name(TYPES)? {
            "index_parallel" | "index" => {}
            other => return Err(node.bad_type("ioConfig", other, TYPES, &[])),
        }
        if let Some(firehose) = node.get("firehose") {
            return Err(firehose.unsupported(
                "firehoses were removed from Druid; use inputSource and inputFormat",
            ));
        }
        node.only_fields(&[
            "type",
            "inputSource",
            "inputFormat",
            "appendToExisting",
            "dropExisting",
        ])?;
        let append_to_existing = node.boolean_or("appendToExisting", false)?;
        let drop_existing = node.boolean_or("dropExisting", false)?;
        if append_to_existing && drop_existing {
            return Err(node.invalid("appendToExisting and dropExisting exclude each other"));
        }
        let source_hint = "give {\"type\":\"inline\",…} or {\"type\":\"local\",…}";
        Ok(Self {
            input_source: input_source(&node.require("inputSource", source_hint)?)?,
            input_format: input_format(
                &node.require("inputFormat", "give {\"type\":\"json\"}, csv, tsv or parquet")?,
            )?,
            append_to_existing,
            drop_existing,
        })
    }
}

fn input_source(node: &Node<'_>) -> Result<InputSource> {
    const SUPPORTED: &[&str] = &["inline", "local", "uploaded"];
    const PLANNED: &[&str] = &[
        "http",
        "s3",
        "google",
        "azure",
        "azureStorage",
        "hdfs",
        "druid",
        "sql",
        "combining",
        "delta",
        "iceberg",
        "generator",
    ];
    match node.type_name(SUPPORTED)? {
        "inline" => {
            node.only_fields(&["type", "data"])?;
            let data = node.require("data", "give the events")?.text()?.to_owned();
            Ok(InputSource::Inline { data })
        }
        "local" => local(node),
        "uploaded" => {
            node.only_fields(&["type", "files"])?;
            let files = node.list("files", uploaded_file)?;
            if files.is_empty() {
                return Err(node.missing("files", "name what was uploaded"));
            }
            Ok(InputSource::Uploaded { files })
        }
        other => Err(node.bad_type("inputSource", other, SUPPORTED, PLANNED)),
    }
}

fn uploaded_file(node: &Node<'_>) -> Result<UploadedFile> {
    node.only_fields(&["name", "upload", "parts"])?;
    let upload_node = node.require("upload", "give what its parts were sent under")?;
    let upload = upload_node.text()?.to_owned();
    if !is_upload_id(&upload) {
        return Err(upload_node.invalid("must be 32 hexadecimal digits, as they were sent under"));
    }
    Ok(UploadedFile {
        name: node.require("name", "name the file")?.name()?,
        upload,
        parts: node.optional_unsigned("parts")?.unwrap_or(1),
    })
}

/// Whether parts of a file may be sent under a name: 32 lower-case hexadecimal digits, so that none is
/// guessed.
#[must_use]
pub fn is_upload_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn local(node: &Node<'_>) -> Result<InputSource> {
    node.only_fields(&["type", "baseDir", "filter", "files"])?;
    let base_dir = node.optional_name("baseDir")?;
    let files = node.list("files", |node| node.name())?;
    if base_dir.is_none() && files.is_empty() {
        return Err(node.missing("files", "give files, or baseDir and filter"));
    }
    if base_dir.is_some() && !files.is_empty() {
        return Err(node.invalid("give files, or baseDir and filter, not both"));
    }
    if base_dir.is_some() && node.get("filter").is_none() {
        return Err(node.missing("filter", "give a glob, for example \"*.json\""));
    }
    let filter = node.optional_name("filter")?.unwrap_or_else(|| "*".to_owned());
    Ok(InputSource::Local { base_dir, filter, files })
}

fn input_format(node: &Node<'_>) -> Result<InputFormat> {
    const SUPPORTED: &[&str] = &["json", "csv", "tsv", "parquet"];
    const PLANNED: &[&str] = &[
        "regex",
        "lines",
        "javascript",
        "kafka",
        "kinesis",
        "orc",
        "avro_stream",
        "avro_ocf",
        "protobuf",
        "thrift",
        "influx",
        "druid_segment",
    ];
    match node.type_name(SUPPORTED)? {
        "json" => json(node),
        "csv" => delimited(node, true),
        "tsv" => delimited(node, false),
        "parquet" => {
            node.only_fields(&["type", "flattenSpec", "binaryAsString", "uint64"])?;
            Ok(InputFormat::Parquet {
                binary_as_string: node.boolean_or("binaryAsString", false)?,
                uint64: wide_numbers(node)?,
                flatten: FlattenSpec::read(node)?,
            })
        }
        other => Err(node.bad_type("inputFormat", other, SUPPORTED, PLANNED)),
    }
}

/// `uint64` is ours.
fn wide_numbers(node: &Node<'_>) -> Result<WideNumbers> {
    let Some(node) = node.get("uint64") else { return Ok(WideNumbers::default()) };
    match node.text()? {
        "text" => Ok(WideNumbers::Text),
        "decimal" => Ok(WideNumbers::Decimal),
        "long" => Ok(WideNumbers::Long),
        other => {
            let other = crate::node::excerpt(other);
            Err(node.invalid(format!("'{other}' is unknown: use text, decimal or long")))
        }
    }
}

fn json(node: &Node<'_>) -> Result<InputFormat> {
    node.only_fields(&[
        "type",
        "flattenSpec",
        "featureSpec",
        "keepNullColumns",
        "assumeNewlineDelimited",
        "useJsonNodeReader",
        // Ours, as of CSV and TSV.
        "encoding",
    ])?;
    for flag in ["keepNullColumns", "assumeNewlineDelimited", "useJsonNodeReader"] {
        node.boolean_or(flag, false)?;
    }
    if let Some(features) = node.get("featureSpec")
        && !features.object()?.is_empty()
    {
        return Err(features.unsupported("parser features are not supported; leave them out"));
    }
    Ok(InputFormat::Json { flatten: FlattenSpec::read(node)?, encoding: TextEncoding::read(node)? })
}

/// What separates the values of a field unless the spec says otherwise: Ctrl-A.
const LIST_DELIMITER: &str = "\u{1}";

fn delimited(node: &Node<'_>, is_csv: bool) -> Result<InputFormat> {
    let known = &[
        "type",
        "columns",
        "findColumnsFromHeader",
        "hasHeaderRow",
        "skipHeaderRows",
        "listDelimiter",
        "tryParseNumbers",
        // Of CSV it is ours: files with semicolons are called CSV as well.
        "delimiter",
        "encoding",
    ];
    node.only_fields(known)?;
    let columns = match node.get("columns") {
        Some(_) => Some(node.list("columns", |column| column.name())?),
        None => None,
    };
    let has_header = node.boolean_or("findColumnsFromHeader", false)?
        || node.boolean_or("hasHeaderRow", false)?;
    if columns.as_ref().is_none_or(Vec::is_empty) && !has_header {
        let hint = "name the columns, or set findColumnsFromHeader to true";
        return Err(node.missing("columns", hint));
    }
    if let Some((at, name)) = duplicate(columns.as_deref().unwrap_or_default()) {
        let message = format!("column {at} is '{name}' again; names must differ");
        return Err(node.invalid(message));
    }
    let text = |name: &str| node.get(name).map(|text| text.text().map(str::to_owned)).transpose();
    let delimiter = match text("delimiter")? {
        None if is_csv => ',',
        None => '\t',
        Some(text) => one_character(node, "delimiter", &text)?,
    };
    let list_delimiter = text("listDelimiter")?.unwrap_or_else(|| LIST_DELIMITER.to_owned());
    if list_delimiter.is_empty() || list_delimiter.contains(delimiter) {
        return Err(node.invalid("listDelimiter must differ from the delimiter and not be empty"));
    }
    Ok(InputFormat::Delimited(DelimitedFormat {
        quoting: is_csv,
        delimiter,
        list_delimiter,
        columns: columns.filter(|columns| !columns.is_empty() && !has_header),
        has_header,
        skip_header_rows: node.optional_unsigned("skipHeaderRows")?.unwrap_or(0),
        try_parse_numbers: number_parsing(node)?,
        encoding: TextEncoding::read(node)?,
    }))
}

/// `exact` is ours.
fn number_parsing(format: &Node<'_>) -> Result<NumberParsing> {
    let Some(node) = format.get("tryParseNumbers") else { return Ok(NumberParsing::Never) };
    match node.value().as_str() {
        Some("exact") => Ok(NumberParsing::Exact),
        _ if node.boolean()? => Ok(NumberParsing::All),
        _ => Ok(NumberParsing::Never),
    }
}

/// Line breaks end lines, and a NUL is in no text file.
fn one_character(node: &Node<'_>, field: &str, text: &str) -> Result<char> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) if one.is_ascii() && !matches!(one, '\n' | '\r' | '\0' | '"') => Ok(one),
        _ => Err(node.invalid(format!(
            "{field} must be one ASCII character, not a line break, a quote or NUL"
        ))),
    }
}

fn duplicate(names: &[String]) -> Option<(usize, &str)> {
    let mut known = std::collections::HashSet::new();
    let mut repeated = names.iter().enumerate().filter(|(_, name)| !known.insert(name.as_str()));
    repeated.next().map(|(at, name)| (at, name.as_str()))
}
