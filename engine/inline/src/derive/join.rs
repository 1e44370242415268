//! A join: the right's rows by the values that the condition compares, and the left's that meet them.

use std::sync::Arc;

use henge_exec::{ExecContext, ExecError, Result};
use henge_expr::{Ast, BinaryOp, Expr, ExprValue};
use henge_query::{Join, JoinType};
use henge_segment::SegmentView;
use henge_types::narrow::narrow;
use rustc_hash::FxHashMap;

use super::SharedRows;
use super::needs::Needs;
use crate::segment::InlineSegment;
use crate::values::{NO_ROW, Values};

/// Rows of a result between two looks at memory and at the flag.
const CHECKED_ROWS: usize = 1 << 16;

/// The right side of a join, ready for rows of the left.
#[derive(Debug)]
pub(crate) struct HashedRows {
    prefix: String,
    join_type: JoinType,
    rows: SharedRows,
    /// What of the left is compared with what of the right.
    equalities: Vec<Equality>,
    /// What else two rows must pass to meet.
    rest: Vec<Expr>,
    /// The rows of the right by their compared values.
    by_key: FxHashMap<Box<[Key]>, Vec<u32>>,
    /// What of both is needed afterwards.
    left: Needs,
    right: Needs,
}

#[derive(Debug)]
struct Equality {
    of_left: Expr,
    of_right: String,
    /// Null equals null.
    with_nulls: bool,
}

/// A value that is compared, in the form of the right's column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Null,
    Long(i64),
    /// The bits of a double.
    Double(u64),
    Text(Arc<str>),
}

/// How two sides are compared: by the type of the right's column.
#[derive(Debug, Clone, Copy)]
enum Compared {
    Long,
    Double,
    Text,
}

impl HashedRows {
    /// Hashes the rows of the right. `left` and `right` are what is needed of both in the end.
    pub(super) fn new(
        join: &Join,
        rows: InlineSegment,
        left: Needs,
        right: Needs,
        context: &ExecContext,
    ) -> Result<Self> {
        let (mut equalities, mut rest) = (Vec::new(), Vec::new());
        for part in conjuncts(join.condition.ast()) {
            match equality(part, join)? {
                Some(found) => equalities.push(found),
                None => rest.push(join.condition.part(part).map_err(|e| invalid(&e))?),
            }
        }
        let mut hashed = Self {
            prefix: join.prefix.clone(),
            join_type: join.join_type,
            rows: Arc::new(rows),
            equalities,
            rest,
            by_key: FxHashMap::default(),
            left,
            right,
        };
        hashed.hash(context)?;
        Ok(hashed)
    }

    fn hash(&mut self, context: &ExecContext) -> Result<()> {
        let columns: Vec<Option<&Values>> =
            self.equalities.iter().map(|equality| self.rows.values(&equality.of_right)).collect();
        let mut by_key: FxHashMap<Box<[Key]>, Vec<u32>> = FxHashMap::default();
        for row in 0..self.rows.row_count() {
            if row % CHECKED_ROWS == 0 {
                context.cancel.check()?;
            }
            let values = columns
                .iter()
                .map(|column| column.map_or(ExprValue::Null, |values| values.expr_value(row)));
            let keys = values.zip(&columns).zip(&self.equalities);
            let key: Option<Box<[Key]>> = keys
                .map(|((value, column), equality)| key_of(&value, compared(*column), equality))
                .collect();
            if let Some(key) = key {
                by_key.entry(key).or_default().push(narrow(row));
            }
        }
        self.by_key = by_key;
        Ok(())
    }

    /// What the right's names begin with in the result.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Which rows stay that meet none.
    pub(super) fn join_type(&self) -> JoinType {
        self.join_type
    }

    /// Bytes of the hash table, roughly; the rows are charged for by themselves.
    pub(super) fn memory_bytes(&self) -> usize {
        /// A key, a list of rows, and the table's own.
        const ENTRY_BYTES: usize = 96;
        self.by_key.len() * ENTRY_BYTES + self.rows.row_count() * size_of::<u32>()
    }

