//! [`Widened`]: an aggregate of DataFusion's that reads what Druid's reads: text as DOUBLE, booleans as BIGINT. SUM of
//! BIGINT is [`long_sum`]'s.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature, Volatility,
};

use super::long_sum;
use crate::functions::types;

/// SUM, AVG, MIN or MAX.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Widened {
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl Widened {
    pub(super) fn over(inner: Arc<AggregateUDF>) -> Self {
        Self { inner, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn sums_longs(&self, returned: &DataType) -> bool {
        self.name() == "sum" && *returned == DataType::Int64
    }
}

impl AggregateUDFImpl for Widened {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [given] = given else {
            return plan_err!(
                "{} takes one argument but was given {}",
                self.name().to_uppercase(),
                given.len()
            );
        };
        let given = types::normal(given);
        let computes = matches!(self.name(), "sum" | "avg");
        Ok(vec![match given {
            DataType::Int64 | DataType::Float32 | DataType::Float64 if !computes => given,
            DataType::Int64 | DataType::Boolean if self.name() == "sum" => DataType::Int64,
            DataType::Timestamp(..) | DataType::Date32 if self.name() == "sum" => DataType::Int64,
            DataType::Null => DataType::Int64,
            _ if computes => DataType::Float64,
            other => other,
        }])
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match (self.name(), given) {
            ("min" | "max", [one]) => Ok(types::normal(one)),
            ("avg", _) => Ok(DataType::Float64),
            ("sum", [DataType::Int64]) => Ok(DataType::Int64),
            ("sum", _) => Ok(DataType::Float64),
            _ => self.inner.return_type(given),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if self.sums_longs(args.return_type()) {
            return long_sum::accumulator(&self.inner, &args, false);
        }
        self.inner.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if self.sums_longs(args.return_type()) {
            return long_sum::state_fields(&self.inner, &args);
        }
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        if self.sums_longs(args.return_type()) {
            return long_sum::groups_accumulator(&self.inner, &args);
        }
        self.inner.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        // Of distinct values DataFusion slides over BIGINT only.
        if self.sums_longs(args.return_type()) && !args.is_distinct {
            return long_sum::accumulator(&self.inner, &args, true);
        }
        self.inner.create_sliding_accumulator(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }
}
