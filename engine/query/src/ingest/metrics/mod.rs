//! `metricsSpec`: aggregations that are stored. One file a kind: its names, its fields and how it is
//! shown; [`FORMS`] and [`shown`] are the registry.

mod count;
mod hll;
mod hyper_unique;
mod numeric;
mod one_value;
mod quantiles;
mod theta;

use henge_types::{MetricKind, MetricSpec};
use serde_json::{Map, Value};

pub(crate) use hll::hll_type_name;
pub(crate) use numeric::numeric_type_name;

use crate::aggregate::{EXACT_DISTINCT_COUNT, field_name};
use crate::error::Result;
use crate::node::Node;

/// How a kind of metric is written.
struct MetricForm {
    /// Druid's type names.
    names: &'static [&'static str],
    /// Whether it reads a field of the events.
    reads_field: bool,
    /// Reads what is particular to the kind; it is told the type name that was given.
    parse: fn(&Node<'_>, &str) -> Result<MetricKind>,
}

const FORMS: &[MetricForm] = &[
    count::FORM,
    numeric::FORM,
    hll::FORM,
    hyper_unique::FORM,
    theta::FORM,
    quantiles::FORM,
    one_value::FORM,
];

/// Druid's metrics that are not supported yet.
const PLANNED: &[&str] = &[
    "filtered",
    "cardinality",
    "stringAny",
    "expression",
    "javascript",
    "arrayOfDoublesSketch",
    "approxHistogram",
    "fixedBucketsHistogram",
    "variance",
    "bloom",
    "KllFloatsSketch",
];

/// Why exact counts are made by queries alone, and what can be done instead.
pub(super) const EXACT_IS_NOT_STORED: &str = "exactDistinctCount counts values while a query \
     runs and cannot be stored: make the column a dimension (of a projection: one of \
     groupingColumns), or store a sketch (HLLSketchBuild, thetaSketch)";

pub(super) fn metric(node: &Node<'_>) -> Result<MetricSpec> {
    let supported: Vec<&str> = FORMS.iter().flat_map(|form| form.names).copied().collect();
    let type_name = node.type_name(&supported)?;
    let Some(form) = FORMS.iter().find(|form| form.names.contains(&type_name)) else {
        if type_name == EXACT_DISTINCT_COUNT {
            return Err(node.unsupported(EXACT_IS_NOT_STORED));
        }
        return Err(node.bad_type("metric", type_name, &supported, PLANNED));
    };
    let kind = (form.parse)(node, type_name)?;
    let field = form.reads_field.then(|| field_name(node)).transpose()?;
    Ok(MetricSpec { name: node.require("name", "name the stored column")?.name()?, field, kind })
}

/// A metric as Druid's JSON, without its name and its field.
struct Shown {
    type_name: String,
    options: Value,
}

impl Shown {
    /// `options` is an object.
    fn new(type_name: impl Into<String>, options: Value) -> Self {
        Self { type_name: type_name.into(), options }
    }
}

/// A kind as it was given, and as the aggregator that combines stored rows.
fn shown(kind: &MetricKind) -> [Shown; 2] {
    match kind {
        MetricKind::Count => count::shown(),
        MetricKind::Numeric { op, column_type } => numeric::shown(*op, *column_type),
        MetricKind::HllBuild { lg_k, hll_type } => hll::shown(hll::BUILD, *lg_k, *hll_type),
        MetricKind::HllMerge { lg_k, hll_type } => hll::shown(hll::MERGE, *lg_k, *hll_type),
        MetricKind::HyperUnique => hyper_unique::shown(),
        MetricKind::Theta { size, input_is_sketch } => theta::shown(*size, *input_is_sketch),
        MetricKind::Quantiles { k } => quantiles::shown(*k),
        MetricKind::OneValue { which, value_type, max_string_bytes } => {
            one_value::shown(*which, *value_type, *max_string_bytes)
        }
    }
}

/// A metric as Druid's JSON, as it was given: `fieldName` is the input field.
#[must_use]
pub fn metric_to_value(metric: &MetricSpec) -> Value {
    let [given, _] = shown(&metric.kind);
    to_value(given, &metric.name, metric.field.as_deref())
}

/// A metric as the aggregator that combines stored rows, as segmentMetadata shows it: counts are
/// summed, raw values have become sketches, and `fieldName` is the stored column.
#[must_use]
pub fn combining_metric_to_value(metric: &MetricSpec) -> Value {
    let [_, combining] = shown(&metric.kind);
    to_value(combining, &metric.name, Some(&metric.name))
}

fn to_value(shown: Shown, name: &str, field: Option<&str>) -> Value {
    let mut fields = Map::new();
    fields.insert("type".to_owned(), shown.type_name.into());
    fields.insert("name".to_owned(), name.into());
    if let Some(field) = field {
        fields.insert("fieldName".to_owned(), field.into());
    }
    if let Value::Object(options) = shown.options {
        fields.extend(options);
    }
    Value::Object(fields)
}
