//! The type of an expression from the types of its columns.

use crate::ast::{Ast, BinaryOp, UnaryOp};
use crate::functions::apply::Apply;
use crate::functions::{self, Returns};
use crate::types::{ExprType, type_of};
use crate::value::ExprValue;

/// Looks up the type of a column.
type Columns<'a> = &'a dyn Fn(&str) -> Option<ExprType>;

/// The type, or `None` when it is unknown (always null counts as unknown).
pub(crate) fn output_type(ast: &Ast, column: Columns<'_>) -> Option<ExprType> {
    match ast {
        Ast::Literal(value) => type_of(value),
        Ast::Identifier(name) => column(name),
        Ast::Unary(UnaryOp::Not, _) => Some(ExprType::Long),
        Ast::Unary(UnaryOp::Negate, operand) => output_type(operand, column)
            .map(|t| if t == ExprType::Long { t } else { ExprType::Double }),
        Ast::Chain { first, rest } => chain(first, rest, column),
        Ast::Call { name, arguments } => call(name, arguments, column),
        Ast::Lambda { body, .. } => output_type(body, column),
    }
}

fn chain(first: &Ast, rest: &[(BinaryOp, Ast)], column: Columns<'_>) -> Option<ExprType> {
    let mut result = output_type(first, column);
    for (op, operand) in rest {
        result = match op {
            BinaryOp::Power
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Remainder
            | BinaryOp::Add
            | BinaryOp::Subtract => match (result?, output_type(operand, column)?) {
                (ExprType::Long, ExprType::Long) => Some(ExprType::Long),
                (ExprType::String, ExprType::String) if *op == BinaryOp::Add => {
                    Some(ExprType::String)
                }
                _ => Some(ExprType::Double),
            },
            _ => Some(ExprType::Long),
        };
    }
    result
}

/// The widest of those that are known; unknown when none is.
fn widest<'a>(asts: impl Iterator<Item = &'a Ast>, column: Columns<'_>) -> Option<ExprType> {
    asts.filter_map(|ast| output_type(ast, column)).reduce(ExprType::widest)
}

fn call(name: &str, arguments: &[Ast], column: Columns<'_>) -> Option<ExprType> {
    let results_after = |start: usize| {
        // Results alternate with conditions; an odd one at the end is the default.
        let pairs = &arguments[start.min(arguments.len())..];
        let last = pairs.len().wrapping_sub(1);
        let is_result = move |index: usize| index % 2 == 1 || index == last;
        widest(pairs.iter().enumerate().filter(|(i, _)| is_result(*i)).map(|(_, a)| a), column)
    };
    match name {
        "if" | "case_searched" => return results_after(0),
        "case_simple" => return results_after(1),
        "nvl" | "coalesce" => return widest(arguments.iter(), column),
        _ => {}
    }
    let first = || arguments.first().and_then(|ast| output_type(ast, column));
    if let Some(apply) = Apply::find(name) {
        return match apply {
            Apply::Any | Apply::All => Some(ExprType::Long),
            Apply::Filter => arguments.get(1).and_then(|ast| output_type(ast, column)),
            Apply::Fold | Apply::CartesianFold => {
                arguments.last().and_then(|ast| output_type(ast, column))
            }
            // A parameter's type is not followed into the body.
            Apply::Map | Apply::CartesianMap => first().map(ExprType::array_of),
        };
    }
    match functions::find(name)?.returns {
        Returns::Type(fixed) => Some(fixed),
        Returns::Number => {
            let all_long = arguments.iter().all(|a| output_type(a, column) == Some(ExprType::Long));
            Some(if all_long { ExprType::Long } else { ExprType::Double })
        }
        Returns::Widest => widest(arguments.iter(), column),
        Returns::First => first(),
        Returns::FirstAsArray => first().map(ExprType::array_of),
        Returns::FirstElement => first().map(ExprType::element),
        Returns::Named(at) => match arguments.get(at) {
            Some(Ast::Literal(ExprValue::String(name))) => ExprType::parse(name),
            _ => None,
        },
    }
}

/// True unless the result is a scalar whenever all columns are. Names bound to what may be an array
/// are in `arrays`.
pub(crate) fn may_be_array<'a>(ast: &'a Ast, arrays: &mut Vec<&'a str>) -> bool {
    match ast {
        Ast::Literal(value) => matches!(value, ExprValue::Array(_)),
        Ast::Identifier(name) => arrays.contains(&name.as_str()),
        Ast::Unary(..) | Ast::Chain { .. } => false,
        Ast::Lambda { body, .. } => may_be_array(body, arrays),
        Ast::Call { name, arguments } => match name.as_str() {
            "if" | "case_searched" | "case_simple" | "nvl" | "coalesce" => {
                arguments.iter().any(|argument| may_be_array(argument, arrays))
            }
            "any" | "all" => false,
            "fold" | "cartesian_fold" => may_fold_to_array(arguments, arrays),
            _ => match functions::find(name).map(|function| function.returns) {
                Some(Returns::Type(returned)) => returned.is_array(),
                Some(Returns::Number | Returns::Widest) => false,
                // Of numbers and texts; elements of arrays of arrays are arrays.
                Some(Returns::FirstElement) => arguments
                    .first()
                    .is_some_and(|array| !matches!(array, Ast::Identifier(_)) && !is_flat(array)),
                Some(Returns::First) if name == "round" => false,
                Some(Returns::Named(at)) => match arguments.get(at) {
                    Some(Ast::Literal(ExprValue::String(name))) => {
                        ExprType::parse(name).is_none_or(ExprType::is_array)
                    }
                    _ => true,
                },
                _ => true,
            },
        },
    }
}

/// True for calls that give arrays of scalars, whatever they are given.
fn is_flat(ast: &Ast) -> bool {
    let Ast::Call { name, .. } = ast else { return false };
    matches!(functions::find(name).map(|f| f.returns), Some(Returns::Type(_)))
}

fn may_fold_to_array<'a>(arguments: &'a [Ast], arrays: &mut Vec<&'a str>) -> bool {
    let [Ast::Lambda { parameters, body }, inputs @ .., start] = arguments else { return true };
    let flat = inputs.iter().all(|input| matches!(input, Ast::Identifier(_)) || is_flat(input));
    let start = may_be_array(start, arrays);
    let bound = arrays.len();
    if !flat || start {
        arrays.extend(parameters.iter().map(String::as_str));
    }
    let body = may_be_array(body, arrays);
    arrays.truncate(bound);
    start || body
}
