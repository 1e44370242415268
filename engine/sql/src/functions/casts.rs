//! CAST as Druid does it: what cannot be read is null, times are text in the session's zone.
//!
//! DATE is a day without a zone; TIMESTAMP is an instant. A boolean is 1 or 0 natively.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{InList, InSubquery, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, Projection, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TableSource, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::{call, literal, types};

/// The call in which the dialect puts each cast, with the name of its type.
pub(crate) const AS_TYPE: &str = "as_type";

/// Replaces casts that Druid does otherwise than DataFusion, after DataFusion has inserted its own.
#[derive(Debug, Default)]
pub(crate) struct DruidCasts;

impl AnalyzerRule for DruidCasts {
    fn name(&self) -> &str {
        "druid_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let replaced = plan.transform_up_with_subqueries(|plan| rewrite_in(plan, replace));
        replaced.map(|plan| plan.data)
    }
}

/// Compares text with the items of a list or the rows of a subquery as text, before DataFusion compares both as
/// numbers.
#[derive(Debug, Default)]
pub(crate) struct ListsOfText;

impl AnalyzerRule for ListsOfText {
    fn name(&self) -> &str {
        "lists_of_text"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let replaced = plan.transform_up_with_subqueries(|plan| rewrite_in(plan, as_texts));
        replaced.map(|plan| plan.data)
    }
}

fn as_texts(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_text = |tested: &Expr| matches!(tested.get_type(schema), Ok(DataType::Utf8));
    match expr {
        Expr::InList(list) if is_text(&list.expr) => Ok(list_of_texts(list, schema)),
        Expr::InSubquery(test) if is_text(&test.expr) => rows_of_texts(test),
        other => Ok(Transformed::no(other)),
    }
}

fn is_number(data_type: &DataType) -> bool {
    matches!(types::normal(data_type), DataType::Int64 | DataType::Float32 | DataType::Float64)
}

/// The numbers that a subquery gives as text.
fn rows_of_texts(mut test: InSubquery) -> Result<Transformed<Expr>> {
    let rows = Arc::clone(&test.subquery.subquery);
    let numbers = match rows.schema().iter().next() {
        Some((qualifier, field)) if is_number(field.data_type()) => {
            Column::from((qualifier, field))
        }
        _ => return Ok(Transformed::no(Expr::InSubquery(test))),
    };
    let name = numbers.name.clone();
    let texts = cast(Expr::Column(numbers), DataType::Utf8).alias(name);
    let rows = Projection::try_new(vec![texts], rows)?;
    test.subquery.subquery = Arc::new(LogicalPlan::Projection(rows));
    Ok(Transformed::yes(Expr::InSubquery(test)))
}

/// The numbers of a list as text.
fn list_of_texts(mut list: InList, schema: &DFSchema) -> Transformed<Expr> {
    let mut is_changed = false;
    for item in &mut list.list {
        if !item.get_type(schema).is_ok_and(|found| is_number(&found)) {
            continue;
        }
        is_changed = true;
        let number = std::mem::replace(item, Expr::Literal(ScalarValue::Null, None));
        *item = cast(number, DataType::Utf8);
    }
    let list = Expr::InList(list);
    if is_changed { Transformed::yes(list) } else { Transformed::no(list) }
}

/// Rewrites the expressions of an operator, whose outputs keep their names.
fn rewrite_in(
    plan: LogicalPlan,
    rewrite: fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        let source: &dyn TableSource = scan.source.as_ref();
        schema.merge(&DFSchema::try_from_qualified_schema(
            scan.table_name.clone(),
            &source.schema(),
        )?);
    }
    let names = NamePreserver::new(&plan);
    let mut replaced = |expr: Expr| {
        let name = names.save(&expr);
        let replaced = expr.transform_up(|expr| rewrite(expr, &schema))?;
        Ok(replaced.update_data(|expr| name.restore(expr)))
    };
    plan.map_expressions(|expr| match expr {
        // Sets have no names, the keys in them have.
        Expr::GroupingSet(_) => expr.map_children(&mut replaced),
        _ => replaced(expr),
    })?
    .map_data(LogicalPlan::recompute_schema)
}

fn replace(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (inner, target) = match expr {
        Expr::Cast(cast) => (cast.expr, cast.field.data_type().clone()),
        Expr::TryCast(cast) => (cast.expr, cast.field.data_type().clone()),
        Expr::ScalarFunction(mut call) if call.func.name() == AS_TYPE && call.args.len() == 2 => {
            return Ok(Transformed::yes(call.args.swap_remove(0)));
        }
        other => return Ok(Transformed::no(other)),
    };
    let source = inner.get_type(schema)?;
    let target = types::normal(&target);
    if source == target {
        return Ok(Transformed::yes(*inner));
    }
    if types::normal(&source) == target {
        return Ok(Transformed::yes(datafusion::logical_expr::cast(*inner, target)));
    }
    if is_arrows(&source, &target) {
        return Ok(Transformed::yes(datafusion::logical_expr::cast(*inner, target)));
    }
    Ok(Transformed::yes(cast(*inner, target)))
}

