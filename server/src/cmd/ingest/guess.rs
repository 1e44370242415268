//! A spec for files that come without one: how they are written, whether they have a header, where their
//! time is. The types of their columns are for the server to find, from all values.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::columns::{self, Column};
use super::dialect::Dialect;
use super::header::{HeaderChoice, is_header};
use super::sample::{Format, Sample};
use super::time::{Time, TimeHints};

/// Lines that are looked at for a header.
const HEADER_LINES: usize = 1_000;

/// What the command line says of the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hints<'a> {
    pub(super) time: TimeHints<'a>,
    /// The column of the time stays a column as well.
    pub(super) keeps_time_column: bool,
    pub(super) header: HeaderChoice,
    pub(super) delimiter: Option<char>,
    /// What becomes of whole numbers above 2^63 - 1.
    pub(super) uint64: Option<&'a str>,
}

impl Hints<'_> {
    /// It says nothing.
    pub(super) const NONE: Hints<'static> = Hints {
        time: TimeHints { column: None, format: None, constant: None },
        keeps_time_column: true,
        header: HeaderChoice::Look,
        delimiter: None,
        uint64: None,
    };
}

/// A spec, and in words how the file was understood.
#[derive(Debug)]
pub(super) struct Guess {
    pub(super) spec: Value,
    pub(super) decided: String,
    pub(super) columns: Vec<Column>,
}

/// The inputFormat of a file, and in words what was decided.
///
/// # Errors
/// When it looks like none of the formats.
pub(super) fn input_format(sample: &Sample, hints: &Hints<'_>) -> Result<(Value, String)> {
    let (named, reader) = match sample.format {
        Format::Json => return Ok((json!({ "type": "json" }), "JSON".to_owned())),
        Format::Parquet => {
            let mut value = json!({ "type": "parquet" });
            if let Some(uint64) = hints.uint64 {
                value["uint64"] = uint64.into();
            }
            return Ok((value, "Parquet".to_owned()));
        }
        Format::Csv => (Dialect::named(true), "CSV"),
        Format::Tsv => (Dialect::named(false), "TSV"),
    };
    let (dialect, lines) = first_lines(sample, named, hints)?;
    let Some((first, later)) = lines.split_first() else {
        bail!("{}: there is no line in it", sample.name);
    };
    let reader = match dialect.separator == named.separator {
        true => reader.to_owned(),
        false => format!("CSV separated by {}", dialect.separator_name()),
    };
    let has_header = match hints.header {
        HeaderChoice::Given => true,
        HeaderChoice::None => false,
        HeaderChoice::Look => is_header(first, later),
    };
    let kind = if dialect.quoting { "csv" } else { "tsv" };
    let mut value = json!({ "type": kind, "tryParseNumbers": "exact" });
    if dialect.separator != Dialect::named(dialect.quoting).separator {
        value["delimiter"] = dialect.separator.to_string().into();
    }
    if dialect.lines_to_skip > 0 {
        value["skipHeaderRows"] = dialect.lines_to_skip.into();
    }
    if has_header {
        value["findColumnsFromHeader"] = true.into();
        let how = "whose first line names the columns (--no-header if it does not)";
        return Ok((value, format!("{reader} {how}")));
    }
    let names: Vec<String> = (1..=first.len()).map(|at| format!("column_{at}")).collect();
    value["columns"] = names.into();
    let how = format!(
        "without a header: its columns are named column_1 to column_{} (--header if the first line \
         names them)",
        first.len()
    );
    Ok((value, format!("{reader} {how}")))
}