    /// The rows of the left that meet rows of the right, with these.
    pub(super) fn join(
        &self,
        left: &InlineSegment,
        context: &ExecContext,
    ) -> Result<InlineSegment> {
        let met = self.meet(left, context)?;
        let of_left = left.shown().filter(|(name, _)| self.left.has(name));
        let mut columns: Vec<(String, Values)> = of_left
            .filter(|(name, _)| !name.starts_with(&self.prefix))
            .map(|(name, values)| (name.to_owned(), values.gather(&met.left)))
            .collect();
        let of_right = self.rows.shown().filter(|(name, _)| self.right.has(name));
        columns.extend(
            of_right.map(|(name, values)| {
                (format!("{}{name}", self.prefix), values.gather(&met.right))
            }),
        );
        InlineSegment::new(columns, met.left.len(), Some(&context.memory))
    }

    fn meet(&self, left: &InlineSegment, context: &ExecContext) -> Result<Met> {
        let inputs: Vec<Input<'_>> = self
            .equalities
            .iter()
            .map(|equality| Input {
                slots: slots_of(&equality.of_left, left),
                equality,
                compared: compared(self.rows.values(&equality.of_right)),
            })
            .collect();
        let rest: Vec<Rest<'_>> = self.rest.iter().map(|part| self.rest_of(part, left)).collect();
        let mut met = Met::default();
        let mut held = context.memory.lease();
        let mut seen =
            vec![false; if self.join_type.keeps_right() { self.rows.row_count() } else { 0 }];
        let mut checked = 0;
        let all: Vec<u32> = match inputs.is_empty() {
            true => (0..narrow(self.rows.row_count())).collect(),
            false => Vec::new(),
        };
        for row in 0..left.row_count() {
            let candidates = match inputs.is_empty() {
                true => all.as_slice(),
                false => self.candidates(&inputs, row)?,
            };
            let mut is_alone = true;
            for &candidate in candidates {
                if met.left.len() >= checked {
                    checked = met.left.len() + CHECKED_ROWS;
                    context.cancel.check()?;
                    held.set(2 * size_of::<u32>() * checked)?;
                }
                if !all_hold(&rest, row, candidate as usize)? {
                    continue;
                }
                is_alone = false;
                met.push(narrow(row), candidate);
                if let Some(seen) = seen.get_mut(candidate as usize) {
                    *seen = true;
                }
            }
            if row % CHECKED_ROWS == 0 {
                context.cancel.check()?;
            }
            if is_alone && self.join_type.keeps_left() {
                met.push(narrow(row), NO_ROW);
            }
        }
        for (row, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
            met.push(NO_ROW, narrow(row));
        }
        Ok(met)
    }

    fn candidates(&self, inputs: &[Input<'_>], row: usize) -> Result<&[u32]> {
        let mut key = Vec::with_capacity(inputs.len());
        for input in inputs {
            let slots: Vec<ExprValue> =
                input.slots.iter().map(|slot| value_of(*slot, row)).collect();
            let value = input.equality.of_left.eval_slots(&slots).map_err(|e| invalid(&e))?;
            match key_of(&value, input.compared, input.equality) {
                Some(found) => key.push(found),
                None => return Ok(&[]),
            }
        }
        Ok(self.by_key.get(key.as_slice()).map_or(&[], Vec::as_slice))
    }

    fn rest_of<'r>(&'r self, part: &'r Expr, left: &'r InlineSegment) -> Rest<'r> {
        let slot = |name: &String| match name.strip_prefix(&self.prefix) {
            Some(own) => (false, self.rows.values(own)),
            None => (true, left.values(name)),
        };
        Rest { part, slots: part.identifiers().iter().map(slot).collect() }
    }
}

/// Rows of both sides that meet, or are alone.
#[derive(Debug, Default)]
struct Met {
    left: Vec<u32>,
    right: Vec<u32>,
}

