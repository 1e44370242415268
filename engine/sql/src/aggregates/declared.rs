//! [`DeclaredAggregate`]: an aggregate that DataFusion plans, and computes in windows only.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use super::table::{Aggregate, Returns};
use super::windowed;
use crate::functions::types;

/// An aggregate of the tables.
pub(super) struct DeclaredAggregate {
    pub(super) aggregate: &'static Aggregate,
    aliases: Vec<String>,
    signature: Signature,
}

impl std::fmt::Debug for DeclaredAggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DeclaredAggregate").field(&self.aggregate.name).finish()
    }
}

impl DeclaredAggregate {
    pub(super) fn new(aggregate: &'static Aggregate) -> Self {
        let aliases = aggregate.aliases.iter().map(|alias| (*alias).to_owned()).collect();
        Self { aggregate, aliases, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// The type of the values of a complex type, when it is one of pairs of a time and a value.
#[must_use]
pub(crate) fn pair_value(druid_type: &str) -> Option<DataType> {
    druid_type.starts_with("COMPLEX<serializablePair").then(|| kept_of(druid_type))
}

/// The type of the values that stored pairs of a time and a value hold.
pub(super) fn kept_of(pair: &str) -> DataType {
    match pair.trim_start_matches("COMPLEX<").trim_end_matches('>') {
        "serializablePairLongLong" => DataType::Int64,
        "serializablePairLongFloat" => DataType::Float32,
        "serializablePairLongDouble" => DataType::Float64,
        _ => DataType::Utf8,
    }
}

impl PartialEq for DeclaredAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.aggregate.name == other.aggregate.name
    }
}

impl Eq for DeclaredAggregate {}

impl Hash for DeclaredAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.aggregate.name.hash(state);
    }
}

impl AggregateUDFImpl for DeclaredAggregate {
    fn name(&self) -> &str {
        self.aggregate.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Aggregate { name, min, max, takes, .. } = self.aggregate;
        if !(*min..=*max).contains(&given.len()) {
            let wanted = if min == max { min.to_string() } else { format!("{min} to {max}") };
            return plan_err!(
                "{} takes {wanted} arguments but was given {}",
                name.to_uppercase(),
                given.len()
            );
        }
        let mut read: Vec<DataType> = given.iter().map(types::normal).collect();
        if let Some(first) = read.first_mut() {
            *first = takes.read(first);
        }
        Ok(read)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(self.aggregate.returns.of(given))
    }

    fn return_field(&self, given: &[FieldRef]) -> Result<FieldRef> {
        let data_types: Vec<DataType> =
            given.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.aggregate.name, self.return_type(&data_types)?, true);
        let metadata = match (self.aggregate.returns, given) {
            (Returns::Complex(name), _) => [(types::DRUID_TYPE.to_owned(), name.to_owned())].into(),
            (Returns::First, [first, ..]) => match first.metadata().get(types::DRUID_TYPE) {
                Some(pair) => {
                    return Ok(Arc::new(Field::new(self.aggregate.name, kept_of(pair), true)));
                }
                None => first.metadata().clone(),
            },
            _ => return Ok(Arc::new(field)),
        };
        Ok(Arc::new(field.with_metadata(metadata)))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        windowed::accumulator(self.aggregate.name, &args)
    }
}
