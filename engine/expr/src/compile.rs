//! From syntax tree to executable nodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ast::Ast;
use crate::budget::{Budget, Limits};
use crate::error::{ExprError, Result};
use crate::functions::apply::Apply;
use crate::functions::{self, Arrays, Build};
use crate::lookup::{self, Lookup, Lookups};
use crate::multi_value::Uses;
use crate::node::{Callable, Lambda, Node, Scope};
use crate::types::ExprType;
use crate::value::ExprValue;

/// Collects identifiers that no lambda binds.
pub(crate) fn free_identifiers<'a>(
    ast: &'a Ast,
    bound: &mut Vec<&'a [String]>,
    out: &mut BTreeSet<String>,
) {
    match ast {
        Ast::Literal(_) => {}
        Ast::Identifier(name) => {
            if !bound.iter().any(|names| names.contains(name)) {
                out.insert(name.clone());
            }
        }
        Ast::Unary(_, operand) => free_identifiers(operand, bound, out),
        Ast::Chain { first, rest } => {
            free_identifiers(first, bound, out);
            for (_, operand) in rest {
                free_identifiers(operand, bound, out);
            }
        }
        Ast::Call { arguments, .. } => {
            for argument in arguments {
                free_identifiers(argument, bound, out);
            }
        }
        Ast::Lambda { parameters, body } => {
            bound.push(parameters);
            free_identifiers(body, bound, out);
            bound.pop();
        }
    }
}

/// A tree that was compiled.
pub(crate) struct Compiled {
    pub(crate) root: Node,
    /// How the columns are used.
    pub(crate) uses: Uses,
    /// What it looks values up in.
    pub(crate) lookups: Vec<Arc<Lookup>>,
}

/// What a tree reads.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    /// The names of its columns, sorted.
    pub(crate) names: &'a [String],
    /// Those of type ARRAY.
    pub(crate) arrays: &'a [&'a str],
}

/// Compiles a tree, and tells how its columns are used.
pub(crate) fn compile(
    ast: &Ast,
    columns: Columns<'_>,
    text_bytes: usize,
    lookups: &dyn Lookups,
) -> Result<Compiled> {
    let limits = Limits::folding(text_bytes);
    let mut compiler = Compiler {
        columns,
        lambdas: Vec::new(),
        uses: Uses::default(),
        budget: Budget::new(limits, None),
        kept_bytes: limits.bytes,
        known_lookups: lookups,
        lookups: Vec::new(),
    };
    compiler.uses.enter();
    let node = compiler.node(ast)?;
    // A column by itself is passed on as it is.
    let node = match node {
        Node::Slot(slot) => Node::Slot(slot),
        node => compiler.uses.leave(node),
    };
    let Compiler { uses, lookups, .. } = compiler;
    Ok(Compiled { root: node, uses, lookups })
}

struct Compiler<'a> {
    columns: Columns<'a>,
    /// Parameters of the enclosing lambdas, outermost first.
    lambdas: Vec<&'a [String]>,
    uses: Uses,
    /// What folding constants may take; what is left unfolded is evaluated with the rest.
    budget: Budget,
    /// The largest constant that is kept.
    kept_bytes: u64,
    known_lookups: &'a dyn Lookups,
    lookups: Vec<Arc<Lookup>>,
}

impl<'a> Compiler<'a> {
    fn node(&mut self, ast: &'a Ast) -> Result<Node> {
        match ast {
            Ast::Literal(value) => Ok(Node::Literal(value.clone())),
            Ast::Identifier(name) => Ok(self.identifier(name)),
            Ast::Unary(op, operand) => {
                let operand = self.node(operand)?;
                let constant = operand.literal().is_some();
                self.fold(Node::Unary(*op, Box::new(operand)), constant)
            }
            Ast::Chain { first, rest } => {
                let first = self.node(first)?;
                let rest = rest
                    .iter()
                    .map(|(op, operand)| Ok((*op, self.node(operand)?)))
                    .collect::<Result<Box<[_]>>>()?;
                let constant = first.literal().is_some()
                    && rest.iter().all(|(_, operand)| operand.literal().is_some());
                self.fold(Node::Chain(Box::new(first), rest), constant)
            }
            Ast::Call { name, arguments } => self.call(name, arguments),
            Ast::Lambda { .. } => Err(ExprError::argument(
                "->",
                "a lambda is only allowed as the first argument of map, filter, fold, any, all, \
                 cartesian_map and cartesian_fold",
            )),
        }
    }

    fn identifier(&mut self, name: &str) -> Node {
        for (up, parameters) in self.lambdas.iter().rev().enumerate() {
            if let Some(index) = parameters.iter().position(|p| p == name) {
                return Node::Local { up, index };
            }
        }
        let slot = self.columns.names.binary_search_by(|known| known.as_str().cmp(name));
        let Ok(slot) = slot else { return Node::Literal(ExprValue::Null) };
        if !self.columns.arrays.contains(&name) {
            self.uses.scalar(slot);
        }
        Node::Slot(slot)
    }

    /// An argument that is an array as a whole: a column is not mapped there, and what is computed
    /// there is mapped by itself.
    fn array(&mut self, ast: &'a Ast) -> Result<Node> {
        self.uses.enter();
        let node = self.node(ast)?;
        Ok(match node {
            Node::Slot(slot) => {
                self.uses.leave_whole(slot);
                Node::Slot(slot)
            }
            node => self.uses.leave(node),
        })
    }

