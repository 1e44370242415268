//! Lists: where one stands for a scalar, what it stands in is evaluated for each of its values (for
//! each combination, when there are several lists), and the results are a list.
//!
//! As in Druid a list is read whole only where a function takes it as an array, and an array's place
//! that is taken by something computed maps within that place: `array_length(upper(tags))` counts the
//! upper-case values, while `upper(tags)` beside `array_length(others)` is mapped as a whole.

use std::collections::BTreeSet;

use crate::MAX_RESULT_BYTES;
use crate::error::{ExprError, Result};
use crate::node::{Node, Scope};
use crate::types::unify_array;
use crate::value::{ELEMENT_BYTES, ExprValue};

/// Something to be evaluated for each value of the lists in it.
pub(crate) struct Mapped {
    /// Columns that stand for scalars, by slot.
    pub(crate) slots: Box<[usize]>,
    pub(crate) body: Node,
}

impl Mapped {
    /// Evaluates for each combination of the values of those columns that are lists.
    pub(crate) fn eval(&self, scope: &Scope<'_>) -> Result<ExprValue> {
        let is_list = |slot: &usize| matches!(scope.slots.get(*slot), Some(ExprValue::Array(_)));
        if self.slots.iter().any(is_list) {
            return self.eval_each(scope);
        }
        self.body.eval(scope)
    }

    fn eval_each(&self, scope: &Scope<'_>) -> Result<ExprValue> {
        let lists: Vec<(usize, &[ExprValue])> = self
            .slots
            .iter()
            .filter_map(|&slot| match scope.slots.get(slot) {
                Some(ExprValue::Array(items)) => Some((slot, items.as_ref())),
                _ => None,
            })
            .collect();
        let product = lists.iter().try_fold(1_usize, |n, (_, items)| n.checked_mul(items.len()));
        let Some(product) = product.filter(|n| *n <= MAX_RESULT_BYTES / 16) else {
            let function = "a multi-value column";
            return Err(ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES });
        };
        let steps = self.body.steps();
        let mut scalars = scope.slots.to_vec();
        let mut results = Vec::with_capacity(product);
        for combination in 0..product {
            let mut rest = combination;
            for (slot, items) in lists.iter().rev() {
                scalars[*slot] = items[rest % items.len()].clone();
                rest /= items.len();
            }
            scope.budget.step(steps)?;
            let result = self.body.eval(&Scope { slots: &scalars, ..*scope })?;
            scope.budget.reserve(ELEMENT_BYTES + result.bytes())?;
            match result {
                ExprValue::Array(items) => results.extend(items.iter().cloned()),
                scalar => results.push(scalar),
            }
        }
        Ok(unify_array(results))
    }
}

/// How an expression's columns stand in it, by slot.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// Those that stand for scalars, by the places that are mapped by themselves, the innermost last;
    /// the first is the whole expression.
    places: Vec<BTreeSet<usize>>,
    /// Those that stand for scalars in the whole expression.
    pub(crate) outer: BTreeSet<usize>,
    /// Those that stand for scalars within an array's place.
    pub(crate) inner: BTreeSet<usize>,
    /// Those that are arrays as a whole.
    pub(crate) whole: BTreeSet<usize>,
}

impl Uses {
    /// A scalar's place that a column takes.
    pub(crate) fn scalar(&mut self, slot: usize) {
        if let Some(place) = self.places.last_mut() {
            place.insert(slot);
        }
    }

    /// Begins a place that is mapped by itself.
    pub(crate) fn enter(&mut self) {
        self.places.push(BTreeSet::new());
    }

    /// Ends it: a column took it, as an array.
    pub(crate) fn leave_whole(&mut self, slot: usize) {
        self.places.pop();
        self.whole.insert(slot);
    }

    /// Ends it: what was compiled there, mapped over the columns that stand for scalars in it.
    pub(crate) fn leave(&mut self, body: Node) -> Node {
        let mut slots = self.places.pop().unwrap_or_default();
        if self.places.is_empty() {
            self.outer.clone_from(&slots);
            // In stored schemas a column may be both: then it is a list everywhere.
            slots.retain(|slot| !self.whole.contains(slot));
        } else {
            self.inner.extend(&slots);
        }
        if slots.is_empty() {
            return body;
        }
        Node::Mapped(Box::new(Mapped { slots: slots.into_iter().collect(), body }))
    }
}
