//! [`native`]: a call of an aggregate as native aggregators.

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::scalar::ScalarValue;
use henge_expr::Ast;
use serde_json::{Map, Value, json};

use super::declared::DeclaredAggregate;
use super::{counts, numbers};
use crate::functions::expression::{self, Refusal, Scope};
use crate::functions::types;

/// A call as native JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NativeAggregate {
    /// Virtual columns that the query needs besides those it has.
    pub virtual_columns: Vec<Value>,
    /// Aggregators.
    pub aggregations: Vec<Value>,
    /// What is computed from them, when the result is not simply the only aggregator.
    pub post_aggregation: Option<Value>,
    /// The result's name.
    pub output: String,
}

/// The names of one native query: `v0`, `v1`, … of virtual columns, `a0`, … of aggregators. What was made once is
/// found again, so that no expression is evaluated twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    virtual_columns: Vec<(String, &'static str)>,
    aggregations: usize,
}

impl Names {
    /// The virtual column of an expression, and its JSON when it is new.
    pub(crate) fn virtual_column(
        &mut self,
        text: &str,
        output_type: &'static str,
    ) -> (String, Option<Value>) {
        let known = self.virtual_columns.iter();
        if let Some(index) =
            known.clone().position(|(known, of)| known == text && *of == output_type)
        {
            return (format!("v{index}"), None);
        }
        let name = format!("v{}", self.virtual_columns.len());
        self.virtual_columns.push((text.to_owned(), output_type));
        let mut json = json!({"type": "expression", "name": name, "expression": text});
        // Arrays are what the expression gives: virtual columns have no type for them.
        if !output_type.starts_with("ARRAY") {
            json["outputType"] = output_type.into();
        }
        (name, Some(json))
    }

    /// The name of the next aggregator.
    pub(crate) fn aggregation(&mut self) -> String {
        self.aggregations += 1;
        format!("a{}", self.aggregations - 1)
    }
}

/// Writes a call natively.
///
/// # Errors
/// When no native aggregator gives exactly the same.
pub(crate) fn native(
    call: &AggregateFunction,
    scope: &dyn Scope,
    names: &mut Names,
) -> Result<NativeAggregate, Refusal> {
    if !call.params.order_by.is_empty() {
        return Err(Refusal::new("an aggregate with ORDER BY has no native form"));
    }
    if let Some(filtered) = of_sketch_when(call, scope) {
        return native(&filtered, scope, names);
    }
    let mut call = Call {
        arguments: &call.params.args,
        distinct: call.params.distinct,
        filter: call.params.filter.as_deref(),
        function: call.func.name(),
        declared: call.func.inner().downcast_ref::<DeclaredAggregate>(),
        scope,
        names,
        virtual_columns: Vec::new(),
    };
    match (call.declared, call.function) {
        (Some(declared), _) => (declared.aggregate.native)(&mut call),
        (None, "count") => counts::count(&mut call),
        (None, "sum") => numbers::sum(&mut call),
        (None, "min") => numbers::extreme(&mut call, "Min"),
        (None, "max") => numbers::extreme(&mut call, "Max"),
        (None, "avg") => numbers::average(&mut call),
        (None, other) => Err(Refusal::new(format!("{} has no native form", other.to_uppercase()))),
    }
}

/// An aggregate of `CASE WHEN condition THEN sketch END` as that of the sketch where the condition holds: no
/// expression gives a sketch.
fn of_sketch_when(call: &AggregateFunction, scope: &dyn Scope) -> Option<AggregateFunction> {
    let Some(Expr::Case(case)) = call.params.args.first() else { return None };
    let [(condition, sketch)] = case.when_then_expr.as_slice() else { return None };
    let is_else_null = match case.else_expr.as_deref() {
        None => true,
        Some(Expr::Literal(value, _)) => value.is_null(),
        Some(_) => false,
    };
    let (_, field) = sketch.to_field(scope.schema()).ok()?;
    let is_sketch = field.metadata().contains_key(types::DRUID_TYPE);
    if !is_sketch || !is_else_null || case.expr.is_some() {
        return None;
    }
    let mut filtered = call.clone();
    filtered.params.args[0] = sketch.as_ref().clone();
    let condition = condition.as_ref().clone();
    filtered.params.filter = Some(Box::new(match filtered.params.filter.take() {
        Some(other) => condition.and(*other),
        None => condition,
    }));
    Some(filtered)
}

