//! Aggregates of the tables in windows: the rows of a frame are kept, and the aggregate is computed of them anew.
//! Only those are here whose values need no sketch.

use std::collections::{HashSet, VecDeque};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, not_impl_err};
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::scalar::ScalarValue;

use super::collections::DEFAULT_SIZE_BYTES;
use crate::functions::types;

/// What is computed of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Computed {
    Array,
    Text,
    Any,
    Earliest,
    Latest,
    CountDistinct,
}

impl Computed {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "array_agg" => Self::Array,
            "string_agg" => Self::Text,
            "any_value" => Self::Any,
            "earliest_by" => Self::Earliest,
            "latest_by" => Self::Latest,
            "approx_count_distinct"
            | "approx_count_distinct_ds_hll"
            | "approx_count_distinct_ds_theta" => Self::CountDistinct,
            _ => return None,
        })
    }

    /// The argument with the most bytes of a result.
    fn size_argument(self) -> Option<usize> {
        match self {
            Self::Array => Some(1),
            Self::Text => Some(2),
            _ => None,
        }
    }
}

/// The accumulator of an aggregate in a window.
///
/// # Errors
/// When the aggregate is none of those that run there.
pub(super) fn accumulator(name: &str, args: &AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
    let first = args.expr_fields.first();
    let is_sketch = first.is_some_and(|field| field.metadata().contains_key(types::DRUID_TYPE));
    let Some(computed) = Computed::of(name).filter(|_| !is_sketch) else {
        return not_impl_err!(
            "{} does not run in a window; write COUNT, SUM, MIN, MAX, AVG, ARRAY_AGG, STRING_AGG, ANY_VALUE, \
             EARLIEST, LATEST or APPROX_COUNT_DISTINCT, or compute it in a subquery with GROUP BY",
            name.to_uppercase()
        );
    };
    let value_type = first.map_or(DataType::Null, |f| f.data_type().clone());
    Ok(Box::new(Frame {
        name: name.to_uppercase(),
        computed,
        is_distinct: args.is_distinct,
        value_type,
        result_type: args.return_type().clone(),
        rows: VecDeque::new(),
    }))
}

/// The rows of a frame, oldest first, each the values of all arguments.
#[derive(Debug)]
struct Frame {
    name: String,
    computed: Computed,
    is_distinct: bool,
    value_type: DataType,
    result_type: DataType,
    rows: VecDeque<Vec<ScalarValue>>,
}

impl Frame {
    /// The values of the first argument, once each where the call says DISTINCT.
    fn values(&self) -> Vec<ScalarValue> {
        let values = self.rows.iter().filter_map(|row| row.first());
        if !self.is_distinct {
            return values.cloned().collect();
        }
        let mut seen = HashSet::new();
        values.filter(|value| seen.insert(*value)).cloned().collect()
    }

    fn array(&self) -> Result<ScalarValue> {
        if self.rows.is_empty() {
            return ScalarValue::try_from(&self.result_type);
        }
        let values = self.values();
        let bytes = |value: &ScalarValue| match value.try_as_str() {
            Some(text) => text.map_or(0, str::len),
            None => size_of::<i64>(),
        };
        self.check(values.iter().map(bytes).sum())?;
        Ok(ScalarValue::List(ScalarValue::new_list_nullable(&values, &self.value_type)))
    }

    fn text(&self) -> Result<ScalarValue> {
        let values = self.values();
        let texts: Vec<&str> =
            values.iter().filter_map(|value| value.try_as_str().flatten()).collect();
        let separator = self.rows.front().and_then(|row| row.get(1)?.try_as_str().flatten());
        let text = texts.join(separator.unwrap_or_default());
        self.check(text.len())?;
        Ok(ScalarValue::Utf8((!texts.is_empty()).then_some(text)))
    }

    fn check(&self, bytes: usize) -> Result<()> {
        let place = self.computed.size_argument();
        let given =
            place.and_then(|place| self.rows.front()?.get(place)?.cast_to(&DataType::Int64).ok());
        let most = match given {
            Some(ScalarValue::Int64(Some(most))) => most,
            _ => DEFAULT_SIZE_BYTES,
        };
        if i64::try_from(bytes).is_ok_and(|bytes| bytes <= most) {
            return Ok(());
        }
        exec_err!(
            "{} gives {bytes} bytes, at most {most} are allowed; give more as its last argument",
            self.name
        )
    }

    /// The value of the row with the least time, or the greatest; the first of several.
    fn by_time(&self, is_latest: bool) -> Result<ScalarValue> {
        let mut best: Option<(i64, &ScalarValue)> = None;
        for row in &self.rows {
            let [value, time, ..] = row.as_slice() else { continue };
            let ScalarValue::Int64(Some(time)) = time.cast_to(&DataType::Int64)? else { continue };
            let is_better = best.is_none_or(|(known, _)| match is_latest {
                true => time >= known,
                false => time < known,
            });
            if is_better {
                best = Some((time, value));
            }
        }
        best.map_or_else(|| self.null(), |(_, value)| Ok(value.clone()))
    }

    fn null(&self) -> Result<ScalarValue> {
        ScalarValue::try_from(&self.result_type)
    }
}

impl Accumulator for Frame {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        for row in 0..arguments.first().map_or(0, |first| first.len()) {
            let values = arguments.iter().map(|array| ScalarValue::try_from_array(array, row));
            self.rows.push_back(values.collect::<Result<_>>()?);
        }
        Ok(())
    }

    fn retract_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let gone = arguments.first().map_or(0, |first| first.len()).min(self.rows.len());
        self.rows.drain(..gone);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.computed {
            Computed::Array => self.array(),
            Computed::Text => self.text(),
            Computed::Any => match self.rows.front().and_then(|row| row.first()) {
                Some(value) => Ok(value.clone()),
                None => self.null(),
            },
            Computed::Earliest => self.by_time(false),
            Computed::Latest => self.by_time(true),
            Computed::CountDistinct => {
                let values = self.rows.iter().filter_map(|row| row.first());
                let distinct: HashSet<_> = values.filter(|value| !value.is_null()).collect();
                Ok(ScalarValue::Int64(i64::try_from(distinct.len()).ok()))
            }
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.iter().flatten().map(ScalarValue::size).sum::<usize>()
    }

    /// Windows never take a frame apart.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        not_impl_err!("{} is not computed in parts", self.name)
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        not_impl_err!("{} is not computed in parts", self.name)
    }
}
