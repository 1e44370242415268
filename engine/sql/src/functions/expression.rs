//! [`text`]: an expression of DataFusion's as text of the native language.

use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::{Between, InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, Like, Operator};
use datafusion::scalar::ScalarValue;

use super::call::{NativeFunction, read_document};
use super::casts::{self, CastFunction};
use super::literal;
use super::table::Arguments;
use super::types;

/// Why something has no native form. EXPLAIN shows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Refusal {
    /// The reason in a few words.
    pub reason: String,
}

impl Refusal {
    /// With a reason.
    #[must_use]
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self { reason }
    }
}

/// What an expression is about: its columns and the session.
pub(crate) trait Scope {
    /// A column's native text: a quoted identifier, or the expression that the column stands for.
    ///
    /// # Errors
    /// When it has no native form.
    fn column(&self, column: &Column) -> Result<String, Refusal>;

    /// The columns' types.
    fn schema(&self) -> &DFSchema;

    /// The session's time zone, `UTC` unless the context says otherwise.
    fn time_zone(&self) -> &str;

    /// The statement's context by name.
    fn setting(&self, name: &str) -> Option<&serde_json::Value>;

    /// A condition as a native filter.
    ///
    /// # Errors
    /// When it has no native form. [`filter`] gives one for whatever has a native text.
    fn filter(&self, condition: &Expr) -> Result<serde_json::Value, Refusal>;
}

/// A quoted identifier of the native language.
#[must_use]
pub(crate) fn identifier(name: &str) -> String {
    literal::identifier(name)
}

/// A text constant of the native language.
#[must_use]
pub(crate) fn constant(text: &str) -> String {
    literal::text(text)
}

/// The expression as native text: booleans and times are LONG there.
///
/// # Errors
/// When the native language cannot say it.
pub(crate) fn text(expr: &Expr, scope: &dyn Scope) -> Result<String, Refusal> {
    let of = |expr: &Expr| text(expr, scope);
    let written = match expr {
        Expr::Alias(alias) => of(&alias.expr),
        Expr::Column(column) => scope.column(column),
        Expr::Literal(value, _) => literal::native(value)
            .ok_or_else(|| Refusal::new(format!("{value} has no native form"))),
        Expr::BinaryExpr(binary) => operator(binary, scope),
        Expr::Like(like) => like_text(like, scope),
        Expr::Not(inner) => Ok(format!("!({})", of(inner)?)),
        Expr::IsNull(inner) | Expr::IsUnknown(inner) => Ok(format!("isnull({})", of(inner)?)),
        Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => {
            Ok(format!("notnull({})", of(inner)?))
        }
        Expr::IsTrue(inner) => Ok(format!("istrue({})", of(inner)?)),
        Expr::IsFalse(inner) => Ok(format!("isfalse({})", of(inner)?)),
        Expr::IsNotTrue(inner) => Ok(format!("nottrue({})", of(inner)?)),
        Expr::IsNotFalse(inner) => Ok(format!("notfalse({})", of(inner)?)),
        Expr::Negative(inner) => Ok(format!("-({})", of(inner)?)),
        Expr::Between(between) => between_text(between, scope),
        Expr::Case(case) => case_text(case, scope),
        Expr::Cast(cast) => cast_text(&cast.expr, cast.field.data_type(), scope),
        Expr::TryCast(cast) => cast_text(&cast.expr, cast.field.data_type(), scope),
        Expr::InList(list) => in_list(list, scope),
        Expr::ScalarFunction(call) => call_text(call, scope),
        other => Err(Refusal::new(format!("{} has no native form", kind(other)))),
    }?;
    // Some functions are written with an argument twice: what is nested in them doubles.
    match written.len() > henge_expr::MAX_TEXT_BYTES {
        true => Err(Refusal::new("its native form would be too long")),
        false => Ok(written),
    }
}

/// A condition as a filter by its native text: right for whatever has one.
///
/// # Errors
/// As [`text`].
pub(crate) fn filter(condition: &Expr, scope: &dyn Scope) -> Result<serde_json::Value, Refusal> {
    Ok(serde_json::json!({"type": "expression", "expression": text(condition, scope)?}))
}

