//! The text of a statement to what it sets and the query that it asks.

mod bounds;
mod depth;
mod infix;
mod lexer;
mod settings;
#[cfg(test)]
mod tests;

use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use serde_json::{Map, Value};

use crate::error::{Result, SqlError};
use crate::limits::{Size, StatementLimits};
use crate::watch::Held;

pub(crate) use lexer::DruidSyntax;

/// What the parser needs of the stack before it grows it.
const LEAST_STACK_BYTES: usize = 256 << 10;
/// What freeing a level of a tree takes of the stack; a token makes at most one.
const STACK_BYTES_OF_A_TOKEN: usize = 512;

/// A statement, read but not yet understood.
#[derive(Debug)]
pub(crate) struct Statement {
    /// What `SET name = value;` said, the last of each name.
    pub settings: Map<String, Value>,
    /// Whether it begins with `EXPLAIN PLAN FOR`.
    pub explain: bool,
    /// How many `?` there are; they are named `$1`, `$2`, … in the query.
    pub parameters: usize,
    /// Words and marks of the text.
    pub words: usize,
    /// What is asked.
    pub query: Box<Query>,
}

/// Reads one statement behind any number of `SET`s; `held` is what reading takes.
///
/// # Errors
/// When the text is too large, too deeply nested or not a query, with the place where that shows.
pub(crate) fn read(text: &str, limits: &StatementLimits, held: &mut Held) -> Result<Statement> {
    held.set(bounds::check_length(text, limits)?)?;
    let mut tokens = lexer::tokens(text)?;
    let parameters = lexer::number_parameters(&mut tokens);
    bounds::check(&tokens, limits)?;
    let words = tokens.len();
    held.set(Size::default().planning_bytes(words))?;
    let mut parts: Vec<Vec<TokenWithSpan>> = split(tokens);
    let Some(body) = parts.pop() else {
        return Err(SqlError::invalid("the statement is empty; write SELECT …"));
    };
    let settings = settings::read(&parts)?;
    let (explain, body) = without_explain(body)?;
    Ok(Statement { settings, explain, parameters, words, query: query(body)? })
}

/// Reads a statement within the usual limits.
#[cfg(test)]
pub(crate) fn parse(text: &str) -> Result<Statement> {
    let watch: std::sync::Arc<dyn crate::watch::Watch> = std::sync::Arc::new(crate::Unwatched);
    read(text, &StatementLimits::default(), &mut Held::nothing(&watch))
}

/// The parts between semicolons that say something.
fn split(tokens: Vec<TokenWithSpan>) -> Vec<Vec<TokenWithSpan>> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match (&token.token, parts.last_mut()) {
            (Token::SemiColon, _) | (_, None) => parts.push(Vec::new()),
            (_, Some(part)) => part.push(token),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn without_explain(mut body: Vec<TokenWithSpan>) -> Result<(bool, Vec<TokenWithSpan>)> {
    if !lexer::is_word(body.first(), "EXPLAIN") {
        return Ok((false, body));
    }
    if lexer::is_word(body.get(1), "PLAN") && lexer::is_word(body.get(2), "FOR") {
        body.drain(..3);
        return Ok((true, body));
    }
    Err(lexer::at(SqlError::invalid("EXPLAIN is written EXPLAIN PLAN FOR SELECT …"), body.get(1)))
}

fn query(body: Vec<TokenWithSpan>) -> Result<Box<Query>> {
    let first = body.first().cloned();
    let known =
        ["SELECT", "WITH", "VALUES"].iter().any(|word| lexer::is_word(first.as_ref(), word));
    let in_parentheses = matches!(first.as_ref().map(|token| &token.token), Some(Token::LParen));
    if !known && !in_parentheses {
        return Err(lexer::at(not_a_query(first.as_ref()), first.as_ref()));
    }
    // A chain of operators is as deep as it is long until it is refused, and freeing it takes a call a level.
    let stack_bytes = LEAST_STACK_BYTES + body.len() * STACK_BYTES_OF_A_TOKEN;
    stacker::maybe_grow(stack_bytes, stack_bytes, || parsed(body))
}

fn parsed(body: Vec<TokenWithSpan>) -> Result<Box<Query>> {
    let mut parser = Parser::new(&DruidSyntax)
        .with_recursion_limit(bounds::PARSER_DEPTH)
        .with_tokens_with_locations(body);
    let query = parser.parse_query().map_err(syntax_error)?;
    depth::check(&query)?;
    match parser.peek_token().token {
        Token::EOF => Ok(query),
        _ => {
            let rest = parser.peek_token();
            let message = format!("'{}' is not expected here", rest.token);
            Err(lexer::at(SqlError::invalid(message), Some(&rest)))
        }
    }
}

fn not_a_query(first: Option<&TokenWithSpan>) -> SqlError {
    let word = first.map_or_else(String::new, |token| token.token.to_string());
    if ["INSERT", "REPLACE"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
        return SqlError::unsupported(format!(
            "{word} is not supported; load files with henge ingest or POST /druid/indexer/v1/task, and push events to \
             /v1/datasources/NAME/events"
        ));
    }
    if ["SHOW", "DESCRIBE", "DESC"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
        return SqlError::unsupported(format!(
            "{word} is not supported; tables are listed by SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES, their \
             columns by SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = '…'"
        ));
    }
    if ["DROP", "DELETE", "TRUNCATE"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
        return SqlError::unsupported(format!(
            "{word} is not supported; henge datasource drop NAME takes away a datasource, or an interval of it"
        ));
    }
    SqlError::invalid(format!(
        "'{word}' does not begin a statement; write SELECT, WITH, VALUES, EXPLAIN PLAN FOR or SET"
    ))
}

/// The parser's error, with its place taken out of its text.
fn syntax_error(error: ParserError) -> SqlError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return SqlError::new(
                henge_types::ErrorClass::ResourceLimit,
                "the statement is nested too deeply; use WITH or fewer parentheses",
            );
        }
    };
    let Some((message, place)) = text.rsplit_once(" at Line: ") else {
        return SqlError::invalid(text);
    };
    let mut numbers = place.split(", Column: ").map(|number| number.trim().parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(line), Some(column)) => SqlError::invalid(message).at(line, column),
        _ => SqlError::invalid(text),
    }
}
