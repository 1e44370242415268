//! [`native`]: a condition as a native filter. Combinations are taken apart; a comparison of one column with
//! constants becomes the filter of its kind, anything else an `expression`.
//!
//! Of several values of a row a comparison holds when it holds for one of them, and `not` is of that: this is
//! what Druid's SQL means as well.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::expr::{Between, InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Like, Operator};
use datafusion::scalar::ScalarValue;
use serde_json::{Map, Value, json};

use super::constant::typed;
use super::each;
use super::scope::RowScope;
use crate::functions::casts;
use crate::functions::expression::{self, Refusal};
use crate::functions::types;

/// The filter of a condition.
///
/// # Errors
/// When the condition has no native form.
pub(super) fn native(condition: &Expr, scope: &RowScope<'_>) -> Result<Value, Refusal> {
    match condition {
        Expr::Alias(alias) => native(&alias.expr, scope),
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => {
            let fields = operands(condition, *op);
            let fields = fields.into_iter().map(|field| native(field, scope));
            Ok(combined(*op, fields.collect::<Result<_, _>>()?))
        }
        Expr::Not(inner) => Ok(not(native(inner, scope)?)),
        Expr::Literal(ScalarValue::Boolean(Some(value)), _) => {
            Ok(json!({"type": value.to_string()}))
        }
        _ => match leaf(condition, scope) {
            Some(filter) => Ok(filter),
            None => match each::native(condition, scope)? {
                Some(filter) => Ok(filter),
                None => expression::filter(condition, scope),
            },
        },
    }
}

/// All of some conditions.
pub(super) fn all(fields: Vec<Value>) -> Option<Value> {
    (!fields.is_empty()).then(|| combined(Operator::And, fields))
}

/// The conditions that AND, or OR, puts together. A chain of ten thousand of them does not recurse.
pub(super) fn operands(condition: &Expr, op: Operator) -> Vec<&Expr> {
    let mut found = Vec::new();
    let mut open = vec![condition];
    while let Some(next) = open.pop() {
        match next {
            Expr::BinaryExpr(binary) if binary.op == op => {
                open.push(&binary.right);
                open.push(&binary.left);
            }
            Expr::Alias(alias) => open.push(&alias.expr),
            other => found.push(other),
        }
    }
    found
}

fn combined(op: Operator, fields: Vec<Value>) -> Value {
    let mut fields = if op == Operator::And { joined_ranges(fields) } else { fields };
    match fields.pop() {
        Some(only) if fields.is_empty() => only,
        last => {
            fields.extend(last);
            json!({"type": if op == Operator::And { "and" } else { "or" }, "fields": fields})
        }
    }
}

/// A lower and an upper end of one column are one range: of several values of a row one must be within both, as
/// Druid has it too.
fn joined_ranges(fields: Vec<Value>) -> Vec<Value> {
    let mut joined: Vec<Value> = Vec::with_capacity(fields.len());
    // For each column the place of a range that has one end only.
    let mut open: HashMap<String, usize> = HashMap::new();
    for field in fields {
        let ends = (field.get("lower").is_some(), field.get("upper").is_some());
        let column = field["column"].as_str().filter(|_| field["type"] == "range");
        let (Some(column), true) = (column, ends.0 != ends.1) else {
            joined.push(field);
            continue;
        };
        let key = format!("{} {column}", field["matchValueType"]);
        match open.get(&key).map(|place| &mut joined[*place]) {
            Some(Value::Object(other))
                if !other.contains_key(if ends.0 { "lower" } else { "upper" }) =>
            {
                if let Value::Object(field) = field {
                    other.extend(field);
                }
            }
            _ => {
                open.insert(key, joined.len());
                joined.push(field);
            }
        }
    }
    joined
}

#[expect(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
fn not(field: Value) -> Value {
    json!({"type": "not", "field": field})
}

/// A comparison of one column with constants; `None` for what is none.
fn leaf(condition: &Expr, scope: &RowScope<'_>) -> Option<Value> {
    match condition {
        Expr::Column(_) => {
            let column = Compared::of(condition, scope)?;
            (column.data_type == DataType::Boolean)
                .then(|| column.equals(&ScalarValue::Boolean(Some(true))))?
        }
        Expr::IsNull(inner) => Some(Compared::of(inner, scope)?.is_null()),
        Expr::IsNotNull(inner) => Some(not(Compared::of(inner, scope)?.is_null())),
        Expr::BinaryExpr(binary) => comparison(binary, scope),
        Expr::Between(between) => between_filter(between, scope),
        Expr::InList(list) => one_of(list, scope),
        Expr::Like(like) => like_filter(like, scope),
        Expr::ScalarFunction(call) => any_of_several(call, scope),
        _ => None,
    }
}

/// A column that is compared with constants.
struct Compared<'d> {
    name: &'d str,
    data_type: DataType,
}

impl<'d> Compared<'d> {
    /// The column under casts that change none of its values.
    fn of(expr: &Expr, scope: &RowScope<'d>) -> Option<Self> {
        if let Some(name) = scope.native_column(expr) {
            let data_type = types::normal(&expression::data_type(expr, scope).ok()?);
            let is_plain = !types::is_array(&data_type) && !is_complex(expr, scope);
            return is_plain.then_some(Self { name, data_type });
        }
        let (inner, target) = casts::parts(expr)?;
        let inner = Self::of(inner, scope)?;
        let keeps = match (&inner.data_type, types::normal(target)) {
            (DataType::Int64 | DataType::Float32, DataType::Float64) => true,
            (from, to) if types::is_time(from) && to == types::TIMESTAMP => true,
            (from, to) => *from == to,
        };
        keeps.then_some(inner)
    }

