//! Operators by Druid's rules: which types meet, arithmetic with intervals, division that is null by zero.

use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::{DFSchema, Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, lit};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::table::{Function, Kind, Native, Returns, call, function, written};
use super::{casts, types};

use Kind::{Any, Long, Number, Text, Time};

/// What operators become.
pub(super) const FUNCTIONS: &[Function] = &[
    arithmetic_of("plus", '+'),
    arithmetic_of("minus", '-'),
    arithmetic_of("times", '*'),
    written(casts::AS_TYPE, &[Any, Text], Returns::First, |a| Ok(a.texts[0].clone())),
    written("divide", &[Number, Number], Returns::Number, |a| {
        Ok(format!("({} / {})", a.texts[0], a.texts[1]))
    }),
    written("mod", &[Number, Number], Returns::Number, |a| {
        Ok(format!("({} % {})", a.texts[0], a.texts[1]))
    }),
    call("textcat", &[Text, Text], Returns::Text, "concat"),
    written("time_plus_millis", &[Time, Long], Returns::Time, |a| {
        Ok(format!("({} + {})", a.texts[0], a.texts[1]))
    }),
    written("millis_between", &[Time, Time], Returns::Long, |a| {
        Ok(format!("({} - {})", a.texts[0], a.texts[1]))
    }),
    call("nvl", &[Any], Returns::Widest, "coalesce").rest(Any).aliases(&["coalesce", "ifnull"]),
    written("nullif", &[Any, Any], Returns::First, |a| {
        Ok(format!("case_searched(({0} == {1}),null,{0})", a.texts[0], a.texts[1]))
    }),
];

/// Of BIGINTs: null beyond 64 bits, as in native queries.
const fn arithmetic_of(name: &'static str, sign: char) -> Function {
    function(name, &[Number, Number], Returns::Number, Native::Arithmetic(sign))
}

/// Plans what SQL writes with signs and words.
#[derive(Debug)]
pub(super) struct DruidOperators;

impl ExprPlanner for DruidOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema))
        else {
            return Ok(PlannerResult::Original(expr));
        };
        let RawBinaryExpr { op, left: a, right: b } = expr;
        let types = (types::normal(&left), types::normal(&right));
        let planned = match op {
            BinaryOperator::StringConcat if types::is_array(&types.0) => {
                invoke("array_concat", vec![a, b])?
            }
            BinaryOperator::StringConcat => invoke("textcat", vec![a, b])?,
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply => {
                arithmetic(&op, a, b, &types)?
            }
            BinaryOperator::Divide => invoke("divide", vec![a, b])?,
            BinaryOperator::Modulo => invoke("mod", vec![a, b])?,
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => {
                let (a, b) = comparable(a, b, &types);
                return Ok(PlannerResult::Original(RawBinaryExpr { op, left: a, right: b }));
            }
            _ => return Ok(PlannerResult::Original(RawBinaryExpr { op, left: a, right: b })),
        };
        Ok(PlannerResult::Planned(planned))
    }

    fn plan_array_literal(
        &self,
        exprs: Vec<Expr>,
        _: &DFSchema,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        invoke("array", exprs).map(PlannerResult::Planned)
    }

    fn plan_extract(&self, mut args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        args.reverse();
        invoke("time_extract", args).map(PlannerResult::Planned)
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        invoke("substring", args).map(PlannerResult::Planned)
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        invoke("strpos", args).map(PlannerResult::Planned)
    }
}

/// A call of one of the functions of the tables.
///
/// # Errors
/// When there is none of the name.
pub(crate) fn invoke(name: &str, args: Vec<Expr>) -> Result<Expr> {
    let function = super::scalar(name).ok_or_else(|| exec_datafusion_err!("no function {name}"))?;
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
}

fn arithmetic(op: &BinaryOperator, a: Expr, b: Expr, types: &(DataType, DataType)) -> Result<Expr> {
    if let DataType::Interval(_) = types.1 {
        return shifted(op, a, &b, &types.0);
    }
    if let DataType::Interval(_) = types.0 {
        return match op {
            BinaryOperator::Plus => shifted(op, b, &a, &types.1),
            BinaryOperator::Multiply => times(&a, &b),
            _ => plan_err!("an interval can be added to a time or multiplied by a number"),
        };
    }
    if types::is_time(&types.0) && types::is_time(&types.1) && *op == BinaryOperator::Minus {
        return invoke("millis_between", vec![a, b]);
    }
    let (operator, name) = match op {
        BinaryOperator::Plus => (Operator::Plus, "plus"),
        BinaryOperator::Minus => (Operator::Minus, "minus"),
        _ => (Operator::Multiply, "times"),
    };
    let (a, b) = (number(a, &types.0), number(b, &types.1));
    if is_whole(&types.0) && is_whole(&types.1) {
        return invoke(name, vec![a, b]);
    }
    Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(a), operator, Box::new(b))))
}

/// What [`number`] reads as BIGINT.
fn is_whole(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64 | DataType::Boolean | DataType::Null)
        || types::is_time(data_type)
}

/// What is no number is read as one: text as DOUBLE, booleans and times as BIGINT.
fn number(expr: Expr, data_type: &DataType) -> Expr {
    match data_type {
        DataType::Utf8 => casts::cast(expr, DataType::Float64),
        DataType::Boolean => casts::cast(expr, DataType::Int64),
        DataType::Null => casts::cast(expr, DataType::Int64),
        time if types::is_time(time) => casts::cast(expr, DataType::Int64),
        _ => expr,
    }
}

