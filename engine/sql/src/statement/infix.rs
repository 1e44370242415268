//! Operators of words that the parser reads otherwise than Druid does.

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::{Dialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::DruidSyntax;
use crate::dialect;

/// `left IS [NOT] DISTINCT FROM right`, where the right side ends before AND and OR.
pub(super) fn distinct_from(
    parser: &mut Parser<'_>,
    left: &Expr,
    precedence: u8,
) -> Option<Result<Expr, ParserError>> {
    use Keyword::{DISTINCT, FROM, IS, NOT};
    let left = || Box::new(left.clone());
    if parser.parse_keywords(&[IS, NOT, DISTINCT, FROM]) {
        let right = parser.parse_subexpr(precedence);
        return Some(right.map(|right| Expr::IsNotDistinctFrom(left(), Box::new(right))));
    }
    if parser.parse_keywords(&[IS, DISTINCT, FROM]) {
        let right = parser.parse_subexpr(precedence);
        return Some(right.map(|right| Expr::IsDistinctFrom(left(), Box::new(right))));
    }
    None
}

/// `POSITION(part IN text FROM first)`, where FROM may be left out.
pub(super) fn position_from(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    // A column may be called so.
    if !parser.peek_keyword(Keyword::POSITION) || parser.peek_nth_token(1).token != Token::LParen {
        return None;
    }
    Some(position(parser))
}

fn position(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    parser.expect_keyword(Keyword::POSITION)?;
    parser.expect_token(&Token::LParen)?;
    let part = parser.parse_subexpr(DruidSyntax.prec_value(Precedence::Between))?;
    parser.expect_keyword(Keyword::IN)?;
    let text = parser.parse_expr()?;
    let first = match parser.parse_keyword(Keyword::FROM) {
        true => Some(parser.parse_expr()?),
        false => None,
    };
    parser.expect_token(&Token::RParen)?;
    Ok(match first {
        Some(first) => dialect::position(part, text, first),
        None => Expr::Position { expr: Box::new(part), r#in: Box::new(text) },
    })
}
