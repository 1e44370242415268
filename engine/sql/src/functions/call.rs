//! [`NativeFunction`]: a function of the tables as DataFusion calls it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use henge_expr::{Budget, Expr, ExprValue, Limits, MAX_TEXT_BYTES};

use super::table::{Arguments, Function, Kind, Native, Returns};
use super::{literal, types, values};
use crate::plan::{check_by, stop_of};
use crate::watch::Stage;

/// A function of the tables.
#[derive(Debug)]
pub(super) struct NativeFunction {
    function: &'static Function,
    aliases: Vec<String>,
    signature: Signature,
}

impl PartialEq for NativeFunction {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for NativeFunction {}

impl Hash for NativeFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl NativeFunction {
    pub(super) fn new(function: &'static Function) -> Self {
        let aliases = function.aliases.iter().map(|alias| (*alias).to_owned()).collect();
        Self { function, aliases, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// Its native text. In SQL a JSON document is its JSON text, whatever it is.
    pub(super) fn write(&self, arguments: &Arguments<'_>) -> Result<String, String> {
        let text = self.function.write(arguments)?;
        Ok(match self.function.returns {
            Returns::Complex(JSON) => format!("to_json_string({text})"),
            _ => text,
        })
    }

    fn check_count(&self, count: usize) -> Result<()> {
        let most = self.function.takes.len();
        let fewest = most - self.function.optional;
        if count >= fewest && (count <= most || self.function.rest.is_some()) {
            return Ok(());
        }
        let wanted = match self.function.rest {
            Some(_) => format!("at least {fewest}"),
            None if fewest == most => fewest.to_string(),
            None => format!("{fewest} to {most}"),
        };
        plan_err!(
            "{} takes {wanted} arguments but was given {count}",
            self.function.name.to_uppercase()
        )
    }
}

impl ScalarUDFImpl for NativeFunction {
    fn name(&self) -> &str {
        self.function.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.check_count(given.len())?;
        let kinds = self
            .function
            .takes
            .iter()
            .copied()
            .chain(std::iter::repeat(self.function.rest.unwrap_or(Kind::Any)));
        let read: Vec<DataType> =
            given.iter().zip(kinds).map(|(given, kind)| read_as(kind, given)).collect();
        // What gives the widest of its arguments reads them all as that.
        Ok(match self.function.returns {
            Returns::Widest | Returns::ArrayOfWidest => vec![types::widest(&read); read.len()],
            _ => read,
        })
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(self.function.returns.of(arguments, &[]))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let given: Vec<DataType> =
            args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let data_type = self.function.returns.of(&given, args.scalar_arguments);
        let is_text = data_type == DataType::Utf8;
        let field = Field::new(self.function.name, data_type, true);
        let metadata = match self.function.returns {
            Returns::Complex(name) => [(types::DRUID_TYPE.to_owned(), name.to_owned())].into(),
            Returns::NamedComplex => match args.scalar_arguments.first() {
                Some(Some(ScalarValue::Utf8(Some(name)))) => {
                    [(types::DRUID_TYPE.to_owned(), format!("COMPLEX<{name}>"))].into()
                }
                _ => return Ok(Arc::new(field)),
            },
            Returns::MultiValue => [(types::MULTI_VALUE.to_owned(), "true".to_owned())].into(),
            _ if is_text && args.arg_fields.iter().any(|field| values::is_multi_value(field)) => {
                [(types::MULTI_VALUE.to_owned(), "true".to_owned())].into()
            }
            _ => return Ok(Arc::new(field)),
        };
        Ok(Arc::new(field.with_metadata(metadata)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match self.function.native {
            Native::Answered(run) => answered(&args, run),
            Native::Arithmetic(sign) => match whole(&args, sign) {
                Some(computed) => computed,
                None => evaluate(&args, |arguments| self.write(arguments)),
            },
            _ => evaluate(&args, |arguments| self.write(arguments)),
        }
    }
}

/// Arithmetic of BIGINTs a batch at a time; `None` when a result is beyond 64 bits, or for other types.
fn whole(args: &ScalarFunctionArgs, sign: char) -> Option<Result<ColumnarValue>> {
    let [left, right] = args.args.as_slice() else { return None };
    if left.data_type() != DataType::Int64 || right.data_type() != DataType::Int64 {
        return None;
    }
    let constant = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
    let is_constant = constant(left) && constant(right);
    let rows = if is_constant { 1 } else { args.number_rows };
    let (left, right) = (left.to_array(rows).ok()?, right.to_array(rows).ok()?);
    let computed = match sign {
        '+' => numeric::add(&left, &right),
        '-' => numeric::sub(&left, &right),
        _ => numeric::mul(&left, &right),
    };
    let array = computed.ok()?;
    Some(match is_constant {
        true => ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar),
        false => Ok(ColumnarValue::Array(array)),
    })
}

/// The type that a value is cast to before a function reads it.
fn read_as(kind: Kind, given: &DataType) -> DataType {
    let given = types::normal(given);
    match kind {
        Kind::Any => given,
        _ if types::is_array(&given) && kind == Kind::Text => given,
        Kind::Text => DataType::Utf8,
        Kind::Number => match given {
            DataType::Int64 | DataType::Float32 | DataType::Float64 | DataType::Null => given,
            DataType::Boolean | DataType::Timestamp(..) | DataType::Date32 => DataType::Int64,
            _ => DataType::Float64,
        },
        Kind::Long => DataType::Int64,
        Kind::Double => DataType::Float64,
        Kind::TimeOrDay if given == DataType::Date32 => given,
        Kind::Time | Kind::TimeOrDay => types::TIMESTAMP,
    }
}

/// Evaluates over batches the native text that `write` gives; constants are part of that text, so that they are
/// folded and prepared once.
pub(super) fn evaluate(
    args: &ScalarFunctionArgs,
    write: impl Fn(&Arguments<'_>) -> Result<String, String>,
) -> Result<ColumnarValue> {
    let mut texts = Vec::with_capacity(args.args.len());
    let mut constants = Vec::with_capacity(args.args.len());
    for (index, argument) in args.args.iter().enumerate() {
        let constant = match argument {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        };
        let first = first_place(&args.args, index);
        texts.push(argument_text(first, constant, args.arg_fields.get(index)));
        constants.push(constant.cloned());
    }
    let given: Vec<DataType> =
        args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
    let zone = args.config_options.execution.time_zone.as_deref().unwrap_or("UTC");
    let arguments = Arguments { texts: &texts, constants: &constants, types: &given, zone };
    let text = write(&arguments).map_err(|reason| exec_datafusion_err!("{reason}"))?;
    let expression = Expr::parse(&text).map_err(|error| exec_datafusion_err!("{error}"))?;
    let arrays = arrays_of(args);
    if arrays.is_empty() {
        return run(&expression, args);
    }
    let names: Vec<&str> = arrays.iter().map(String::as_str).collect();
    let whole = expression.over_arrays(&names).map_err(|error| exec_datafusion_err!("{error}"))?;
    run(&whole, args)
}

/// The arguments of type ARRAY by their names in the text that is evaluated: such a value is one value, where of
/// VARCHAR with several values each is taken by itself.
fn arrays_of(args: &ScalarFunctionArgs) -> Vec<String> {
    let is_array = |field: &FieldRef| types::is_array(field.data_type());
    let places =
        (0..args.args.len()).filter(|place| args.arg_fields.get(*place).is_some_and(is_array));
    places.map(|place| format!("a{}", first_place(&args.args, place))).collect()
}

/// The first argument that is the same column: several values of a row are taken in turn once for all of them.
fn first_place(args: &[ColumnarValue], index: usize) -> usize {
    let ColumnarValue::Array(array) = &args[index] else { return index };
    let is_same = |other: &ColumnarValue| match other {
        ColumnarValue::Array(other) => Arc::ptr_eq(array, other),
        ColumnarValue::Scalar(_) => false,
    };
    args.iter().position(is_same).unwrap_or(index)
}

/// The type of JSON documents.
const JSON: &str = "COMPLEX<json>";

/// A native text as the document that it is the JSON text of, when the field says so.
pub(super) fn read_document(text: String, field: &Field) -> String {
    match field.metadata().get(types::DRUID_TYPE) {
        Some(name) if name == JSON => format!("nvl(try_parse_json({text}),{text})"),
        _ => text,
    }
}

/// An argument in the text that is evaluated: a constant by itself, anything else by its position.
fn argument_text(index: usize, constant: Option<&ScalarValue>, field: Option<&FieldRef>) -> String {
    // Several values of a row are no constant of the native language.
    let is_plain = !field.is_some_and(|field| values::is_multi_value(field));
    let text = constant.filter(|_| is_plain).and_then(literal::native);
    let text =
        text.filter(|text| text.len() < MAX_TEXT_BYTES / 2).unwrap_or_else(|| format!("a{index}"));
    match field {
        Some(field) => read_document(text, field),
        None => text,
    }
}

fn run(expression: &Expr, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let mut columns = Vec::new();
    for name in expression.identifiers() {
        match name[1..].parse::<usize>().ok().filter(|index| *index < args.args.len()) {
            Some(index) => columns.push(index),
            None => return Err(exec_datafusion_err!("unknown column {name}")),
        }
    }
    let budget = Budget::new(Limits::ROW, stop_of(&args.config_options));
    let computed = each_row(args, &columns, |slots| {
        budget.renew();
        expression.eval_within(slots, &budget).map_err(|error| error.to_string())
    });
    match computed {
        Ok(computed) => Ok(computed),
        // Of a statement that may not go on it is told why.
        Err(error) => check_by(&args.config_options, Stage::Run).and(Err(error)),
    }
}

/// Computes a function of the values of all arguments.
fn answered(
    args: &ScalarFunctionArgs,
    run: fn(&[ExprValue]) -> Result<ExprValue, String>,
) -> Result<ColumnarValue> {
    let columns: Vec<usize> = (0..args.args.len()).collect();
    each_row(args, &columns, run)
}

/// Computes a function of some arguments for each row, once when all are constant.
fn each_row(
    args: &ScalarFunctionArgs,
    columns: &[usize],
    run: impl Fn(&[ExprValue]) -> Result<ExprValue, String>,
) -> Result<ColumnarValue> {
    let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    let rows = if is_constant { 1 } else { args.number_rows };
    let mut readers = Vec::with_capacity(columns.len());
    for &index in columns {
        let array: ArrayRef = args.args[index].to_array(rows)?;
        readers.push(values::Reader::new(&array, &args.arg_fields[index])?);
    }
    let mut results = Vec::with_capacity(rows);
    let mut slots = vec![ExprValue::Null; readers.len()];
    for row in 0..rows {
        for (slot, reader) in slots.iter_mut().zip(&readers) {
            *slot = reader.get(row);
        }
        results.push(run(&slots).map_err(|error| exec_datafusion_err!("{error}"))?);
    }
    let array = values::array(&results, &args.return_field)?;
    if is_constant {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
    }
    Ok(ColumnarValue::Array(array))
}
