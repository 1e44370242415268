//! What the tables of functions are made of.

use datafusion::arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;
use henge_expr::ExprValue;

use super::types;

/// A scalar function of SQL.
pub(super) struct Function {
    /// Its name in lower case.
    pub(super) name: &'static str,
    /// Other names in lower case.
    pub(super) aliases: &'static [&'static str],
    /// What it takes, in order.
    pub(super) takes: &'static [Kind],
    /// How many of these may be left out at the end.
    pub(super) optional: usize,
    /// What may follow as often as one likes.
    pub(super) rest: Option<Kind>,
    /// The type of its result.
    pub(super) returns: Returns,
    /// Its text in the native language.
    pub(super) native: Native,
}

/// What an argument is read as; a value of another type is cast as Druid casts implicitly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whatever it is.
    Any,
    /// VARCHAR.
    Text,
    /// BIGINT, FLOAT or DOUBLE as it comes; text as DOUBLE.
    Number,
    /// BIGINT.
    Long,
    /// DOUBLE.
    Double,
    /// TIMESTAMP; DATE and text are cast.
    Time,
    /// TIMESTAMP or DATE as it comes; anything else is cast to TIMESTAMP.
    TimeOrDay,
}

/// How the type of a result follows from the arguments' types (after casts).
#[derive(Clone, Copy)]
pub(super) enum Returns {
    /// VARCHAR.
    Text,
    /// BIGINT.
    Long,
    /// DOUBLE.
    Double,
    /// BOOLEAN.
    Boolean,
    /// TIMESTAMP.
    Time,
    /// ARRAY of VARCHAR.
    Texts,
    /// ARRAY of DOUBLE.
    Doubles,
    /// VARCHAR of one value or several.
    MultiValue,
    /// VARCHAR with the metadata of a complex type.
    Complex(&'static str),
    /// VARCHAR with the metadata of the complex type that the first argument names.
    NamedComplex,
    /// BIGINT when all arguments are, else DOUBLE.
    Number,
    /// As the first argument.
    First,
    /// The widest of all arguments.
    Widest,
    /// An array of the widest of all arguments.
    ArrayOfWidest,
    /// An array whose elements are the first argument's, or the first argument when that is an array.
    FirstAsArray,
    /// As the second argument, as an array.
    SecondAsArray,
    /// The type of the first argument's elements.
    Element,
    /// What the function finds in its constant arguments.
    Constant(fn(&[Option<&ScalarValue>]) -> DataType),
}

impl Returns {
    /// The type for these arguments.
    pub(super) fn of(self, arguments: &[DataType], constants: &[Option<&ScalarValue>]) -> DataType {
        let nth = |index: usize| arguments.get(index).cloned().unwrap_or(DataType::Null);
        match self {
            Self::Text | Self::MultiValue | Self::Complex(_) | Self::NamedComplex => DataType::Utf8,
            Self::Long => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Time => types::TIMESTAMP,
            Self::Texts => types::array_of(DataType::Utf8),
            Self::Doubles => types::array_of(DataType::Float64),
            Self::Number if arguments.iter().all(|argument| *argument == DataType::Int64) => {
                DataType::Int64
            }
            Self::Number => DataType::Float64,
            Self::First => nth(0),
            Self::Widest => types::widest(arguments),
            Self::ArrayOfWidest => types::array_of(types::widest(arguments)),
            Self::FirstAsArray => types::as_array(nth(0)),
            Self::SecondAsArray => types::as_array(nth(1)),
            Self::Element => types::element(nth(0)),
            Self::Constant(find) => find(constants),
        }
    }
}

/// How a call is written natively.
#[derive(Clone, Copy)]
pub(super) enum Native {
    /// `name(a, b, ..)`.
    Call(&'static str),
    /// As `Call`; the session's zone follows, after nulls up to the given number of arguments, when it is not
    /// among the arguments.
    Zoned(&'static str, usize),
    /// Whatever this writes; an error is the reason why it has no native text.
    Write(fn(&Arguments<'_>) -> Result<String, String>),
    /// `(a + b)` with this sign; of BIGINTs it is computed a batch at a time.
    Arithmetic(char),
    /// It has none: it is computed from values of an answer, one row after another.
    Answered(fn(&[ExprValue]) -> Result<ExprValue, String>),
}

/// The arguments of a call that is written natively.
pub(super) struct Arguments<'a> {
    /// Native texts.
    pub(super) texts: &'a [String],
    /// The values of those that are constant.
    pub(super) constants: &'a [Option<ScalarValue>],
    /// Types after casts.
    pub(super) types: &'a [DataType],
    /// The session's time zone.
    pub(super) zone: &'a str,
}

impl Arguments<'_> {
    /// The constant text at a position.
    pub(super) fn text(&self, index: usize, what: &str) -> Result<&str, String> {
        match self.constants.get(index) {
            Some(Some(ScalarValue::Utf8(Some(text)))) => Ok(text),
            _ => Err(format!("{what} must be a literal")),
        }
    }

    /// `name(texts, ..)`.
    pub(super) fn call(&self, name: &str) -> String {
        format!("{name}({})", self.texts.join(","))
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Function {
    /// Other names.
    pub(super) const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// How many arguments may be left out at the end.
    pub(super) const fn optional(self, optional: usize) -> Self {
        Self { optional, ..self }
    }

    /// What may follow as often as one likes.
    pub(super) const fn rest(self, rest: Kind) -> Self {
        Self { rest: Some(rest), ..self }
    }

    /// The native text of a call.
    pub(super) fn write(&self, arguments: &Arguments<'_>) -> Result<String, String> {
        match self.native {
            Native::Call(name) => Ok(arguments.call(name)),
            Native::Zoned(name, at) => Ok(zoned(name, at, arguments)),
            Native::Write(write) => write(arguments),
            Native::Arithmetic(sign) => {
                Ok(format!("({})", arguments.texts.join(&format!(" {sign} "))))
            }
            Native::Answered(_) => Err(format!("{} reads an answer", self.name.to_uppercase())),
        }
    }
}

fn zoned(name: &str, at: usize, arguments: &Arguments<'_>) -> String {
    if arguments.zone == "UTC" || arguments.texts.len() > at {
        return arguments.call(name);
    }
    let mut texts = arguments.texts.to_vec();
    texts.resize(at, "null".to_owned());
    texts.push(super::literal::text(arguments.zone));
    format!("{name}({})", texts.join(","))
}

/// A function that is written as a call of a native one.
pub(super) const fn call(
    name: &'static str,
    takes: &'static [Kind],
    returns: Returns,
    native: &'static str,
) -> Function {
    function(name, takes, returns, Native::Call(native))
}

/// A function that is written by code.
pub(super) const fn written(
    name: &'static str,
    takes: &'static [Kind],
    returns: Returns,
    write: fn(&Arguments<'_>) -> Result<String, String>,
) -> Function {
    function(name, takes, returns, Native::Write(write))
}

/// Any function.
pub(super) const fn function(
    name: &'static str,
    takes: &'static [Kind],
    returns: Returns,
    native: Native,
) -> Function {
    Function { name, aliases: &[], takes, optional: 0, rest: None, returns, native }
}
