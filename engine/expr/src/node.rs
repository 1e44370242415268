//! The executable form: identifiers are slots, functions are resolved, constants are folded.

use crate::ast::{BinaryOp, UnaryOp};
use crate::budget::Budget;
use crate::error::Result;
use crate::functions::apply::Apply;
use crate::multi_value::Mapped;
use crate::operators;
use crate::value::ExprValue;

/// A function ready to be called, with whatever its constant arguments allowed to prepare.
pub(crate) type Callable = Box<dyn Fn(&[ExprValue], &Budget) -> Result<ExprValue> + Send + Sync>;

/// An executable node.
pub(crate) enum Node {
    Literal(ExprValue),
    /// A column, by its position among the expression's identifiers.
    Slot(usize),
    /// A lambda's parameter: `up` lambdas outwards, then by position.
    Local {
        up: usize,
        index: usize,
    },
    Unary(UnaryOp, Box<Node>),
    Chain(Box<Node>, Box<[(BinaryOp, Node)]>),
    Call(Callable, Box<[Node]>),
    /// The first argument that is not null.
    Coalesce(Box<[Node]>),
    /// Conditions with their results, and what holds otherwise.
    Case(Box<[(Node, Node)]>, Box<Node>),
    /// As `Case`, comparing a subject with values.
    CaseSimple(Box<Node>, Box<[(Node, Node)]>, Box<Node>),
    /// A function over a lambda: its body, the steps that each call of it takes, and the arrays.
    Apply(Apply, Box<Lambda>, Box<[Node]>),
    /// An array's place that is taken by something computed from lists, value by value.
    Mapped(Box<Mapped>),
}

/// The body of a lambda.
pub(crate) struct Lambda {
    pub(crate) body: Node,
    /// Nodes of the body, those of lambdas in it apart.
    pub(crate) steps: u64,
}

/// What identifiers resolve to during evaluation.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) slots: &'a [ExprValue],
    pub(crate) locals: &'a [ExprValue],
    pub(crate) parent: Option<&'a Scope<'a>>,
    pub(crate) budget: &'a Budget,
}

/// Calls with up to this many arguments keep them on the stack.
const INLINE_ARGUMENTS: usize = 4;

impl Node {
    pub(crate) fn literal(&self) -> Option<&ExprValue> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Nodes, those of lambdas in it apart.
    pub(crate) fn steps(&self) -> u64 {
        let all = |nodes: &[Node]| nodes.iter().map(Self::steps).sum::<u64>();
        let pairs = |pairs: &[(Node, Node)]| {
            pairs.iter().map(|(condition, result)| condition.steps() + result.steps()).sum::<u64>()
        };
        1 + match self {
            Self::Literal(_) | Self::Slot(_) | Self::Local { .. } => 0,
            Self::Unary(_, operand) => operand.steps(),
            Self::Chain(first, rest) => {
                first.steps() + rest.iter().map(|(_, operand)| operand.steps()).sum::<u64>()
            }
            Self::Call(_, arguments) | Self::Coalesce(arguments) => all(arguments),
            Self::Case(branches, otherwise) => pairs(branches) + otherwise.steps(),
            Self::CaseSimple(subject, branches, otherwise) => {
                subject.steps() + pairs(branches) + otherwise.steps()
            }
            Self::Apply(_, _, arrays) => all(arrays),
            Self::Mapped(mapped) => mapped.body.steps(),
        }
    }

    pub(crate) fn eval(&self, scope: &Scope<'_>) -> Result<ExprValue> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Slot(index) => Ok(scope.slots.get(*index).cloned().unwrap_or_default()),
            Self::Local { up, index } => Ok(local(scope, *up, *index)),
            Self::Unary(op, operand) => Ok(operators::unary(*op, &operand.eval(scope)?)),
            Self::Chain(first, rest) => chain(first.eval(scope)?, rest, scope),
            Self::Call(callable, arguments) => call(callable, arguments, scope),
            Self::Coalesce(arguments) => {
                for argument in arguments {
                    let value = argument.eval(scope)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(ExprValue::Null)
            }
            Self::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    if condition.eval(scope)?.is_true() {
                        return result.eval(scope);
                    }
                }
                otherwise.eval(scope)
            }
            Self::CaseSimple(subject, branches, otherwise) => {
                let subject = subject.eval(scope)?;
                for (candidate, result) in branches {
                    let candidate = candidate.eval(scope)?;
                    scope.budget.read(&subject)?;
                    scope.budget.read(&candidate)?;
                    let equal = operators::binary(BinaryOp::Equal, &subject, &candidate)?;
                    if equal.is_true() {
                        return result.eval(scope);
                    }
                }
                otherwise.eval(scope)
            }
            Self::Apply(apply, lambda, arguments) => apply.eval(lambda, arguments, scope),
            Self::Mapped(mapped) => mapped.eval(scope),
        }
    }
}

fn local(scope: &Scope<'_>, up: usize, index: usize) -> ExprValue {
    let mut current = *scope;
    for _ in 0..up {
        match current.parent {
            Some(parent) => current = *parent,
            None => return ExprValue::Null,
        }
    }
    current.locals.get(index).cloned().unwrap_or_default()
}

fn chain(first: ExprValue, rest: &[(BinaryOp, Node)], scope: &Scope<'_>) -> Result<ExprValue> {
    let mut result = first;
    for (op, operand) in rest {
        let decided = match op {
            BinaryOp::And => result.truth() == Some(false),
            BinaryOp::Or => result.truth() == Some(true),
            _ => false,
        };
        result = if decided {
            ExprValue::of_bool(*op == BinaryOp::Or)
        } else {
            let operand = operand.eval(scope)?;
            scope.budget.read(&result)?;
            scope.budget.read(&operand)?;
            let joined = operators::binary(*op, &result, &operand)?;
            scope.budget.made(&joined)?;
            joined
        };
    }
    Ok(result)
}

fn call(callable: &Callable, arguments: &[Node], scope: &Scope<'_>) -> Result<ExprValue> {
    if arguments.len() > INLINE_ARGUMENTS {
        let values = arguments.iter().map(|a| a.eval(scope)).collect::<Result<Vec<ExprValue>>>()?;
        return metered(callable, &values, scope.budget);
    }
    let mut values: [ExprValue; INLINE_ARGUMENTS] = Default::default();
    for (value, argument) in values.iter_mut().zip(arguments) {
        *value = argument.eval(scope)?;
    }
    metered(callable, &values[..arguments.len()], scope.budget)
}

/// Calls a function within the budget: what it reads is taken before, what it gives after.
fn metered(callable: &Callable, arguments: &[ExprValue], budget: &Budget) -> Result<ExprValue> {
    for argument in arguments {
        budget.read(argument)?;
    }
    let result = callable(arguments, budget)?;
    budget.made(&result)?;
    Ok(result)
}