/// A spec for a file, with its time in the given column or the likeliest one.
///
/// # Errors
/// When the file cannot be read, or it cannot be told where its time is.
pub(super) fn spec(sample: &Sample, hints: &Hints<'_>) -> Result<Guess> {
    let (input_format, how) = input_format(sample, hints)?;
    let columns = columns::of(sample, &input_format)?;
    let time = Time::choose(&columns, hints.time)
        .with_context(|| format!("look into {} as {how}", sample.name))?;
    let mut dimensions = json!({ "useSchemaDiscovery": true });
    let mut kept = "";
    if let Time::Column { name, .. } = &time
        && hints.keeps_time_column
        && name != "__time"
    {
        dimensions["dimensions"] = json!([{ "type": "auto", "name": name }]);
        kept = ", and stays a column of its own name (--drop-timestamp-column)";
    }
    let spec = json!({
        "timestampSpec": time.spec(),
        "dimensionsSpec": dimensions,
        "granularitySpec": {
            "segmentGranularity": "auto", "queryGranularity": "none", "rollup": false,
        },
        "inputFormat": input_format,
    });
    let decided = format!("{how}; {}{kept}", time.decided());
    Ok(Guess { spec, decided, columns })
}

/// Makes sure that what was found in the first file holds for another: a header that is taken for
/// values, or values that are taken for a header, would be lost.
///
/// # Errors
/// When it does not, or the file cannot be read.
pub(super) fn check_alike(first: &Sample, other: &Sample, hints: &Hints<'_>) -> Result<()> {
    let (this, that) = (input_format(first, hints)?.0, input_format(other, hints)?.0);
    if this["type"] != that["type"] || this["delimiter"] != that["delimiter"] {
        bail!("{} and {} have different formats: load them one by one", first.name, other.name);
    }
    if this.get("columns").is_some() != that.get("columns").is_some() {
        let (named, bare) =
            if this.get("columns").is_none() { (first, other) } else { (other, first) };
        bail!(
            "the first line of {} names the columns, that of {} does not: load them one by one, or \
             say --header or --no-header, which then holds for all files",
            named.name,
            bare.name
        );
    }
    Ok(())
}

/// How the values of a file are separated, and those of its first lines.
fn first_lines(
    sample: &Sample,
    named: Dialect,
    hints: &Hints<'_>,
) -> Result<(Dialect, Vec<Vec<Option<String>>>)> {
    let context = || format!("read {}", sample.name);
    let dialect = match hints.delimiter {
        Some(separator) => Dialect { separator, quoting: true, lines_to_skip: 0 },
        None => Dialect::of(&sample.bytes, named).with_context(context)?,
    };
    let skipped = usize::try_from(dialect.lines_to_skip).unwrap_or(0);
    let most = HEADER_LINES + skipped;
    let (separator, quoting) = (dialect.separator, dialect.quoting);
    let mut lines = henge_tabular::first_lines(&sample.bytes, separator, quoting, most);
    lines.drain(..skipped.min(lines.len()));
    Ok((dialect, lines))
}

#[cfg(test)]
mod tests {
    use super::super::inputs::Source;
    use super::super::sample::Told;
    use super::*;