/// What an expression is called in a refusal.
fn kind(expr: &Expr) -> &'static str {
    match expr {
        Expr::AggregateFunction(_) => "an aggregate within an expression",
        Expr::WindowFunction(_) => "a window function",
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) => "a subquery",
        Expr::OuterReferenceColumn(..) => "a column of an outer query",
        Expr::Placeholder(_) => "a parameter",
        Expr::Unnest(_) => "UNNEST",
        _ => "this expression",
    }
}

fn operator(binary: &BinaryExpr, scope: &dyn Scope) -> Result<String, Refusal> {
    // A chain of ten thousand ANDs must not recurse ten thousand times.
    if let Some(sign) = chained(binary.op) {
        let mut operands = Vec::new();
        let mut left = binary;
        loop {
            operands.push(text(&left.right, scope)?);
            match left.left.as_ref() {
                Expr::BinaryExpr(inner) if inner.op == binary.op => left = inner,
                first => break operands.push(text(first, scope)?),
            }
        }
        operands.reverse();
        return Ok(format!("({})", operands.join(sign)));
    }
    let (left, right) = (text(&binary.left, scope)?, text(&binary.right, scope)?);
    let sign = match binary.op {
        Operator::Eq => "==",
        Operator::NotEq => "!=",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        Operator::Plus => "+",
        Operator::Minus => "-",
        Operator::Multiply => "*",
        Operator::Divide | Operator::IntegerDivide => "/",
        Operator::Modulo => "%",
        Operator::IsDistinctFrom => return Ok(format!("isdistinctfrom({left},{right})")),
        Operator::IsNotDistinctFrom => return Ok(format!("notdistinctfrom({left},{right})")),
        Operator::StringConcat => return Ok(format!("concat({left},{right})")),
        Operator::BitwiseAnd => return Ok(format!("bitwiseAnd({left},{right})")),
        Operator::BitwiseOr => return Ok(format!("bitwiseOr({left},{right})")),
        Operator::BitwiseXor => return Ok(format!("bitwiseXor({left},{right})")),
        other => return Err(Refusal::new(format!("the operator {other} has no native form"))),
    };
    Ok(format!("({left} {sign} {right})"))
}

fn chained(op: Operator) -> Option<&'static str> {
    match op {
        Operator::And => Some(" && "),
        Operator::Or => Some(" || "),
        _ => None,
    }
}

fn like_text(like: &Like, scope: &dyn Scope) -> Result<String, Refusal> {
    if like.case_insensitive {
        return Err(Refusal::new("ILIKE has no native form"));
    }
    let (value, pattern) = (text(&like.expr, scope)?, text(&like.pattern, scope)?);
    let call = match like.escape_char {
        Some(escape) => {
            format!("like({value},{pattern},{})", literal::text(escape.encode_utf8(&mut [0; 4])))
        }
        None => format!("like({value},{pattern})"),
    };
    Ok(negated(call, like.negated))
}

fn negated(text: String, is_negated: bool) -> String {
    if is_negated { format!("!({text})") } else { text }
}

fn between_text(between: &Between, scope: &dyn Scope) -> Result<String, Refusal> {
    let value = text(&between.expr, scope)?;
    let (low, high) = (text(&between.low, scope)?, text(&between.high, scope)?);
    Ok(negated(format!("(({value} >= {low}) && ({value} <= {high}))"), between.negated))
}

fn case_text(case: &Case, scope: &dyn Scope) -> Result<String, Refusal> {
    let mut parts = Vec::new();
    if let Some(subject) = &case.expr {
        parts.push(text(subject, scope)?);
    }
    for (when, then) in &case.when_then_expr {
        parts.push(text(when, scope)?);
        parts.push(text(then, scope)?);
    }
    parts.push(match &case.else_expr {
        Some(otherwise) => text(otherwise, scope)?,
        None => "null".to_owned(),
    });
    let name = if case.expr.is_some() { "case_simple" } else { "case_searched" };
    Ok(format!("{name}({})", parts.join(",")))
}

