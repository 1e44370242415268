//! Text to tokens, by Druid's rules of writing.

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Tokenizer};

use super::infix;
use crate::error::{Result, SqlError};

/// How Druid's SQL is written: names in double quotes, texts in single ones, `U&'\00e9'`.
#[derive(Debug)]
pub(crate) struct DruidSyntax;

impl Dialect for DruidSyntax {
    fn parse_prefix(
        &self,
        parser: &mut Parser<'_>,
    ) -> Option<std::result::Result<Expr, ParserError>> {
        infix::position_from(parser)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<std::result::Result<Expr, ParserError>> {
        infix::distinct_from(parser, left, precedence)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_subquery_as_function_arg(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }
}

/// The tokens of a text, without spaces and comments.
///
/// # Errors
/// When a text, name or comment in it has no end.
pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>> {
    let tokens = Tokenizer::new(&DruidSyntax, text).tokenize_with_location().map_err(|error| {
        SqlError::invalid(error.message).at(error.location.line, error.location.column)
    })?;
    let mut kept: Vec<TokenWithSpan> = tokens
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .collect();
    write_array_types_with_brackets(&mut kept);
    list_pairs(&mut kept);
    complete_trims(&mut kept);
    Ok(kept)
}

/// Numbers the marks of parameters: `?` becomes `$1`, `$2`, …; returns how many there are.
pub(super) fn number_parameters(tokens: &mut [TokenWithSpan]) -> usize {
    let mut count = 0;
    for token in tokens {
        if let Token::Placeholder(mark) = &mut token.token
            && mark == "?"
        {
            count += 1;
            *mark = format!("${count}");
        }
    }
    count
}

/// `JSON_OBJECT('a': x)` and `JSON_OBJECT(KEY 'a' VALUE x)` as `JSON_OBJECT('a', x)`: the parser tells names of arguments
/// from arguments by reading both, and what is nested in them twice as often at each level.
fn list_pairs(tokens: &mut Vec<TokenWithSpan>) {
    // Of each open parenthesis whether it is that of a JSON_OBJECT.
    let mut open = Vec::new();
    let (mut dropped, mut commas) = (Vec::with_capacity(tokens.len()), Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => {
                open.push(at > 0 && is_word(tokens.get(at - 1), "JSON_OBJECT"));
            }
            Token::RParen => {
                open.pop();
            }
            _ => {}
        }
        let is_pair = open.last() == Some(&true);
        dropped.push(is_pair && announces_name(tokens, at));
        if is_pair && (token.token == Token::Colon || parts_name_and_value(tokens, at)) {
            commas.push(at);
        }
    }
    for at in commas {
        tokens[at].token = Token::Comma;
    }
    let mut dropped = dropped.into_iter();
    tokens.retain(|_| !dropped.next().unwrap_or(false));
}

/// Whether VALUE at a place stands between two expressions, and is no column itself.
fn parts_name_and_value(tokens: &[TokenWithSpan], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let begins = matches!(before.map(|token| &token.token), Some(Token::LParen | Token::Comma));
    let ends = matches!(
        tokens.get(at + 1).map(|token| &token.token),
        None | Some(Token::RParen | Token::Comma)
    );
    is_word(tokens.get(at), "VALUE") && !begins && !ends
}

/// Whether KEY at a place stands before the name of a field, and is no column itself.
fn announces_name(tokens: &[TokenWithSpan], at: usize) -> bool {
    let is_first = matches!(
        at.checked_sub(1).and_then(|before| tokens.get(before)).map(|token| &token.token),
        Some(Token::LParen | Token::Comma)
    );
    let next = tokens.get(at + 1);
    let is_followed = match next.map(|token| &token.token) {
        Some(Token::SingleQuotedString(_) | Token::LParen | Token::Placeholder(_)) => true,
        Some(Token::Word(_)) => !is_word(next, "VALUE"),
        _ => false,
    };
    is_first && is_followed && is_word(tokens.get(at), "KEY")
}

/// `BIGINT ARRAY` in a cast as the parser knows it: `BIGINT[]`.
fn write_array_types_with_brackets(tokens: &mut Vec<TokenWithSpan>) {
    let types = ["VARCHAR", "BIGINT", "DOUBLE", "FLOAT", "INTEGER", "CHAR", "BOOLEAN", "TIMESTAMP"];
    let mut at = 1;
    while at + 1 < tokens.len() {
        let is_type = types.iter().any(|name| is_word(tokens.get(at - 1), name));
        let ends = matches!(tokens[at + 1].token, Token::RParen);
        if is_type && ends && is_word(tokens.get(at), "ARRAY") {
            let span = tokens[at].span;
            tokens[at].token = Token::LBracket;
            tokens.insert(at + 1, TokenWithSpan { token: Token::RBracket, span });
        }
        at += 1;
    }
}

/// `TRIM(x FROM y)` and `TRIM(LEADING FROM y)` with the words that the parser wants: BOTH, and a space.
fn complete_trims(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at + 2 < tokens.len() {
        let opens = is_word(tokens.get(at), "TRIM") && tokens[at + 1].token == Token::LParen;
        at += 1;
        if !opens {
            continue;
        }
        let span = tokens[at].span;
        let first = tokens.get(at + 1);
        if ["BOTH", "LEADING", "TRAILING"].iter().any(|word| is_word(first, word)) {
            if is_word(tokens.get(at + 2), "FROM") {
                let token = Token::SingleQuotedString(" ".to_owned());
                tokens.insert(at + 2, TokenWithSpan { token, span });
            }
        } else if has_from(&tokens[at + 1..]) {
            tokens.insert(at + 1, TokenWithSpan { token: Token::make_keyword("BOTH"), span });
        }
    }
}

/// Whether FROM stands before the parenthesis that is open is closed.
fn has_from(tokens: &[TokenWithSpan]) -> bool {
    let mut depth = 0_usize;
    for token in tokens {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return false,
            Token::RParen => depth -= 1,
            Token::Word(_) if depth == 0 && is_word(Some(token), "FROM") => return true,
            _ => {}
        }
    }
    false
}

/// Whether a token is this word, in any case and without quotes.
pub(crate) fn is_word(token: Option<&TokenWithSpan>, word: &str) -> bool {
    match token.map(|token| &token.token) {
        Some(Token::Word(found)) => {
            found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word)
        }
        _ => false,
    }
}

/// An error at the place of a token.
pub(crate) fn at(error: SqlError, token: Option<&TokenWithSpan>) -> SqlError {
    match token.map(|token| token.span) {
        Some(span) if span != Span::empty() => error.at(span.start.line, span.start.column),
        _ => error,
    }
}
