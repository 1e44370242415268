//! A Pratt parser over tokens, with a depth limit so that hostile nesting costs an error and never
//! the stack.

use crate::ast::{Ast, BinaryOp, UnaryOp};
use crate::error::{ExprError, Result};
use crate::lexer::{Spanned, Token, tokenize};
use crate::value::ExprValue;

/// The deepest nesting of an expression.
pub const MAX_DEPTH: usize = 128;
/// Parameters of one lambda at most: names are looked up in all of them.
const MAX_PARAMETERS: usize = 64;
/// The longest text of an expression.
pub const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// Binding strengths; `&&` and `||` share one, as in Druid's grammar.
const POWER: u8 = 5;
const PRODUCT: u8 = 4;
const SUM: u8 = 3;
const COMPARISON: u8 = 2;
const LOGIC: u8 = 1;

/// Parses a whole expression.
pub(crate) fn parse(text: &str) -> Result<Ast> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ExprError::TooComplex { what: "the length in bytes", limit: MAX_TEXT_BYTES });
    }
    let tokens = tokenize(text)?;
    let mut parser = Parser { tokens: &tokens, next: 0, depth: 0, end: text.len() };
    let ast = parser.expression(0)?;
    match parser.peek() {
        None => Ok(ast),
        Some(_) => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'a> {
    tokens: &'a [Spanned],
    next: usize,
    depth: usize,
    end: usize,
}