/// A call that is being written.
pub(super) struct Call<'a> {
    pub(super) arguments: &'a [Expr],
    pub(super) distinct: bool,
    filter: Option<&'a Expr>,
    function: &'a str,
    declared: Option<&'a DeclaredAggregate>,
    pub(super) scope: &'a dyn Scope,
    names: &'a mut Names,
    virtual_columns: Vec<Value>,
}

impl Call<'_> {
    /// The type of an argument.
    pub(super) fn data_type(&self, index: usize) -> Result<DataType, Refusal> {
        let argument = self.argument(index)?;
        let given = types::normal(&expression::data_type(argument, self.scope)?);
        Ok(match self.declared {
            Some(declared) if index == 0 => declared.aggregate.takes.read(&given),
            _ => given,
        })
    }

    /// The complex type of an argument that is a column of sketches.
    pub(super) fn complex_type(&self, index: usize) -> Option<String> {
        let (_, field) = self.arguments.get(index)?.to_field(self.scope.schema()).ok()?;
        field.metadata().get(types::DRUID_TYPE).cloned()
    }

    /// An argument.
    pub(super) fn argument(&self, index: usize) -> Result<&Expr, Refusal> {
        let missing =
            || Refusal::new(format!("{} misses an argument", self.function.to_uppercase()));
        self.arguments.get(index).ok_or_else(missing)
    }

    /// The column that an argument is, a virtual one when it is computed.
    pub(super) fn field(&mut self, index: usize) -> Result<String, Refusal> {
        let output_type = types::native_name(&self.data_type(index)?);
        let text = expression::text(self.argument(index)?, self.scope)?;
        Ok(self.column(&text, output_type))
    }

    /// As [`Call::field`], for who reads numbers of all types as doubles: a cast of one to a double is left out.
    pub(super) fn number(&mut self, index: usize) -> Result<String, Refusal> {
        let argument = self.argument(index)?;
        let inner = match argument {
            Expr::Cast(cast) if self.data_type(index)? == DataType::Float64 => cast.expr.as_ref(),
            _ => return self.field(index),
        };
        match types::native_name(&types::normal(&expression::data_type(inner, self.scope)?)) {
            name @ ("LONG" | "FLOAT" | "DOUBLE") => {
                let text = expression::text(inner, self.scope)?;
                Ok(self.column(&text, name))
            }
            _ => self.field(index),
        }
    }

    /// The column that is null just where a computed argument is, when nothing has to be computed to know.
    pub(super) fn null_like(&self, index: usize) -> Result<Option<String>, Refusal> {
        let inner = match self.argument(index)? {
            Expr::Cast(cast)
                if expression::data_type(&cast.expr, self.scope)? == DataType::Int64 =>
            {
                cast.expr.as_ref()
            }
            other => other,
        };
        let text = expression::text(inner, self.scope)?;
        Ok(henge_expr::Expr::parse(&text).ok().and_then(|parsed| match parsed.ast() {
            Ast::Identifier(name) => Some(name.clone()),
            Ast::Call { name, arguments }
                if matches!(name.as_str(), "strlen" | "lower" | "upper") =>
            {
                match arguments.as_slice() {
                    [Ast::Identifier(name)] => Some(name.clone()),
                    _ => None,
                }
            }
            _ => None,
        }))
    }

    /// The column of a native text.
    pub(super) fn column(&mut self, text: &str, output_type: &'static str) -> String {
        let parsed = henge_expr::Expr::parse(text).ok();
        if let Some(name) = parsed.as_ref().and_then(henge_expr::Expr::as_identifier) {
            return name.to_owned();
        }
        let (name, json) = self.names.virtual_column(text, output_type);
        self.virtual_columns.extend(json);
        name
    }

    /// The constant integer of an argument, when it is given.
    pub(super) fn long(&self, index: usize) -> Result<Option<i64>, Refusal> {
        match self.constant(index)? {
            None | Some(ScalarValue::Null) => Ok(None),
            Some(value) => match value.cast_to(&DataType::Int64) {
                Ok(ScalarValue::Int64(long)) => Ok(long),
                _ => Err(self.no_literal(index, "an integer")),
            },
        }
    }

    /// The constant number of an argument, when it is given.
    pub(super) fn double(&self, index: usize) -> Result<Option<f64>, Refusal> {
        match self.constant(index)? {
            None | Some(ScalarValue::Null) => Ok(None),
            Some(value) => match value.cast_to(&DataType::Float64) {
                Ok(ScalarValue::Float64(double)) => Ok(double),
                _ => Err(self.no_literal(index, "a number")),
            },
        }
    }

    /// The constant text of an argument, when it is given.
    pub(super) fn text(&self, index: usize) -> Result<Option<String>, Refusal> {
        match self.constant(index)? {
            None | Some(ScalarValue::Null) => Ok(None),
            Some(value) => match value.cast_to(&DataType::Utf8) {
                Ok(ScalarValue::Utf8(text)) => Ok(text),
                _ => Err(self.no_literal(index, "a text")),
            },
        }
    }

    fn constant(&self, index: usize) -> Result<Option<&ScalarValue>, Refusal> {
        match self.arguments.get(index) {
            None => Ok(None),
            Some(Expr::Literal(value, _)) => Ok(Some(value)),
            Some(Expr::Cast(cast)) => match cast.expr.as_ref() {
                Expr::Literal(value, _) => Ok(Some(value)),
                _ => Err(self.no_literal(index, "constant")),
            },
            Some(_) => Err(self.no_literal(index, "constant")),
        }
    }

    fn no_literal(&self, index: usize, what: &str) -> Refusal {
        Refusal::new(format!(
            "argument {} of {} must be {what}",
            index + 1,
            self.function.to_uppercase()
        ))
    }

    /// The next aggregator's name.
    pub(super) fn name(&mut self) -> String {
        self.names.aggregation()
    }

    /// An aggregator with its name, type and fields, within FILTER (WHERE ..) when the call has one.
    pub(super) fn aggregator(
        &self,
        name: &str,
        type_name: &str,
        fields: Value,
    ) -> Result<Value, Refusal> {
        let filter = self.filter.map(|filter| self.scope.filter(filter)).transpose()?;
        Ok(filtered(aggregator(name, type_name, fields), name, filter))
    }

    /// As [`Call::aggregator`], over the rows besides in which a column is not null.
    pub(super) fn aggregator_of_known(
        &self,
        name: &str,
        type_name: &str,
        fields: Value,
        column: &str,
    ) -> Result<Value, Refusal> {
        let known = json!({"type": "not", "field": {"type": "null", "column": column}});
        self.aggregator_where(name, type_name, fields, known)
    }

    /// As [`Call::aggregator_of_known`] of a column of arrays, whatever is in them.
    pub(super) fn aggregator_of_arrays(
        &self,
        name: &str,
        type_name: &str,
        fields: Value,
        column: &str,
    ) -> Result<Value, Refusal> {
        let text = format!("(array_length({}) >= 0)", expression::identifier(column));
        self.aggregator_where(
            name,
            type_name,
            fields,
            json!({"type": "expression", "expression": text}),
        )
    }

    fn aggregator_where(
        &self,
        name: &str,
        type_name: &str,
        fields: Value,
        condition: Value,
    ) -> Result<Value, Refusal> {
        let filter = match self.filter {
            None => condition,
            Some(filter) => {
                json!({"type": "and", "fields": [condition, self.scope.filter(filter)?]})
            }
        };
        Ok(filtered(aggregator(name, type_name, fields), name, Some(filter)))
    }

    /// The call is one aggregator.
    pub(super) fn one(
        &mut self,
        type_name: &str,
        fields: Value,
    ) -> Result<NativeAggregate, Refusal> {
        let name = self.name();
        let aggregator = self.aggregator(&name, type_name, fields)?;
        Ok(self.finish(vec![aggregator], None, name))
    }

    /// The call is a post-aggregator over some aggregators.
    pub(super) fn finish(
        &mut self,
        aggregations: Vec<Value>,
        post_aggregation: Option<Value>,
        output: String,
    ) -> NativeAggregate {
        let virtual_columns = std::mem::take(&mut self.virtual_columns);
        NativeAggregate { virtual_columns, aggregations, post_aggregation, output }
    }
}

fn aggregator(name: &str, type_name: &str, fields: Value) -> Value {
    let mut all = Map::new();
    all.insert("type".to_owned(), type_name.into());
    all.insert("name".to_owned(), name.into());
    if let Value::Object(fields) = fields {
        all.extend(fields);
    }
    Value::Object(all)
}

fn filtered(aggregator: Value, name: &str, filter: Option<Value>) -> Value {
    match filter {
        None => aggregator,
        Some(filter) => {
            json!({"type": "filtered", "aggregator": aggregator, "filter": filter, "name": name})
        }
    }
}
