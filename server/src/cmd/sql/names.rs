//! What can be completed: tables, columns, functions and words of SQL.

use super::ask::{Question, ask, new_id};
use crate::cmd::http::{Client, HttpError};

const KEYWORDS: &str = "SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET DISTINCT AS AND OR NOT IN IS NULL LIKE \
    BETWEEN CASE WHEN THEN ELSE END CAST JOIN INNER LEFT RIGHT FULL CROSS ON USING UNION ALL WITH EXISTS VALUES \
    EXPLAIN PLAN FOR OVER PARTITION ROWS RANGE FILTER GROUPING SETS ROLLUP CUBE UNNEST INTERVAL TIMESTAMP DATE ASC \
    DESC NULLS FIRST LAST TRUE FALSE SET ESCAPE EXTRACT SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR";

/// Those that servers of all releases have; the server may know more.
const FUNCTIONS: &str = "COUNT SUM MIN MAX AVG APPROX_COUNT_DISTINCT APPROX_COUNT_DISTINCT_DS_HLL \
    APPROX_COUNT_DISTINCT_DS_THETA APPROX_QUANTILE_DS EARLIEST LATEST ANY_VALUE ARRAY_AGG STRING_AGG TIME_FLOOR \
    TIME_CEIL TIME_SHIFT TIME_EXTRACT TIME_PARSE TIME_FORMAT TIME_IN_INTERVAL DATE_TRUNC FLOOR CEIL TIMESTAMPADD \
    TIMESTAMPDIFF MILLIS_TO_TIMESTAMP TIMESTAMP_TO_MILLIS CURRENT_TIMESTAMP CURRENT_DATE COALESCE NULLIF NVL \
    GREATEST LEAST CONCAT LENGTH LOWER UPPER SUBSTRING TRIM REPLACE REGEXP_EXTRACT REGEXP_LIKE REGEXP_REPLACE LOOKUP \
    POSITION ROUND ABS SQRT POWER LN LOG10 MOD SAFE_DIVIDE ROW_NUMBER RANK DENSE_RANK LAG LEAD FIRST_VALUE \
    LAST_VALUE MV_TO_ARRAY MV_CONTAINS MV_FILTER_ONLY ARRAY_CONTAINS ARRAY_LENGTH JSON_VALUE JSON_QUERY";

/// The names that a server knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// As a statement writes them: with their schema unless it is that of datasources.
    tables: Vec<String>,
    /// Table and column.
    columns: Vec<(String, String)>,
    functions: Vec<String>,
}

impl Names {
    /// Asks a server.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn of(client: &Client) -> Result<Self, HttpError> {
        let listed = "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS";
        let mut names = Self::default();
        for row in texts(client, listed)? {
            let [schema, table, column] = &row[..] else { continue };
            let table = match &**schema {
                "druid" => quoted(table),
                schema => format!("{}.{}", quoted(schema), quoted(table)),
            };
            if names.tables.last() != Some(&table) {
                names.tables.push(table.clone());
            }
            names.columns.push((table, quoted(column)));
        }
        names.tables.sort();
        names.tables.dedup();
        // Servers may have no list of their functions.
        let functions = texts(client, "SELECT ROUTINE_NAME FROM INFORMATION_SCHEMA.ROUTINES");
        let known = FUNCTIONS.split_whitespace().map(str::to_owned);
        names.functions =
            functions.unwrap_or_default().into_iter().flatten().chain(known).collect();
        names.functions.sort();
        names.functions.dedup();
        Ok(names)
    }

    /// Where the word that ends a text begins, and what it may become.
    pub(super) fn complete(&self, text: &str) -> (usize, Vec<String>) {
        let begin = word_begin(text);
        let word = &text[begin..];
        let fits = |name: &str| begins_with(name, word);
        let used: Vec<&String> = self.tables.iter().filter(|table| mentions(text, table)).collect();
        let mut found: Vec<String> = Vec::new();
        let of_used = self.columns.iter().filter(|(table, _)| used.contains(&table));
        found.extend(of_used.map(|(_, column)| column.clone()).filter(|name| fits(name)));
        found.extend(self.tables.iter().filter(|name| fits(name)).cloned());
        if used.is_empty() && !word.is_empty() {
            let all = self.columns.iter().map(|(_, column)| column.clone());
            found.extend(all.filter(|name| fits(name)));
        }
        if !word.is_empty() && !word.starts_with('"') {
            let functions = self.functions.iter().filter(|name| fits(name));
            found.extend(functions.map(|name| format!("{}(", as_typed(name, word))));
            let keywords = KEYWORDS.split_whitespace().filter(|name| fits(name));
            found.extend(keywords.map(|name| as_typed(name, word)));
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|name| seen.insert(name.clone()));
        (begin, found)
    }
}

