//! What one statement may ask of the planner: told from its tokens, before anything grows with them.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use henge_types::ErrorClass;

use super::lexer::{at, is_word};
use crate::error::{Result, SqlError};

/// Bytes of a text: longer ones carry data that belongs into a lookup or a parameter.
const MAX_TEXT_BYTES: usize = 16 << 20;
/// Tokens: a list of half a million values.
const MAX_TOKENS: usize = 1_000_000;
/// How deep the parser may nest; it grows its stack as it goes.
pub(super) const PARSER_DEPTH: usize = 200;
/// Parentheses, subqueries and CASEs in one another, together with the operators before each.
/// Trees of expressions are about as deep, and not everything that walks them grows its stack.
const MAX_DEPTH: usize = 1_000;
/// UNION, INTERSECT and EXCEPT in one statement.
const MAX_SET_OPERATIONS: usize = 200;

/// Refuses what is too long to be looked at.
pub(super) fn check_length(text: &str) -> Result<()> {
    if text.len() <= MAX_TEXT_BYTES {
        return Ok(());
    }
    Err(too_much(format!(
        "the statement has {} bytes, at most {MAX_TEXT_BYTES} are read; pass long lists as a \
         parameter of type ARRAY",
        text.len()
    )))
}

/// Refuses what would become too deep or too wide.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    if tokens.len() > MAX_TOKENS {
        return Err(too_much(format!(
            "the statement has {} words, at most {MAX_TOKENS} are read; pass long lists as a \
             parameter of type ARRAY: SCALAR_IN_ARRAY(x, ?)",
            tokens.len()
        )));
    }
    check_depth(tokens)?;
    let set_operations = tokens.iter().filter(|token| {
        ["UNION", "INTERSECT", "EXCEPT"].iter().any(|word| is_word(Some(token), word))
    });
    match set_operations.count() {
        0..=MAX_SET_OPERATIONS => Ok(()),
        count => Err(too_much(format!(
            "the statement has {count} UNION, INTERSECT or EXCEPT, at most {MAX_SET_OPERATIONS} \
             are planned; tables are read together by TABLE(APPEND('a', 'b'))"
        ))),
    }
}

/// What a token does to the depth of the tree that comes of it.
enum Step {
    In,
    Out,
    /// One more operator around what was read in this row.
    Around,
    /// Whatever was read in this row is a neighbour of what follows. AND and OR are such: the
    /// dialect makes flat trees of their chains.
    Beside,
    Nothing,
}

fn step(token: &TokenWithSpan) -> Step {
    let is_one_of = |words: &[&str]| words.iter().any(|word| is_word(Some(token), word));
    match &token.token {
        Token::LParen | Token::LBracket => Step::In,
        Token::RParen | Token::RBracket => Step::Out,
        Token::Comma => Step::Beside,
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod => Step::Around,
        Token::StringConcat | Token::Eq | Token::Neq | Token::Lt | Token::Gt => Step::Around,
        Token::Word(word) if word.keyword == Keyword::NoKeyword => Step::Nothing,
        Token::Word(_) if is_one_of(&["CASE"]) => Step::In,
        Token::Word(_) if is_one_of(&["END"]) => Step::Out,
        Token::Word(_) if is_one_of(&["NOT", "IS", "JOIN"]) => Step::Around,
        Token::Word(_) if is_one_of(&["AND", "OR", "SELECT", "FROM", "WHERE"]) => Step::Beside,
        _ => Step::Nothing,
    }
}

fn check_depth(tokens: &[TokenWithSpan]) -> Result<()> {
    // The operators of each row that is open, and their sum.
    let (mut rows, mut operators) = (vec![0_usize], 0);
    for token in tokens {
        match step(token) {
            Step::In => rows.push(0),
            Step::Out => operators -= rows.pop().unwrap_or(0),
            Step::Around => {
                operators += 1;
                *row(&mut rows) += 1;
            }
            Step::Beside => operators -= std::mem::take(row(&mut rows)),
            Step::Nothing => {}
        }
        if rows.len() + operators > MAX_DEPTH {
            let message = format!(
                "the statement is nested more than {MAX_DEPTH} levels deep (parentheses and \
                 operators in a row count); take it apart by WITH"
            );
            return Err(at(too_much(message), Some(token)));
        }
    }
    Ok(())
}

/// The row that is open; the outermost one begins anew where more was closed than opened.
fn row(rows: &mut Vec<usize>) -> &mut usize {
    if rows.is_empty() {
        rows.push(0);
    }
    let last = rows.len() - 1;
    &mut rows[last]
}

fn too_much(message: String) -> SqlError {
    SqlError::new(ErrorClass::ResourceLimit, message)
}