fn in_list(list: &InList, scope: &dyn Scope) -> Result<String, Refusal> {
    let value = text(&list.expr, scope)?;
    // A null in the list is never it, and leaves unknown what is nothing else of it.
    let is_null = |item: &&Expr| matches!(item, Expr::Literal(value, _) if value.is_null());
    let known: Vec<&Expr> = list.list.iter().filter(|item| !is_null(item)).collect();
    let items = known.iter().map(|item| text(item, scope)).collect::<Result<Vec<_>, _>>()?;
    // Arrays are no elements of a literal.
    let is_plain = |item: &&Expr| match item {
        Expr::Literal(value, _) => !types::is_array(&value.data_type()),
        _ => false,
    };
    let is_constant = known.iter().all(is_plain);
    let mut tests = match items.as_slice() {
        several if is_constant && several.len() > 1 => {
            vec![format!("scalar_in_array({value},[{}])", items.join(","))]
        }
        _ => items.iter().map(|item| format!("({value} == {item})")).collect(),
    };
    if known.len() < list.list.len() {
        tests.push("null".to_owned());
    }
    let test = match tests.as_slice() {
        [only] => only.clone(),
        _ => format!("({})", tests.join(" || ")),
    };
    Ok(negated(test, list.negated))
}

fn cast_text(
    inner: &Expr,
    target: &datafusion::arrow::datatypes::DataType,
    scope: &dyn Scope,
) -> Result<String, Refusal> {
    let source = data_type(inner, scope)?;
    Ok(casts::write(&text(inner, scope)?, &source, target, scope.time_zone())?)
}

/// The type of an expression in a scope.
///
/// # Errors
/// When DataFusion cannot tell it.
pub(crate) fn data_type(
    expr: &Expr,
    scope: &dyn Scope,
) -> Result<datafusion::arrow::datatypes::DataType, Refusal> {
    expr.get_type(scope.schema()).map_err(|error| Refusal::new(error.strip_backtrace()))
}

fn call_text(call: &ScalarFunction, scope: &dyn Scope) -> Result<String, Refusal> {
    if let Some(cast) = call.func.inner().downcast_ref::<CastFunction>() {
        let [inner] = call.args.as_slice() else {
            return Err(Refusal::new("a cast takes one value"));
        };
        return cast_text(inner, cast.target(), scope);
    }
    let Some(function) = call.func.inner().downcast_ref::<NativeFunction>() else {
        return Err(Refusal::new(format!(
            "{} has no native form",
            call.func.name().to_uppercase()
        )));
    };
    let mut texts = Vec::with_capacity(call.args.len());
    let mut constants = Vec::with_capacity(call.args.len());
    let mut types = Vec::with_capacity(call.args.len());
    for argument in &call.args {
        refuse_sketch(argument, scope)?;
        let written = text(argument, scope)?;
        texts.push(match argument.to_field(scope.schema()) {
            Ok((_, field)) => read_document(written, &field),
            Err(_) => written,
        });
        constants.push(constant_of(argument));
        types.push(data_type(argument, scope)?);
    }
    let arguments =
        Arguments { texts: &texts, constants: &constants, types: &types, zone: scope.time_zone() };
    Ok(function.write(&arguments)?)
}

/// Expressions read no sketches.
fn refuse_sketch(argument: &Expr, scope: &dyn Scope) -> Result<(), Refusal> {
    let Expr::Column(_) = argument else { return Ok(()) };
    let field = argument.to_field(scope.schema()).ok().map(|(_, field)| field);
    match field.as_ref().and_then(|field| field.metadata().get(types::DRUID_TYPE)) {
        Some(type_name) if type_name != "COMPLEX<json>" => {
            Err(Refusal::new(format!("a function of {type_name} has no native form")))
        }
        _ => Ok(()),
    }
}

fn constant_of(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Alias(alias) => constant_of(&alias.expr),
        _ => None,
    }
}