/// Casts what DataFusion would not compare as Druid does.
fn comparable(a: Expr, b: Expr, types: &(DataType, DataType)) -> (Expr, Expr) {
    match types {
        (DataType::Boolean, DataType::Utf8) => (a, casts::cast(b, DataType::Boolean)),
        (DataType::Utf8, DataType::Boolean) => (casts::cast(a, DataType::Boolean), b),
        (DataType::Boolean, DataType::Int64 | DataType::Float64 | DataType::Float32) => {
            (casts::cast(a, DataType::Int64), b)
        }
        (DataType::Int64 | DataType::Float64 | DataType::Float32, DataType::Boolean) => {
            (a, casts::cast(b, DataType::Int64))
        }
        (DataType::Utf8, DataType::Int64) => (casts::cast(a, number_beside(&b)), b),
        (DataType::Int64, DataType::Utf8) => {
            let data_type = number_beside(&a);
            (a, casts::cast(b, data_type))
        }
        (DataType::Utf8, DataType::Float32 | DataType::Float64) => {
            (casts::cast(a, DataType::Float64), b)
        }
        (DataType::Float32 | DataType::Float64, DataType::Utf8) => {
            (a, casts::cast(b, DataType::Float64))
        }
        (time, DataType::Int64) if types::is_time(time) => (casts::cast(a, DataType::Int64), b),
        (DataType::Int64, time) if types::is_time(time) => (a, casts::cast(b, DataType::Int64)),
        (DataType::Date32, DataType::Timestamp(..) | DataType::Utf8) => (
            casts::cast(a, types::TIMESTAMP),
            if types.1 == DataType::Utf8 { casts::cast(b, types::TIMESTAMP) } else { b },
        ),
        (DataType::Timestamp(..), DataType::Date32 | DataType::Utf8) => {
            (a, casts::cast(b, types::TIMESTAMP))
        }
        (DataType::Utf8, DataType::Timestamp(..)) => (casts::cast(a, types::TIMESTAMP), b),
        (DataType::Utf8, DataType::Date32) => {
            (casts::cast(a, types::TIMESTAMP), casts::cast(b, types::TIMESTAMP))
        }
        _ => (a, b),
    }
}

/// What a text beside a whole number is read as: a BIGINT would be 1 of '1.5'. Constants that a DOUBLE does not hold
/// are compared with as they are.
fn number_beside(whole: &Expr) -> DataType {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    match whole {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) if value.unsigned_abs() >= EXACT => {
            DataType::Int64
        }
        _ => DataType::Float64,
    }
}

/// A time moved by an interval: months in the session's zone, days and less by their milliseconds.
fn shifted(op: &BinaryOperator, time: Expr, interval: &Expr, data_type: &DataType) -> Result<Expr> {
    let is_date = *data_type == DataType::Date32;
    let Some(IntervalMonthDayNano { months, days, nanoseconds }) = constant(interval) else {
        return plan_err!("write the interval as a literal, or use TIME_SHIFT or TIMESTAMPADD");
    };
    let sign = if *op == BinaryOperator::Minus { -1 } else { 1 };
    let ms = sign * (i64::from(days) * 86_400_000 + nanoseconds / 1_000_000);
    let mut moved = time;
    if months != 0 {
        let step = i64::from(months) * sign;
        let period = format!("P{}M", step.unsigned_abs());
        moved = invoke("time_shift", vec![moved, lit(period), lit(step.signum())])?;
    }
    if ms != 0 || months == 0 {
        moved = invoke("time_plus_millis", vec![moved, lit(ms)])?;
    }
    let whole_days = nanoseconds % 86_400_000_000_000 == 0;
    Ok(if is_date && whole_days { casts::cast(moved, DataType::Date32) } else { moved })
}

/// The interval that a constant is.
fn constant(expr: &Expr) -> Option<IntervalMonthDayNano> {
    match expr {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) => Some(*interval),
        Expr::Literal(ScalarValue::IntervalYearMonth(Some(months)), _) => {
            Some(IntervalMonthDayNano::new(*months, 0, 0))
        }
        Expr::Literal(ScalarValue::IntervalDayTime(Some(interval)), _) => {
            Some(IntervalMonthDayNano::new(
                0,
                interval.days,
                i64::from(interval.milliseconds) * 1_000_000,
            ))
        }
        Expr::Negative(inner) => {
            let IntervalMonthDayNano { months, days, nanoseconds } = constant(inner)?;
            Some(IntervalMonthDayNano::new(-months, -days, -nanoseconds))
        }
        _ => None,
    }
}

/// An interval so many times.
fn times(interval: &Expr, factor: &Expr) -> Result<Expr> {
    let (Some(interval), Expr::Literal(ScalarValue::Int64(Some(factor)), _)) =
        (constant(interval), factor)
    else {
        return plan_err!("multiply an interval by an integer literal, or use TIMESTAMPADD");
    };
    let product = || -> Option<IntervalMonthDayNano> {
        let factor32 = i32::try_from(*factor).ok()?;
        Some(IntervalMonthDayNano::new(
            interval.months.checked_mul(factor32)?,
            interval.days.checked_mul(factor32)?,
            interval.nanoseconds.checked_mul(*factor)?,
        ))
    };
    match product() {
        Some(product) => Ok(lit(ScalarValue::IntervalMonthDayNano(Some(product)))),
        None => plan_err!("the interval is too long"),
    }
}
