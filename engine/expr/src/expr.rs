//! [`Expr`], a parsed expression ready to be evaluated.

use std::collections::BTreeSet;
use std::sync::Arc;

use henge_types::Granularity;

use crate::affine::Affine;
use crate::ast::Ast;
use crate::budget::Budget;
use crate::compile::{Columns, Compiled, compile, free_identifiers};
use crate::error::{ExprError, Result};
use crate::functions;
use crate::lexer;
use crate::lookup::{Lookup, Lookups, NoLookups};
use crate::multi_value::Uses;
use crate::node::{Node, Scope};
use crate::parser;
use crate::pieces::TimePieces;
use crate::types::ExprType;
use crate::value::ExprValue;

/// Looks up identifiers by name. What is unknown is null.
pub trait Bindings {
    /// The value of an identifier.
    fn get(&self, name: &str) -> ExprValue;
}

impl<F: Fn(&str) -> ExprValue> Bindings for F {
    fn get(&self, name: &str) -> ExprValue {
        self(name)
    }
}

/// A parsed expression. Cloning is cheap. Two are equal when their texts are, and the lookups that they
/// read.
#[derive(Clone)]
pub struct Expr {
    inner: Arc<Inner>,
}

struct Inner {
    text: String,
    identifiers: Vec<String>,
    uses: Uses,
    ast: Ast,
    root: Node,
    lookups: Vec<Arc<Lookup>>,
    /// Nodes that one evaluation visits, lambdas apart.
    steps: u64,
}