fn binary_operator(token: &Token) -> Option<(BinaryOp, u8)> {
    let Token::Symbol(symbol) = token else { return None };
    Some(match *symbol {
        "^" => (BinaryOp::Power, POWER),
        "*" => (BinaryOp::Multiply, PRODUCT),
        "/" => (BinaryOp::Divide, PRODUCT),
        "%" => (BinaryOp::Remainder, PRODUCT),
        "+" => (BinaryOp::Add, SUM),
        "-" => (BinaryOp::Subtract, SUM),
        "<" => (BinaryOp::Less, COMPARISON),
        "<=" => (BinaryOp::LessOrEqual, COMPARISON),
        ">" => (BinaryOp::Greater, COMPARISON),
        ">=" => (BinaryOp::GreaterOrEqual, COMPARISON),
        "==" => (BinaryOp::Equal, COMPARISON),
        "!=" => (BinaryOp::NotEqual, COMPARISON),
        "&&" => (BinaryOp::And, LOGIC),
        "||" => (BinaryOp::Or, LOGIC),
        _ => return None,
    })
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|s| &s.token)
    }

    fn peek_symbol(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.tokens.get(self.next + ahead), Some(Spanned { token: Token::Symbol(s), .. }) if *s == symbol)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek_symbol(0, symbol);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    fn position(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |s| s.position)
    }

    fn unexpected(&self, wanted: &str) -> ExprError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Symbol(symbol)) => format!("'{symbol}'"),
            Some(Token::Word(word)) => format!("'{word}'"),
            Some(Token::Quoted(_)) => "an identifier".to_owned(),
            Some(Token::Text(_)) => "a string".to_owned(),
            Some(Token::Integer(_) | Token::Double(_)) => "a number".to_owned(),
        };
        let message = format!("expected {wanted} but found {found}");
        ExprError::Syntax { position: self.position(), message }
    }

    /// Parses operators that bind stronger than `weakest`.
    fn expression(&mut self, weakest: u8) -> Result<Ast> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExprError::TooComplex { what: "the nesting depth", limit: MAX_DEPTH });
        }
        let mut left = self.prefix()?;
        while let Some((_, strength)) = self.peek().and_then(binary_operator) {
            if strength <= weakest {
                break;
            }
            left = self.chain(left, strength)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// Collects the run of operators of one strength; `^` associates to the right.
    fn chain(&mut self, first: Ast, strength: u8) -> Result<Ast> {
        let mut rest = Vec::new();
        while let Some((op, found)) = self.peek().and_then(binary_operator) {
            if found != strength {
                break;
            }
            self.next += 1;
            let operand =
                self.expression(if strength == POWER { strength - 1 } else { strength })?;
            rest.push((op, operand));
        }
        Ok(Ast::Chain { first: Box::new(first), rest })
    }

    fn prefix(&mut self) -> Result<Ast> {
        let mut operators = Vec::new();
        loop {
            if self.take_symbol("-") {
                operators.push(UnaryOp::Negate);
            } else if self.take_symbol("!") {
                operators.push(UnaryOp::Not);
            } else {
                break;
            }
        }
        if self.depth + operators.len() > MAX_DEPTH {
            return Err(ExprError::TooComplex { what: "the nesting depth", limit: MAX_DEPTH });
        }
        let mut ast = if operators.last() == Some(&UnaryOp::Negate)
            && let Some(literal) = self.negative_literal()?
        {
            operators.pop();
            literal
        } else {
            self.primary()?
        };
        while let Some(operator) = operators.pop() {
            ast = Ast::Unary(operator, Box::new(ast));
        }
        Ok(ast)
    }

    /// The number after a minus, so that the smallest LONG can be written.
    fn negative_literal(&mut self) -> Result<Option<Ast>> {
        let value = match self.peek() {
            Some(Token::Integer(value)) => match 0_i64.checked_sub_unsigned(*value) {
                Some(negated) => ExprValue::Long(negated),
                None => return Err(self.unexpected("a number in the range of LONG")),
            },
            Some(Token::Double(value)) => ExprValue::Double(-value),
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(Ast::Literal(value)))
    }

    fn primary(&mut self) -> Result<Ast> {
        let Some(token) = self.peek().cloned() else {
            return Err(self.unexpected("an expression"));
        };
        match token {
            Token::Integer(_) | Token::Double(_) | Token::Text(_) => {
                Ok(Ast::Literal(self.scalar_literal()?))
            }
            Token::Symbol("[") => self.array_literal(),
            Token::Symbol("<") => {
                self.element_type()?;
                self.array_literal()
            }
            Token::Symbol("(") => {
                self.next += 1;
                let inner = self.expression(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Word(word) if word == "null" => {
                self.next += 1;
                Ok(Ast::Literal(ExprValue::Null))
            }
            Token::Word(word) if word == "ARRAY" && self.peek_symbol(1, "<") => {
                self.next += 1;
                self.element_type()?;
                self.array_literal()
            }
            Token::Word(word) | Token::Quoted(word) if self.peek_symbol(1, "(") => self.call(&word),
            Token::Word(word) | Token::Quoted(word) => {
                self.next += 1;
                Ok(Ast::Identifier(word))
            }
            Token::Symbol(_) => Err(self.unexpected("an expression")),
        }
    }

    /// `<LONG>` in front of an array literal. Elements carry their own types, so it is only checked.
    fn element_type(&mut self) -> Result<()> {
        self.expect("<")?;
        match self.peek() {
            Some(Token::Word(word))
                if ["LONG", "DOUBLE", "STRING"].contains(&word.to_ascii_uppercase().as_str()) =>
            {
                self.next += 1;
                self.expect(">")
            }
            _ => Err(self.unexpected("LONG, DOUBLE or STRING")),
        }
    }

    fn array_literal(&mut self) -> Result<Ast> {
        self.expect("[")?;
        let mut items = Vec::new();
        if !self.take_symbol("]") {
            loop {
                items.push(self.scalar_literal()?);
                if self.take_symbol("]") {
                    break;
                }
                self.expect(",")?;
            }
        }
        Ok(Ast::Literal(crate::types::unify_array(items)))
    }

    fn scalar_literal(&mut self) -> Result<ExprValue> {
        if self.take_symbol("-") {
            return match self.negative_literal()? {
                Some(Ast::Literal(value)) => Ok(value),
                _ => Err(self.unexpected("a number")),
            };
        }
        let value = match self.peek() {
            Some(Token::Integer(value)) => match i64::try_from(*value) {
                Ok(value) => ExprValue::Long(value),
                Err(_) => return Err(self.unexpected("a number in the range of LONG")),
            },
            Some(Token::Double(value)) => ExprValue::Double(*value),
            Some(Token::Text(text)) => ExprValue::from(text.as_str()),
            Some(Token::Word(word)) if word == "null" => ExprValue::Null,
            _ => return Err(self.unexpected("a literal")),
        };
        self.next += 1;
        Ok(value)
    }

    fn call(&mut self, name: &str) -> Result<Ast> {
        self.next += 2;
        let mut arguments = Vec::new();
        if !self.take_symbol(")") {
            loop {
                arguments.push(match self.lambda_parameters()? {
                    Some(parameters) => {
                        Ast::Lambda { parameters, body: Box::new(self.expression(0)?) }
                    }
                    None => self.expression(0)?,
                });
                if self.take_symbol(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        Ok(Ast::Call { name: name.to_ascii_lowercase(), arguments })
    }

    /// Consumes `x ->` or `(x, y) ->` when that is what comes next.
    fn lambda_parameters(&mut self) -> Result<Option<Vec<String>>> {
        let Some(names) = self.parameter_names() else { return Ok(None) };
        if names.len() > MAX_PARAMETERS {
            let what = "the number of a lambda's parameters";
            return Err(ExprError::TooComplex { what, limit: MAX_PARAMETERS });
        }
        Ok(Some(names))
    }

    fn parameter_names(&mut self) -> Option<Vec<String>> {
        let word = |at: usize| match self.tokens.get(at).map(|s| &s.token) {
            Some(Token::Word(name) | Token::Quoted(name)) => Some(name.clone()),
            _ => None,
        };
        if let Some(name) = word(self.next)
            && self.peek_symbol(1, "->")
        {
            self.next += 2;
            return Some(vec![name]);
        }
        if !self.peek_symbol(0, "(") {
            return None;
        }
        let mut names = Vec::new();
        let mut ahead = 1;
        while let Some(name) = word(self.next + ahead) {
            names.push(name);
            ahead += 1;
            if !self.peek_symbol(ahead, ",") {
                break;
            }
            ahead += 1;
        }
        if self.peek_symbol(ahead, ")") && self.peek_symbol(ahead + 1, "->") {
            self.next += ahead + 2;
            return Some(names);
        }
        None
    }
}