    fn is_null(&self) -> Value {
        json!({"type": "null", "column": self.name})
    }

    fn equals(&self, constant: &ScalarValue) -> Option<Value> {
        let (match_type, value) = typed(constant, &self.data_type)?;
        Some(json!({
            "type": "equals",
            "column": self.name,
            "matchValueType": match_type,
            "matchValue": value,
        }))
    }

    /// Ends are constants with whether they are outside themselves.
    fn range(
        &self,
        lower: Option<(&ScalarValue, bool)>,
        upper: Option<(&ScalarValue, bool)>,
    ) -> Option<Value> {
        let mut filter = Map::new();
        filter.insert("type".to_owned(), "range".into());
        filter.insert("column".to_owned(), self.name.into());
        let mut types = Vec::new();
        for (end, constant) in [("lower", lower), ("upper", upper)] {
            let Some((constant, is_open)) = constant else { continue };
            let (match_type, value) = typed(constant, &self.data_type)?;
            types.push(match_type);
            filter.insert(end.to_owned(), value);
            if is_open {
                filter.insert(format!("{end}Open"), true.into());
            }
        }
        types.dedup();
        let [match_type] = types.as_slice() else { return None };
        filter.insert("matchValueType".to_owned(), (*match_type).into());
        Some(Value::Object(filter))
    }
}

fn is_complex(expr: &Expr, scope: &RowScope<'_>) -> bool {
    use datafusion::logical_expr::ExprSchemable;
    let field = expr.to_field(scope.schema);
    field.is_ok_and(|(_, field)| field.metadata().contains_key(types::DRUID_TYPE))
}

fn constant(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Alias(alias) => constant(&alias.expr),
        _ => None,
    }
}

fn comparison(binary: &BinaryExpr, scope: &RowScope<'_>) -> Option<Value> {
    let (column, op, value) = match (constant(&binary.left), constant(&binary.right)) {
        (None, Some(value)) => (&binary.left, binary.op, value),
        (Some(value), None) => (&binary.right, binary.op.swap()?, value),
        _ => return None,
    };
    let column = Compared::of(column, scope)?;
    match op {
        Operator::Eq => column.equals(value),
        Operator::NotEq => column.equals(value).map(not),
        Operator::Lt => column.range(None, Some((value, true))),
        Operator::LtEq => column.range(None, Some((value, false))),
        Operator::Gt => column.range(Some((value, true)), None),
        Operator::GtEq => column.range(Some((value, false)), None),
        // These two are never unknown.
        Operator::IsNotDistinctFrom | Operator::IsDistinctFrom => {
            let same = if value.is_null() {
                column.is_null()
            } else {
                all(vec![not(column.is_null()), column.equals(value)?])?
            };
            Some(if op == Operator::IsDistinctFrom { not(same) } else { same })
        }
        _ => None,
    }
}

fn between_filter(between: &Between, scope: &RowScope<'_>) -> Option<Value> {
    let (low, high) = (constant(&between.low)?, constant(&between.high)?);
    let column = Compared::of(&between.expr, scope)?;
    let filter = column.range(Some((low, false)), Some((high, false)))?;
    Some(if between.negated { not(filter) } else { filter })
}

/// `in` compares as text, with numbers as their value. A null in the list matches nothing in SQL, and leaves
/// unknown what else does not match.
fn one_of(list: &InList, scope: &RowScope<'_>) -> Option<Value> {
    let column = Compared::of(&list.expr, scope)?;
    let values = list.list.iter().map(|item| {
        let (_, value) = typed(constant(item)?, &column.data_type)?;
        Some(match value {
            Value::String(text) => text,
            number => number.to_string(),
        })
    });
    let values = values.collect::<Option<Vec<String>>>()?;
    let filter = json!({"type": "in", "dimension": column.name, "values": values});
    Some(if list.negated { not(filter) } else { filter })
}

/// That a row has a text, or one of some: what `plan/several` makes of comparisons.
fn any_of_several(call: &ScalarFunction, scope: &RowScope<'_>) -> Option<Value> {
    let [texts, wanted] = call.args.as_slice() else { return None };
    let column = Compared::of(texts, scope).filter(|column| column.data_type == DataType::Utf8)?;
    match (call.func.name(), constant(wanted)?) {
        ("any_equals", ScalarValue::Utf8(Some(text))) => {
            column.equals(&ScalarValue::Utf8(Some(text.clone())))
        }
        ("any_in", ScalarValue::List(list)) if list.len() == 1 => {
            let items = list.value(0);
            let items = items.as_string_opt::<i32>()?.iter();
            let values = items.map(|item| item.map(str::to_owned));
            let values = values.collect::<Option<Vec<String>>>()?;
            Some(json!({"type": "in", "dimension": column.name, "values": values}))
        }
        _ => None,
    }
}

fn like_filter(like: &Like, scope: &RowScope<'_>) -> Option<Value> {
    let pattern = constant(&like.pattern)?.try_as_str().flatten()?;
    let column = Compared::of(&like.expr, scope)?;
    if like.case_insensitive || column.data_type != DataType::Utf8 {
        return None;
    }
    let mut filter = json!({"type": "like", "dimension": column.name, "pattern": pattern});
    if let Some(escape) = like.escape_char {
        filter["escape"] = escape.to_string().into();
    }
    Some(if like.negated { not(filter) } else { filter })
}