fn texts(client: &Client, text: &str) -> Result<Vec<Vec<String>>, HttpError> {
    let mut answer = ask(client, Question { text, ..Question::default() }, &new_id())?;
    let mut rows = Vec::new();
    while let Some(row) = answer.next()? {
        rows.push(row.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect());
    }
    Ok(rows)
}

fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// A name as a statement writes it: in quotes unless it is plain.
fn quoted(name: &str) -> String {
    let begins_plainly = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    let is_word = KEYWORDS.split_whitespace().any(|word| word.eq_ignore_ascii_case(name));
    match begins_plainly && name.chars().all(is_plain) && !is_word {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// The word may begin with a quote, and have the schema of a table in front.
fn word_begin(text: &str) -> usize {
    if text.matches('"').count() % 2 == 1 {
        return text.rfind('"').unwrap_or_default();
    }
    let word = text.chars().rev().take_while(|letter| is_plain(*letter) || *letter == '.');
    text.len() - word.map(char::len_utf8).sum::<usize>()
}

fn begins_with(name: &str, word: &str) -> bool {
    let name = if word.starts_with('"') { name } else { name.trim_start_matches('"') };
    let mut name = name.chars().flat_map(char::to_lowercase);
    word.chars().flat_map(char::to_lowercase).all(|letter| name.next() == Some(letter))
}

/// Whether a text has a name, not as a part of another.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(place, _)| {
        let before = text[..place].chars().next_back();
        let after = text[place + name.len()..].chars().next();
        !before.is_some_and(is_plain) && !after.is_some_and(is_plain)
    })
}

/// A word of SQL in small letters where it was begun in small letters.
fn as_typed(name: &str, word: &str) -> String {
    match word.starts_with(char::is_lowercase) {
        true => name.to_lowercase(),
        false => name.to_owned(),
    }
}

/// The tables of a server, for `\d`.
pub(super) const TABLES: &str = "SELECT TABLE_SCHEMA AS \"schema\", TABLE_NAME AS \"table\", TABLE_TYPE AS \"type\" \
     FROM INFORMATION_SCHEMA.TABLES ORDER BY 1, 2";

/// The columns of a table, for `\d TABLE`.
pub(super) fn columns_of(schema: &str, table: &str) -> String {
    let text = |value: &str| format!("'{}'", value.replace('\'', "''"));
    format!(
        "SELECT COLUMN_NAME AS \"column\", DATA_TYPE AS \"type\", IS_NULLABLE AS \"nullable\" \
         FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
         ORDER BY ORDINAL_POSITION",
        text(schema),
        text(table)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let column = |table: &str, name: &str| (table.to_owned(), name.to_owned());
        Names {
            tables: vec!["wikipedia".into(), "sys.segments".into(), "\"my table\"".into()],
            columns: vec![
                column("wikipedia", "channel"),
                column("wikipedia", "\"user\""),
                column("sys.segments", "size"),
            ],
            functions: vec!["COUNT".into(), "CONCAT".into()],
        }
    }

    #[test]
    fn columns_of_the_tables_that_are_mentioned_come_first() {
        let names = names();
        let text = "SELECT c FROM wikipedia WHERE c";
        let (begin, found) = names.complete(text);
        assert_eq!(begin, text.len() - 1);
        let expected = ["channel", "count(", "concat(", "case", "cast", "cross", "cube"];
        assert_eq!(found, expected);
        assert_eq!(names.complete("FROM wik").1, ["wikipedia"]);
        assert_eq!(names.complete("FROM sys.s").1, ["sys.segments"]);
        assert_eq!(names.complete("FROM my").1, ["\"my table\""]);
        let (begin, found) = names.complete("SELECT \"us");
        assert_eq!((begin, found), (7, vec!["\"user\"".to_owned()]));
        assert_eq!(names.complete("SELECT COU").1, ["COUNT("]);
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        assert_eq!(quoted("channel"), "channel");
        assert_eq!(["my table", "2nd", "order", "a\"b"].map(quoted), {
            ["\"my table\"", "\"2nd\"", "\"order\"", "\"a\"\"b\""]
        });
        assert!(columns_of("druid", "it's").contains("TABLE_NAME = 'it''s'"));
    }
}
