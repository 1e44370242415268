//! Functions over a lambda: `map`, `filter`, `fold`, `any`, `all` and the cartesian ones.

use crate::MAX_RESULT_BYTES;
use crate::error::{ExprError, Result};
use crate::node::{Lambda, Node, Scope};
use crate::types::array_result;
use crate::value::{ELEMENT_BYTES, ExprValue};

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apply {
    Map,
    CartesianMap,
    Filter,
    Fold,
    CartesianFold,
    Any,
    All,
}

/// Elements of the largest product a cartesian function walks.
const MAX_PRODUCT: usize = MAX_RESULT_BYTES / 16;

impl Apply {
    pub(crate) fn find(name: &str) -> Option<Self> {
        use Apply::{All, Any, CartesianFold, CartesianMap, Filter, Fold, Map};
        [Map, CartesianMap, Filter, Fold, CartesianFold, Any, All]
            .into_iter()
            .find(|apply| apply.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::CartesianMap => "cartesian_map",
            Self::Filter => "filter",
            Self::Fold => "fold",
            Self::CartesianFold => "cartesian_fold",
            Self::Any => "any",
            Self::All => "all",
        }
    }

    /// The argument that a fold begins with.
    pub(crate) fn start(self, arguments: usize) -> Option<usize> {
        matches!(self, Self::Fold | Self::CartesianFold).then(|| arguments.saturating_sub(1))
    }

    /// Checks that the lambda's parameters meet the arguments: one each.
    pub(crate) fn check(self, parameters: usize, arguments: usize) -> Result<()> {
        let fits = match self {
            Self::Map | Self::Filter | Self::Any | Self::All => parameters == 1 && arguments == 1,
            Self::Fold => parameters == 2 && arguments == 2,
            Self::CartesianMap => parameters >= 1 && parameters == arguments,
            Self::CartesianFold => parameters >= 2 && parameters == arguments,
        };
        if fits {
            return Ok(());
        }
        let message =
            format!("a lambda of {parameters} parameters does not fit {arguments} arguments");
        Err(ExprError::argument(self.name(), message))
    }

    /// Evaluates; a null array gives null (`any` and `all`: 0).
    pub(crate) fn eval(
        self,
        lambda: &Lambda,
        arguments: &[Node],
        scope: &Scope<'_>,
    ) -> Result<ExprValue> {
        let values = arguments.iter().map(|a| a.eval(scope)).collect::<Result<Vec<_>>>()?;
        let call = |locals: &[ExprValue]| {
            scope.budget.step(lambda.steps)?;
            lambda.body.eval(&Scope { locals, parent: Some(scope), ..*scope })
        };
        match self {
            Self::Fold => fold(&values[..1], values[1].clone(), call),
            Self::CartesianFold => {
                let (start, arrays) = (&values[values.len() - 1], &values[..values.len() - 1]);
                fold(arrays, start.clone(), call)
            }
            Self::CartesianMap => cartesian_map(&values, call),
            Self::Map | Self::Filter | Self::Any | Self::All => self.one_array(&values[0], call),
        }
    }

    fn one_array(
        self,
        array: &ExprValue,
        call: impl Fn(&[ExprValue]) -> Result<ExprValue>,
    ) -> Result<ExprValue> {
        let Some(items) = array.elements() else {
            let decides = matches!(self, Self::Any | Self::All);
            return Ok(if decides { ExprValue::of_bool(false) } else { ExprValue::Null });
        };
        let mut kept = Vec::new();
        let mut grown = Growth::of(self.name());
        for item in items {
            let result = call(std::slice::from_ref(item))?;
            match self {
                Self::Map => {
                    grown.by(&result)?;
                    kept.push(result);
                }
                Self::Filter if result.is_true() => kept.push(item.clone()),
                Self::Any if result.is_true() => return Ok(ExprValue::of_bool(true)),
                Self::All if !result.is_true() => return Ok(ExprValue::of_bool(false)),
                _ => {}
            }
        }
        Ok(match self {
            Self::Any | Self::All => ExprValue::of_bool(self == Self::All),
            Self::Map => array_result("map", kept)?,
            _ => kept.into(),
        })
    }
}

fn cartesian_map(
    arrays: &[ExprValue],
    call: impl Fn(&[ExprValue]) -> Result<ExprValue>,
) -> Result<ExprValue> {
    let mut results = Vec::new();
    let mut grown = Growth::of("cartesian_map");
    let complete = for_each_combination("cartesian_map", arrays, |locals| {
        let result = call(locals)?;
        grown.by(&result)?;
        results.push(result);
        Ok(())
    })?;
    if complete { array_result("cartesian_map", results) } else { Ok(ExprValue::Null) }
}

/// The bytes of an array while it is made.
struct Growth {
    function: &'static str,
    bytes: u64,
}

impl Growth {
    fn of(function: &'static str) -> Self {
        Self { function, bytes: 0 }
    }

    fn by(&mut self, element: &ExprValue) -> Result<()> {
        self.bytes += ELEMENT_BYTES + element.bytes();
        if self.bytes <= MAX_RESULT_BYTES as u64 {
            return Ok(());
        }
        Err(ExprError::ResultTooLarge { function: self.function, limit: MAX_RESULT_BYTES })
    }
}

/// Folds over every combination of elements; the accumulator is the lambda's last parameter.
fn fold(
    arrays: &[ExprValue],
    start: ExprValue,
    call: impl Fn(&[ExprValue]) -> Result<ExprValue>,
) -> Result<ExprValue> {
    let mut accumulator = start;
    let complete = for_each_combination("fold", arrays, |locals| {
        let mut with_accumulator = locals.to_vec();
        with_accumulator.push(std::mem::take(&mut accumulator));
        accumulator = call(&with_accumulator)?;
        Ok(())
    })?;
    Ok(if complete { accumulator } else { ExprValue::Null })
}

/// Walks the product of arrays, the last one fastest. False when one of them is null.
fn for_each_combination(
    function: &'static str,
    arrays: &[ExprValue],
    mut visit: impl FnMut(&[ExprValue]) -> Result<()>,
) -> Result<bool> {
    let Some(items) = arrays.iter().map(ExprValue::elements).collect::<Option<Vec<_>>>() else {
        return Ok(false);
    };
    let product = items.iter().try_fold(1_usize, |n, array| n.checked_mul(array.len()));
    let Some(product) = product.filter(|n| *n <= MAX_PRODUCT) else {
        return Err(ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES });
    };
    let mut locals = vec![ExprValue::Null; items.len()];
    for combination in 0..product {
        let mut rest = combination;
        for (local, array) in locals.iter_mut().zip(&items).rev() {
            *local = array[rest % array.len()].clone();
            rest /= array.len();
        }
        visit(&locals)?;
    }
    Ok(true)
}