/// True where Arrow casts as Druid does.
fn is_arrows(source: &DataType, target: &DataType) -> bool {
    use DataType::{Boolean, Float32, Float64, Int64, Null, Timestamp, Utf8};
    matches!(
        (source, target),
        (Null, _)
            | (Int64, Float64 | Float32 | Utf8 | Timestamp(..))
            | (Float32, Float64)
            | (Float64, Float32)
            | (Timestamp(..), Int64)
            | (Boolean, Int64 | Float64 | Float32)
    )
}

/// A cast by Druid's rules.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "types are written where they are used")]
pub(crate) fn cast(inner: Expr, target: DataType) -> Expr {
    let function = Arc::new(ScalarUDF::new_from_impl(CastFunction::to(types::normal(&target))));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![inner]))
}

/// The expression under a cast and the type it is cast to, whoever made the cast.
#[must_use]
pub(crate) fn parts(expr: &Expr) -> Option<(&Expr, &DataType)> {
    match expr {
        Expr::Cast(cast) => Some((&cast.expr, cast.field.data_type())),
        Expr::TryCast(cast) => Some((&cast.expr, cast.field.data_type())),
        Expr::ScalarFunction(call) => {
            let cast = call.func.inner().downcast_ref::<CastFunction>()?;
            Some((call.args.first()?, &cast.target))
        }
        _ => None,
    }
}

/// A cast as a function, so that DataFusion evaluates it by our rules.
#[derive(Debug)]
pub(crate) struct CastFunction {
    target: DataType,
    signature: Signature,
}

impl CastFunction {
    fn to(target: DataType) -> Self {
        Self { target, signature: Signature::any(1, Volatility::Immutable) }
    }

    /// What it casts to.
    #[must_use]
    pub(crate) fn target(&self) -> &DataType {
        &self.target
    }
}

impl PartialEq for CastFunction {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

impl Eq for CastFunction {}

impl Hash for CastFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.target.hash(state);
    }
}

impl ScalarUDFImpl for CastFunction {
    fn name(&self) -> &str {
        "cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.target.clone())
    }

    fn return_field_from_args(
        &self,
        args: datafusion::logical_expr::ReturnFieldArgs<'_>,
    ) -> Result<datafusion::arrow::datatypes::FieldRef> {
        let field = Field::new("cast", self.target.clone(), true);
        // Several values cast one by one are several values.
        match args.arg_fields {
            [one] if self.target == DataType::Utf8 => {
                Ok(Arc::new(field.with_metadata(one.metadata().clone())))
            }
            _ => Ok(Arc::new(field)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        call::evaluate(&args, |arguments| {
            write(&arguments.texts[0], &arguments.types[0], &self.target, arguments.zone)
        })
    }
}

/// A cast as native text.
pub(super) fn write(
    value: &str,
    source: &DataType,
    target: &DataType,
    zone: &str,
) -> Result<String, String> {
    use DataType::{Boolean, Date32, Float32, Float64, Int64, Null, Timestamp, Utf8};
    let (source, target) = (types::normal(source), types::normal(target));
    let local = || if zone == "UTC" { String::new() } else { format!(",{}", literal::text(zone)) };
    let day = |pattern: &str, value: &str, zone: String| {
        format!("timestamp_format({value},'{pattern}'{zone})")
    };
    Ok(match (&source, &target) {
        (a, b) if a == b => value.to_owned(),
        (Null, _) => "null".to_owned(),
        (Boolean, Utf8) => format!("case_searched(isnull({value}),null,{value},'true','false')"),
        (Utf8, Boolean) => format!("if(isnull({value}),null,istrue({value}))"),
        (Int64 | Float32 | Float64, Boolean) => format!("({value} > 0)"),
        (Timestamp(..), Utf8) => day("yyyy-MM-dd HH:mm:ss", value, local()),
        (Date32, Utf8) => day("yyyy-MM-dd", value, String::new()),
        (Utf8, Timestamp(..)) if zone == "UTC" => format!("timestamp_parse({value})"),
        (Utf8, Timestamp(..)) => format!("timestamp_parse({value},null{})", local()),
        (Utf8, Date32) => format!("timestamp_floor(timestamp_parse({value}),'P1D')"),
        (Timestamp(..), Date32) if zone == "UTC" => format!("timestamp_floor({value},'P1D')"),
        (Timestamp(..), Date32) => {
            format!("timestamp_parse({},'yyyy-MM-dd')", day("yyyy-MM-dd", value, local()))
        }
        (Date32, Timestamp(..)) if zone == "UTC" => value.to_owned(),
        (Date32, Timestamp(..)) => {
            format!(
                "timestamp_parse({},'yyyy-MM-dd'{})",
                day("yyyy-MM-dd", value, String::new()),
                local()
            )
        }
        // Booleans and times are LONG natively.
        (Boolean | Timestamp(..) | Date32, Int64) | (Int64, Timestamp(..) | Date32) => {
            value.to_owned()
        }
        (Float32, Float64) | (Float64, Float32) => value.to_owned(),
        (_, Int64 | Timestamp(..) | Date32) => format!("CAST({value},'LONG')"),
        (_, Float64 | Float32) => format!("CAST({value},'DOUBLE')"),
        (_, Utf8) => format!("CAST({value},'STRING')"),
        (_, list) if types::is_array(list) => {
            let name = types::native_name(list).replace("FLOAT", "DOUBLE");
            format!("CAST({value},'{name}')")
        }
        (source, target) => return Err(format!("no cast from {source} to {target}")),
    })
}
