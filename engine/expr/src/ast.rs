//! The syntax tree. Chains of operators of one precedence are flat, so that neither a chain of ten
//! thousand terms nor its evaluation recurses.

use crate::value::ExprValue;

/// A prefix operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `!`
    Not,
}

/// An infix operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `^`
    Power,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `+`: concatenates when both sides are text.
    Add,
    /// `-`
    Subtract,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `&&`
    And,
    /// `||`
    Or,
}

/// A node of the syntax tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Ast {
    /// A constant.
    Literal(ExprValue),
    /// A column or a lambda's parameter.
    Identifier(String),
    /// A prefix operator.
    Unary(UnaryOp, Box<Ast>),
    /// Operators of one precedence, applied from the left.
    Chain {
        /// The leftmost operand.
        first: Box<Ast>,
        /// The others, each with the operator before it.
        rest: Vec<(BinaryOp, Ast)>,
    },
    /// A function call; the name is in lower case.
    Call {
        /// The function.
        name: String,
        /// Its arguments.
        arguments: Vec<Ast>,
    },
    /// `(x, y) -> body`: only as the first argument of functions that take one.
    Lambda {
        /// Parameter names.
        parameters: Vec<String>,
        /// The body.
        body: Box<Ast>,
    },
}