    fn sample(name: &str, content: &[u8]) -> Result<Option<Sample>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Sample::of(&Source { name: name.to_owned(), path, is_temporary: false }, Told::default())
    }

    fn guess(name: &str, content: &str, hints: &Hints<'_>) -> Result<Guess> {
        spec(&sample(name, content.as_bytes())?.unwrap(), hints)
    }

    fn asking(column: &str) -> Hints<'_> {
        let time = TimeHints { column: Some(column), ..TimeHints::default() };
        Hints { time, ..Hints::NONE }
    }

    #[test]
    fn formats_and_headers_are_found() {
        let csv = "id,when,n\n1,2024-01-01T00:00:00Z,5\n2,2024-01-02T00:00:00Z,\n";
        let found = guess("a.csv", csv, &Hints::NONE).unwrap();
        assert_eq!(found.spec["timestampSpec"], json!({ "column": "when", "format": "auto" }));
        assert_eq!(found.spec["inputFormat"]["findColumnsFromHeader"], true);
        assert!(found.decided.contains("first line names the columns"), "{}", found.decided);
        let tsv = csv.replace(',', "\t");
        let found = guess("noname", &tsv, &Hints::NONE).unwrap();
        assert_eq!(found.spec["inputFormat"]["type"], "tsv");
        let (_, bare) = csv.split_once('\n').unwrap();
        let found = guess("a.csv", bare, &Hints::NONE).unwrap();
        let names = json!(["column_1", "column_2", "column_3"]);
        assert_eq!(found.spec["inputFormat"]["columns"], names);
        assert_eq!(found.spec["timestampSpec"]["column"], "column_2");
        assert!(found.decided.contains("without a header"), "{}", found.decided);
        let named = sample("a.csv", csv.as_bytes()).unwrap().unwrap();
        let unnamed = sample("b.csv", bare.as_bytes()).unwrap().unwrap();
        let error = check_alike(&unnamed, &named, &Hints::NONE).unwrap_err().to_string();
        assert!(error.contains("a.csv names") && error.contains("b.csv does not"), "{error}");
        assert!(check_alike(&named, &named, &Hints::NONE).is_ok());
        let given = Hints { header: HeaderChoice::Given, ..Hints::NONE };
        let found = guess("a.csv", bare, &given).unwrap();
        assert_eq!(found.spec["inputFormat"]["findColumnsFromHeader"], true);
        let bars = Hints { delimiter: Some('|'), ..Hints::NONE };
        let found = guess("a.txt", "t|a,b\n2024-01-01|1,2\n", &bars).unwrap();
        assert_eq!(found.spec["inputFormat"]["delimiter"], "|");
    }

    #[test]
    fn packed_files_are_looked_into_and_empty_ones_are_none() {
        let csv = b"when,n\n2024-01-01,5\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, csv).unwrap();
        let packed = sample("a.csv", &gzip.finish().unwrap()).unwrap().unwrap();
        assert_eq!((packed.bytes.as_slice(), packed.format), (&csv[..], Format::Csv));
        for nothing in [&b""[..], b"\n \n", b"\xef\xbb\xbf"] {
            assert!(sample("a.csv", nothing).unwrap().is_none());
        }
    }

    #[test]
    fn the_time_is_named_and_stays_a_column() {
        let json_lines = "{\"a\":1700000000,\"time\":1700000000000,\"tags\":[\"x\",\"y\"]}";
        let found = guess("a.json", json_lines, &Hints::NONE).unwrap();
        assert_eq!(found.spec["timestampSpec"], json!({ "column": "time", "format": "auto" }));
        assert_eq!(found.spec["dimensionsSpec"]["dimensions"][0]["name"], "time");
        assert!(found.decided.contains("stays a column"), "{}", found.decided);
        let found = guess("a.json", json_lines, &asking("a")).unwrap().spec;
        assert_eq!(found["timestampSpec"], json!({ "column": "a", "format": "auto" }));
        let dropped = Hints { keeps_time_column: false, ..Hints::NONE };
        let found = guess("a.json", json_lines, &dropped).unwrap().spec;
        assert!(found["dimensionsSpec"].get("dimensions").is_none());
        let refused = guess("a.json", "{\"a\":\"x\"}", &asking("b")).unwrap_err();
        assert!(format!("{refused:#}").contains("only a"));
        let timeless = guess("a.json", "{\"a\":\"x\"}", &Hints::NONE).unwrap();
        assert!(timeless.decided.contains("NO COLUMN IS A TIME"), "{}", timeless.decided);
        assert_eq!(timeless.spec["timestampSpec"]["missingValue"], "2000-01-01T00:00:00.000Z");
        let german = guess("a.csv", "time;n\n01.02.2026;5\n", &Hints::NONE).unwrap();
        assert_eq!(german.spec["timestampSpec"]["format"], "dd.MM.yyyy");
        assert!(sample("a.bin", b"nothing").unwrap_err().to_string().contains("format"));
    }
}
