//! A statement over HTTP, and its rows while they come.

use std::fmt::Write as _;
use std::io::{BufRead, Lines};

use henge_platform::runtime::random;
use serde_json::{Map, Value, json};

use super::super::http::{Client, HttpError, StreamedBody, path_segment};

const PATH: &str = "/druid/v2/sql";

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// `VARCHAR`, `BIGINT`, …
    pub(super) sql_type: String,
}

impl Column {
    /// Whether its values are numbers, which are set to the right.
    pub(super) fn is_number(&self) -> bool {
        const NUMBERS: [&str; 6] = ["BIGINT", "INTEGER", "DOUBLE", "FLOAT", "DECIMAL", "REAL"];
        NUMBERS.contains(&&*self.sql_type)
    }
}

/// The rows of a statement.
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    lines: Lines<StreamedBody>,
    url: String,
    has_ended: bool,
}

/// A statement as it is sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Question<'a> {
    pub(super) text: &'a str,
    pub(super) context: Map<String, Value>,
    /// As the server takes them: `{"type": …, "value": …}`.
    pub(super) parameters: &'a [Value],
}

/// A name for a statement that nobody else has.
pub(super) fn new_id() -> String {
    let mut id = "henge-sql-".to_owned();
    // A text takes everything.
    let _ = write!(id, "{:032x}", random::<u128>());
    id
}

/// Asks; returns once the columns are known.
///
/// # Errors
/// When the server cannot be asked, or says no.
pub(super) fn ask(client: &Client, question: Question<'_>, id: &str) -> Result<Rows, HttpError> {
    let Question { text, mut context, parameters } = question;
    context.insert("sqlQueryId".to_owned(), id.into());
    // Arrays are shown as such.
    context.entry("sqlStringifyArrays").or_insert(false.into());
    let body = json!({
        "query": text,
        "resultFormat": "arrayLines",
        "header": true,
        "sqlTypesHeader": true,
        "context": context,
        "parameters": parameters,
    });
    let answer = client.post_streamed(PATH, &body)?;
    let url = format!("{}{PATH}", client.base_url());
    let mut rows = Rows { columns: Vec::new(), lines: answer.lines(), url, has_ended: false };
    let mut header = || -> Result<Vec<String>, HttpError> {
        let line = rows.next_line()?.unwrap_or_default();
        serde_json::from_str(&line).map_err(|error| rows.broken(&format!("no header: {error}")))
    };
    let (names, types) = (header()?, header()?);
    let columns = names.into_iter().zip(types).map(|(name, sql_type)| Column { name, sql_type });
    rows.columns = columns.collect();
    Ok(rows)
}

/// Stops a statement. That it is not known any more is no error: it has ended.
///
/// # Errors
/// When the server cannot be asked.
pub(super) fn cancel(client: &Client, id: &str) -> Result<(), HttpError> {
    match client.delete(&format!("{PATH}/{}", path_segment(id))) {
        Err(HttpError::Refused { status: 404, .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Rows {
    /// The next row; none after the last one.
    ///
    /// # Errors
    /// When the answer broke off.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Value>>, HttpError> {
        if self.has_ended {
            return Ok(None);
        }
        match self.next_line()? {
            Some(line) if line.is_empty() => {
                self.has_ended = true;
                Ok(None)
            }
            Some(line) => {
                let row = serde_json::from_str(&line);
                row.map(Some).map_err(|error| self.broken(&format!("no row: {error}")))
            }
            // A whole answer ends with an empty line.
            None => Err(self.broken("the answer broke off: rows are missing")),
        }
    }

    fn next_line(&mut self) -> Result<Option<String>, HttpError> {
        let line = self.lines.next().transpose();
        line.map_err(|error| self.broken(&format!("the answer broke off: {error}")))
    }

    fn broken(&self, reason: &str) -> HttpError {
        HttpError::Broken { url: self.url.clone(), reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fake_server::FakeServer;
    use super::*;

    #[test]
    fn rows_come_with_their_columns_and_a_cut_answer_is_an_error() {
        let server = FakeServer::start();
        let whole = "[\"a\",\"n\"]\n[\"VARCHAR\",\"BIGINT\"]\n[\"x\",1]\n[null,2]\n\n";
        server.on("POST /druid/v2/sql", json!(whole));
        let question = Question { text: "SELECT a, n", ..Question::default() };
        let mut rows = ask(&server.client(), question.clone(), "id").unwrap();
        let types: Vec<bool> = rows.columns.iter().map(Column::is_number).collect();
        assert_eq!(types, [false, true]);
        assert_eq!(rows.next().unwrap().unwrap(), [json!("x"), json!(1)]);
        assert_eq!(rows.next().unwrap().unwrap(), [Value::Null, json!(2)]);
        assert_eq!((rows.next().unwrap(), rows.next().unwrap()), (None, None));
        let body = &server.bodies_of("POST /druid/v2/sql")[0];
        assert_eq!(body["context"], json!({"sqlQueryId": "id", "sqlStringifyArrays": false}));
        server.on("POST /druid/v2/sql", json!(whole.trim_end()));
        let mut rows = ask(&server.client(), question, "id").unwrap();
        rows.next().unwrap();
        rows.next().unwrap();
        assert!(rows.next().unwrap_err().to_string().contains("rows are missing"));
    }

    #[test]
    fn errors_are_the_servers_words() {
        let server = FakeServer::start();
        let refused = json!({"error": "druidException", "errorMessage": "no column 'nope'"});
        server.on_status("POST /druid/v2/sql", 400, refused);
        let error = ask(&server.client(), Question::default(), "id").err().unwrap();
        assert_eq!(error.to_string(), "no column 'nope'");
        // One that is not known any more was answered.
        cancel(&server.client(), "id").unwrap();
        assert_eq!(server.asked()[1].what, "DELETE /druid/v2/sql/id");
    }
}
