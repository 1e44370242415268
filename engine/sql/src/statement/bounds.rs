//! What one statement may ask of the planner: told from its tokens, before anything grows with them.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use henge_types::ErrorClass;

use super::lexer::{at, is_word};
use crate::error::{Result, SqlError};
use crate::limits::{StatementLimits, too_much};

/// Tokens for each word that a statement may have: spaces are such, too, until they are left out.
const TOKENS_A_WORD: usize = 4;
/// What a token takes.
const TOKEN_BYTES: usize = size_of::<TokenWithSpan>();
/// What to do about lists that are too long.
const PASS_AS_ARRAY: &str = "pass long lists as a parameter of type ARRAY: SCALAR_IN_ARRAY(x, ?)";
/// How deep the parser may nest; it grows its stack as it goes.
pub(super) const PARSER_DEPTH: usize = 200;
/// Parentheses, subqueries and CASEs in one another, together with the operators before each.
/// Trees of expressions are about as deep. The planner asks for the type of each of their nodes, and is told by all that
/// are below it, with their names: what it takes grows with the third power of the depth.
pub(super) const MAX_DEPTH: usize = henge_expr::MAX_DEPTH;
/// UNION, INTERSECT and EXCEPT in one statement.
const MAX_SET_OPERATIONS: usize = 200;

/// AND in one statement. The planner hangs the conditions of all levels that it can put together one below the
/// other, and makes ANDs of the ORs behind a NOT.
const MAX_CONJUNCTIONS: usize = 2_000;
/// OR in one statement: a chain of them is as deep as it is long until the dialect has made it flat.
const MAX_ALTERNATIVES: usize = 10_000;

/// Refuses what is too long to be looked at, and says how many bytes its tokens take at most.
pub(super) fn check_length(text: &str, limits: &StatementLimits) -> Result<usize> {
    let most = limits.max_text_bytes;
    if text.len() > most {
        let what = format!("has {} bytes", text.len());
        return Err(too_much(&what, most, "max_text_bytes", PASS_AS_ARRAY));
    }
    let (tokens, most) = (most_tokens(text), limits.max_words.saturating_mul(TOKENS_A_WORD));
    if tokens > most {
        let what = format!("has {tokens} words, marks and spaces");
        return Err(too_much(&what, most, "max_words", PASS_AS_ARRAY));
    }
    Ok(tokens.saturating_mul(TOKEN_BYTES))
}

/// At least as many tokens as a text has, whatever is quoted in it.
fn most_tokens(text: &str) -> usize {
    #[derive(Clone, Copy, PartialEq)]
    enum Kind {
        Digit,
        Letter,
        Single,
    }
    let (mut count, mut before) = (0, Kind::Single);
    for byte in text.bytes() {
        let kind = match byte {
            b'0'..=b'9' => Kind::Digit,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Kind::Letter,
            // The rest of a character that was counted.
            0x80..=0xBF => continue,
            _ => Kind::Single,
        };
        if kind == Kind::Single || kind != before {
            count += 1;
        }
        before = kind;
    }
    count
}

/// Refuses what would become too deep or too wide.
pub(super) fn check(tokens: &[TokenWithSpan], limits: &StatementLimits) -> Result<()> {
    if tokens.len() > limits.max_words {
        let what = format!("has {} words and marks", tokens.len());
        return Err(too_much(&what, limits.max_words, "max_words", PASS_AS_ARRAY));
    }
    check_depth(tokens)?;
    check_conditions(tokens)?;
    let set_operations = tokens.iter().filter(|token| {
        ["UNION", "INTERSECT", "EXCEPT"].iter().any(|word| is_word(Some(token), word))
    });
    match set_operations.count() {
        0..=MAX_SET_OPERATIONS => Ok(()),
        count => Err(refused(format!(
            "the statement has {count} UNION, INTERSECT or EXCEPT, at most {MAX_SET_OPERATIONS} \
             are planned; tables are read together by TABLE(APPEND('a', 'b'))"
        ))),
    }
}