impl Expr {
    /// Parses, checks functions and their arguments, compiles constant patterns, folds constants.
    ///
    /// # Errors
    /// Syntax errors, unknown functions, wrong numbers of arguments, bad constant patterns, periods
    /// or zones, and texts over the limits of length and depth.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_with(text, &NoLookups)
    }

    /// As [`Expr::parse`], with the lookups that `lookup` finds: as they are now, whatever becomes of
    /// them.
    ///
    /// # Errors
    /// As [`Expr::parse`], and for the name of a lookup that there is not.
    pub fn parse_with(text: &str, lookups: &dyn Lookups) -> Result<Self> {
        Self::compiled(text, parser::parse(text)?, &[], lookups)
    }

    /// A part of this expression's tree as an expression of its own; messages show the whole text.
    ///
    /// # Errors
    /// As [`Expr::parse`].
    pub fn part(&self, ast: &Ast) -> Result<Self> {
        Self::compiled(&self.inner.text, ast.clone(), &[], self)
    }

    /// The same with another column in the place of one.
    ///
    /// # Errors
    /// When the text grows beyond the limit of texts.
    pub fn with_column(&self, column: &str, other: &str) -> Result<Self> {
        Self::parse_with(&lexer::renamed(self.text(), column, other)?, self)
    }

    /// The expression over columns of which these are of type ARRAY: each is one value wherever it
    /// stands, where several values of a row would be taken one by one.
    ///
    /// # Errors
    /// As [`Expr::parse`].
    pub fn over_arrays(&self, arrays: &[&str]) -> Result<Self> {
        Self::compiled(&self.inner.text, self.inner.ast.clone(), arrays, self)
    }

    fn compiled(text: &str, ast: Ast, arrays: &[&str], lookups: &dyn Lookups) -> Result<Self> {
        let mut names = BTreeSet::new();
        free_identifiers(&ast, &mut Vec::new(), &mut names);
        let identifiers: Vec<String> = names.into_iter().collect();
        let columns = Columns { names: &identifiers, arrays };
        let Compiled { root, uses, lookups } = compile(&ast, columns, text.len(), lookups)?;
        let steps = root.steps();
        let text = text.to_owned();
        Ok(Self { inner: Arc::new(Inner { text, identifiers, uses, ast, root, lookups, steps }) })
    }

    /// The lookups that it reads.
    #[must_use]
    pub fn lookups(&self) -> &[Arc<Lookup>] {
        &self.inner.lookups
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The columns it reads: sorted, distinct. Their positions are the slots of
    /// [`Expr::eval_slots`].
    #[must_use]
    pub fn identifiers(&self) -> &[String] {
        &self.inner.identifiers
    }

    /// The syntax tree as written, for engines that compile typed kernels from it.
    #[must_use]
    pub fn ast(&self) -> &Ast {
        &self.inner.ast
    }

    /// The column it is, when it is nothing but a column.
    #[must_use]
    pub fn as_identifier(&self) -> Option<&str> {
        match &self.inner.ast {
            Ast::Identifier(name) => Some(name),
            _ => None,
        }
    }

    /// The constant it is, after folding.
    #[must_use]
    pub fn as_literal(&self) -> Option<&ExprValue> {
        self.inner.root.literal()
    }

    /// The column of `strlen(column)`.
    #[must_use]
    pub fn as_text_length(&self) -> Option<&str> {
        match &self.inner.ast {
            Ast::Call { name, arguments } if name == "strlen" => match arguments.as_slice() {
                [Ast::Identifier(column)] => Some(column),
                _ => None,
            },
            _ => None,
        }
    }

    /// The column and the buckets of `timestamp_floor(column, 'PT1H')` with constant arguments.
    #[must_use]
    pub fn as_time_floor(&self) -> Option<(&str, Granularity)> {
        let Ast::Call { name, arguments } = &self.inner.ast else { return None };
        let [Ast::Identifier(column), constants @ ..] = arguments.as_slice() else { return None };
        if name != "timestamp_floor" {
            return None;
        }
        let mut values = vec![ExprValue::Null];
        for constant in constants {
            let Ast::Literal(value) = constant else { return None };
            values.push(value.clone());
        }
        functions::time_buckets(&values).ok().map(|granularity| (column.as_str(), granularity))
    }

    /// The result as a multiple of one column and a constant, for integers of a range, when it is
    /// that and no result on the way overflows.
    #[must_use]
    pub fn affine(&self, range: (i64, i64)) -> Option<Affine> {
        match self.identifiers() {
            [_] => Affine::of(&self.inner.ast, range),
            _ => None,
        }
    }

    /// Where in time the result stays the same while all columns but this one do: when the column is
    /// only read by functions of time such as `timestamp_extract(column, 'HOUR')`.
    #[must_use]
    pub fn time_pieces(&self, column: &str) -> Option<TimePieces> {
        TimePieces::of(&self.inner.ast, column)
    }

    /// The type of the result given the types of columns; `None` when it depends on the values.
    #[must_use]
    pub fn output_type(&self, column: &dyn Fn(&str) -> Option<ExprType>) -> Option<ExprType> {
        crate::infer::output_type(&self.inner.ast, column)
    }

    /// Refuses a column that stands for a list in one place and for one value in another: of a row
    /// with several values nobody could say what is meant. In Druid such expressions are errors.
    ///
    /// # Errors
    /// The first such column.
    pub fn check_uses(&self) -> Result<()> {
        let uses = &self.inner.uses;
        let mixed = |slot: &&usize| uses.inner.contains(slot) || uses.outer.contains(slot);
        match uses.whole.iter().find(mixed) {
            Some(slot) => {
                Err(ExprError::MixedUse { column: self.inner.identifiers[*slot].clone() })
            }
            None => Ok(()),
        }
    }

    /// True when a list in this slot gives what its values give one by one, and in no place anything
    /// else: the result for a list is then the results for its values.
    #[must_use]
    pub fn is_by_value(&self, slot: usize) -> bool {
        let uses = &self.inner.uses;
        !uses.whole.contains(&slot) && !uses.inner.contains(&slot)
    }

    /// True when the result is a single value as long as all slots are.
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        !crate::infer::may_be_array(&self.inner.ast, &mut Vec::new())
    }

    /// Evaluates over named values, within the budget of one row.
    ///
    /// # Errors
    /// As [`Expr::eval_within`].
    pub fn eval(&self, bindings: &dyn Bindings) -> Result<ExprValue> {
        let slots: Vec<ExprValue> =
            self.inner.identifiers.iter().map(|name| bindings.get(name)).collect();
        self.eval_slots(&slots)
    }

    /// As [`Expr::eval_within`], within the budget of one row.
    ///
    /// # Errors
    /// As [`Expr::eval_within`].
    pub fn eval_slots(&self, slots: &[ExprValue]) -> Result<ExprValue> {
        self.eval_within(slots, &Budget::default())
    }

    /// Evaluates over values in the order of [`Expr::identifiers`]: no look-up by name. Missing
    /// slots are null. Where a slot with an array (a list of values) stands for a scalar, what it
    /// stands in is evaluated for each of its values and the result is an array; a filter then holds
    /// when one of the elements is true.
    ///
    /// # Errors
    /// When the budget is used up or says to stop, a result is over the cap of
    /// [`crate::MAX_RESULT_BYTES`], or a pattern, period or zone that is not constant is malformed.
    pub fn eval_within(&self, slots: &[ExprValue], budget: &Budget) -> Result<ExprValue> {
        let scope = Scope { slots, locals: &[], parent: None, budget };
        let result = budget.step(self.inner.steps).and_then(|()| self.inner.root.eval(&scope));
        result.map_err(|error| error.of(&self.inner.text))
    }
}

/// The lookups that it reads itself.
impl Lookups for Expr {
    fn find(&self, name: &str) -> Option<Arc<Lookup>> {
        self.inner.lookups.iter().find(|lookup| lookup.name == name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.inner.lookups.iter().map(|lookup| lookup.name.clone()).collect()
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.inner.text == other.inner.text && self.inner.lookups == other.inner.lookups
    }
}

impl Eq for Expr {}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expr").field(&self.inner.text).finish()
    }
}