    fn call(&mut self, name: &str, arguments: &'a [Ast]) -> Result<Node> {
        if let Some(apply) = Apply::find(name) {
            return self.apply(apply, arguments);
        }
        let special = match name {
            "if" => Some(("if", 3, 3)),
            "nvl" => Some(("nvl", 2, 2)),
            "coalesce" => Some(("coalesce", 1, usize::MAX)),
            "case_searched" => Some(("case_searched", 2, usize::MAX)),
            "case_simple" => Some(("case_simple", 3, usize::MAX)),
            _ => None,
        };
        if let Some((name, min, max)) = special {
            functions::check_count(name, arguments.len(), min, max)?;
            return self.special(name, arguments);
        }
        let Some(function) = functions::find(name) else {
            return Err(ExprError::UnknownFunction { name: name.to_owned() });
        };
        functions::check_count(function.name, arguments.len(), function.min, function.max)?;
        let arrays = match arguments {
            // What is cast to an array is taken for one.
            [_, Ast::Literal(ExprValue::String(target))] if function.name == "cast" => {
                match ExprType::parse(target) {
                    Some(target) if target.is_array() => Arrays::First,
                    _ => function.arrays,
                }
            }
            _ => function.arrays,
        };
        let mut nodes = self.arguments(arguments, &|position| arrays.holds(position))?;
        let callable: Callable = match function.build {
            Build::Plain(plain) => {
                Box::new(move |arguments: &[ExprValue], _: &Budget| plain(arguments))
            }
            Build::Metered(metered) => Box::new(metered),
            Build::OfJson(of_json) => {
                let is_json: Box<[bool]> = arguments.iter().map(functions::gives_json).collect();
                Box::new(move |arguments: &[ExprValue], budget: &Budget| {
                    of_json(arguments, &is_json, budget)
                })
            }
            Build::Prepared(prepare) => prepare(&literals(&nodes))?,
            Build::LookedUp => {
                let (callable, read) = lookup::prepare(&literals(&nodes), self.known_lookups)?;
                self.lookups.push(read);
                callable
            }
            Build::OfFirst(prepare) => {
                let callable = prepare(&literals(&nodes))?;
                // Constants that threads share are not worth counting their users a row.
                if nodes.iter().skip(1).all(|node| node.literal().is_some()) {
                    nodes = nodes.into_iter().take(1).collect();
                }
                callable
            }
        };
        let constant = nodes.iter().all(|node| node.literal().is_some());
        self.fold(Node::Call(callable, nodes), constant)
    }

    fn nodes(&mut self, asts: &'a [Ast]) -> Result<Box<[Node]>> {
        self.arguments(asts, &|_| false)
    }

    fn arguments(
        &mut self,
        asts: &'a [Ast],
        is_array: &dyn Fn(usize) -> bool,
    ) -> Result<Box<[Node]>> {
        let each = asts.iter().enumerate();
        each.map(|(at, ast)| if is_array(at) { self.array(ast) } else { self.node(ast) }).collect()
    }

    /// Functions that evaluate only the arguments they need.
    fn special(&mut self, name: &str, arguments: &'a [Ast]) -> Result<Node> {
        let nodes = self.nodes(arguments)?;
        let constant = nodes.iter().all(|node| node.literal().is_some());
        let mut nodes = nodes.into_vec();
        let node = match name {
            "nvl" | "coalesce" => Node::Coalesce(nodes.into()),
            "case_simple" => {
                let subject = nodes.remove(0);
                let (branches, otherwise) = branches(nodes);
                Node::CaseSimple(Box::new(subject), branches, otherwise)
            }
            _ => {
                let (branches, otherwise) = branches(nodes);
                Node::Case(branches, otherwise)
            }
        };
        self.fold(node, constant)
    }

    fn apply(&mut self, apply: Apply, arguments: &'a [Ast]) -> Result<Node> {
        let Some((Ast::Lambda { parameters, body }, arrays)) = arguments.split_first() else {
            return Err(ExprError::argument(apply.name(), "the first argument must be a lambda"));
        };
        apply.check(parameters.len(), arrays.len())?;
        // The accumulator of a fold is an array only when the body makes one.
        let start = apply.start(arrays.len()).filter(|_| !functions::gives_array(body));
        let arrays = self.arguments(arrays, &|position| Some(position) != start)?;
        self.lambdas.push(parameters);
        let body = self.node(body);
        self.lambdas.pop();
        let body = body?;
        let steps = body.steps();
        Ok(Node::Apply(apply, Box::new(Lambda { body, steps }), arrays))
    }

    /// Evaluates now what depends on no column, unless that takes much: then it stays as it is.
    fn fold(&self, node: Node, constant: bool) -> Result<Node> {
        if !constant {
            return Ok(node);
        }
        let scope = Scope { slots: &[], locals: &[], parent: None, budget: &self.budget };
        match node.eval(&scope) {
            Ok(value) if value.bytes() <= self.kept_bytes => Ok(Node::Literal(value)),
            Ok(_) | Err(ExprError::OverBudget { .. }) => Ok(node),
            Err(error) => Err(error),
        }
    }
}

/// Pairs up conditions and results; an odd one at the end is the default.
fn literals(nodes: &[Node]) -> Vec<Option<&ExprValue>> {
    nodes.iter().map(Node::literal).collect()
}

fn branches(nodes: Vec<Node>) -> (Box<[(Node, Node)]>, Box<Node>) {
    let mut pairs = Vec::with_capacity(nodes.len() / 2);
    let mut nodes = nodes.into_iter();
    let mut otherwise = Node::Literal(ExprValue::Null);
    while let Some(first) = nodes.next() {
        match nodes.next() {
            Some(second) => pairs.push((first, second)),
            None => otherwise = first,
        }
    }
    (pairs.into(), Box::new(otherwise))
}