fn check_conditions(tokens: &[TokenWithSpan]) -> Result<()> {
    let count = |word: &str| tokens.iter().filter(|token| is_word(Some(token), word)).count();
    let is_not = |two: &[TokenWithSpan]| {
        is_word(two.first(), "NOT") && matches!(two[1].token, Token::LParen)
    };
    let alternatives = count("OR");
    let negated = if tokens.windows(2).any(is_not) { alternatives } else { 0 };
    let conjunctions = count("AND") + negated;
    let instead = "lists of values belong into IN and NOT IN";
    if conjunctions > MAX_CONJUNCTIONS {
        return Err(refused(format!(
            "the statement has {conjunctions} AND, with OR behind NOT, at most {MAX_CONJUNCTIONS} are planned; \
             {instead}"
        )));
    }
    if alternatives > MAX_ALTERNATIVES {
        return Err(refused(format!(
            "the statement has {alternatives} OR, at most {MAX_ALTERNATIVES} are planned; {instead}"
        )));
    }
    Ok(())
}

/// What a token does to the depth of the tree that comes of it.
enum Step {
    In,
    Out,
    /// The end of an index or of a type of arrays, which is around what stands before it.
    OutAround,
    /// One more operator around what was read in this row.
    Around,
    /// Whatever was read in this row is a neighbour of what follows. AND and OR are such: the
    /// dialect makes flat trees of their chains.
    Beside,
    Nothing,
}

/// Words between two operands, or around one.
const OPERATORS: [&str; 17] = [
    "NOT", "IS", "JOIN", "LIKE", "ILIKE", "SIMILAR", "RLIKE", "REGEXP", "BETWEEN", "IN", "AT",
    "COLLATE", "DIV", "XOR", "OVERLAPS", "OPERATOR", "MEMBER",
];
/// Words after which another expression begins that is no part of the one before.
const SEPARATORS: [&str; 10] =
    ["AND", "OR", "SELECT", "FROM", "WHERE", "WHEN", "THEN", "ELSE", "HAVING", "BY"];

fn step(token: &TokenWithSpan) -> Step {
    let is_one_of = |words: &[&str]| words.iter().any(|word| is_word(Some(token), word));
    match &token.token {
        Token::LParen | Token::LBracket | Token::LBrace => Step::In,
        Token::RParen | Token::RBrace => Step::Out,
        Token::RBracket => Step::OutAround,
        Token::Comma => Step::Beside,
        Token::Word(word) if word.keyword == Keyword::NoKeyword => Step::Nothing,
        Token::Word(_) if is_one_of(&["CASE"]) => Step::In,
        Token::Word(_) if is_one_of(&["END"]) => Step::Out,
        Token::Word(_) if is_one_of(&OPERATORS) => Step::Around,
        Token::Word(_) if is_one_of(&SEPARATORS) => Step::Beside,
        Token::Word(_) | Token::Number(..) | Token::Placeholder(_) => Step::Nothing,
        Token::SingleQuotedString(_) | Token::UnicodeStringLiteral(_) => Step::Nothing,
        Token::Period | Token::SemiColon => Step::Nothing,
        // Whatever else there is may be an operator.
        _ => Step::Around,
    }
}

fn check_depth(tokens: &[TokenWithSpan]) -> Result<()> {
    // The operators of each row that is open, and their sum.
    let (mut rows, mut operators) = (vec![0_usize], 0);
    for token in tokens {
        match step(token) {
            Step::In => rows.push(0),
            Step::Out => operators -= rows.pop().unwrap_or(0),
            Step::Around => around(&mut rows, &mut operators),
            Step::OutAround => {
                operators -= rows.pop().unwrap_or(0);
                around(&mut rows, &mut operators);
            }
            Step::Beside => operators -= std::mem::take(row(&mut rows)),
            Step::Nothing => {}
        }
        if rows.len() + operators > MAX_DEPTH {
            return Err(at(too_deep(), Some(token)));
        }
    }
    Ok(())
}

fn around(rows: &mut Vec<usize>, operators: &mut usize) {
    *operators += 1;
    *row(rows) += 1;
}

/// The row that is open; the outermost one begins anew where more was closed than opened.
fn row(rows: &mut Vec<usize>) -> &mut usize {
    if rows.is_empty() {
        rows.push(0);
    }
    let last = rows.len() - 1;
    &mut rows[last]
}

/// What is said of a statement that is too deep.
pub(super) fn too_deep() -> SqlError {
    refused(format!(
        "the statement is nested more than {MAX_DEPTH} levels deep (parentheses and operators in a row count); \
         take it apart by WITH"
    ))
}

fn refused(message: String) -> SqlError {
    SqlError::new(ErrorClass::ResourceLimit, message)
}