impl Met {
    fn push(&mut self, left: u32, right: u32) {
        self.left.push(left);
        self.right.push(right);
    }
}

/// What of the left is compared.
struct Input<'r> {
    equality: &'r Equality,
    slots: Vec<Option<&'r Values>>,
    compared: Compared,
}

/// A part of the condition that is no equality; of each column, whether it is the left's.
struct Rest<'r> {
    part: &'r Expr,
    slots: Vec<(bool, Option<&'r Values>)>,
}

fn all_hold(rest: &[Rest<'_>], left: usize, right: usize) -> Result<bool> {
    for Rest { part, slots } in rest {
        let value = |(is_left, values): &(bool, Option<&Values>)| {
            value_of(*values, if *is_left { left } else { right })
        };
        let slots: Vec<ExprValue> = slots.iter().map(value).collect();
        if !part.eval_slots(&slots).map_err(|e| invalid(&e))?.is_true() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn value_of(values: Option<&Values>, row: usize) -> ExprValue {
    values.map_or(ExprValue::Null, |values| values.expr_value(row))
}

fn slots_of<'r>(expression: &Expr, rows: &'r InlineSegment) -> Vec<Option<&'r Values>> {
    expression.identifiers().iter().map(|name| rows.values(name)).collect()
}

fn compared(column: Option<&Values>) -> Compared {
    match column {
        Some(Values::Long(_)) => Compared::Long,
        Some(Values::Float(_) | Values::Double(_)) => Compared::Double,
        _ => Compared::Text,
    }
}

/// `None` when the value meets nothing.
fn key_of(value: &ExprValue, compared: Compared, equality: &Equality) -> Option<Key> {
    if value.is_null() {
        return equality.with_nulls.then_some(Key::Null);
    }
    Some(match compared {
        Compared::Long => match value.as_double() {
            Some(double) if double.fract() != 0.0 => return None,
            _ => Key::Long(value.as_long()?),
        },
        // 0 and -0 are alike.
        Compared::Double => Key::Double((value.as_double()? + 0.0).to_bits()),
        Compared::Text => Key::Text(value.as_text()?.as_ref().into()),
    })
}

/// The parts that must all hold.
fn conjuncts(ast: &Ast) -> Vec<&Ast> {
    match ast {
        Ast::Chain { first, rest } if rest.iter().all(|(op, _)| *op == BinaryOp::And) => {
            let mut parts = conjuncts(first);
            parts.extend(rest.iter().flat_map(|(_, part)| conjuncts(part)));
            parts
        }
        other => vec![other],
    }
}

/// A comparison of something of the left with a column of the right, if it is that.
fn equality(part: &Ast, join: &Join) -> Result<Option<Equality>> {
    let (one, other, with_nulls) = match part {
        Ast::Chain { first, rest } => match rest.as_slice() {
            [(BinaryOp::Equal, other)] => (&**first, other, false),
            _ => return Ok(None),
        },
        Ast::Call { name, arguments } if name == "notdistinctfrom" => match arguments.as_slice() {
            [one, other] => (one, other, true),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let of_right = |ast: &Ast| match ast {
        Ast::Identifier(name) => name.strip_prefix(&join.prefix).map(str::to_owned),
        _ => None,
    };
    let (of_left, of_right) = match (of_right(one), of_right(other)) {
        (None, Some(name)) => (one, name),
        (Some(name), None) => (other, name),
        _ => return Ok(None),
    };
    let of_left = join.condition.part(of_left).map_err(|error| invalid(&error))?;
    if of_left.identifiers().iter().any(|name| name.starts_with(&join.prefix)) {
        return Ok(None);
    }
    Ok(Some(Equality { of_left, of_right, with_nulls }))
}

fn invalid(error: &henge_expr::ExprError) -> ExecError {
    ExecError::of_expression(error, "condition of the join: ")
}
