//! What Druid's JSON of a configuration and of a task have in common.

use henge_types::{Granularity, TIME_COLUMN};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::order::Order;
use crate::wanted::{TARGET_ROWS, Wanted};

/// What is said with a reason when a part of Druid's JSON is refused.
pub(crate) type Refusal = String;

/// The fields that say what segments are to be like.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GranularityFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_granularity: Option<Granularity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_granularity: Option<Granularity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollup: Option<bool>,
}

/// `dimensionsSpec`: the order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DimensionsFields {
    #[serde(default)]
    dimensions: Vec<DimensionField>,
    #[serde(default)]
    include_all_dimensions: bool,
    #[serde(default = "yes")]
    force_segment_sort_by_time: bool,
}

/// A bare name, or a dimension's schema, of which the name counts: types stay as they are stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum DimensionField {
    Name(String),
    Named { name: String },
}

impl DimensionField {
    fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Named { name } => name,
        }
    }
}

fn yes() -> bool {
    true
}

impl DimensionsFields {
    /// The order that is asked for.
    ///
    /// # Errors
    /// When it cannot be.
    fn order(&self) -> Result<Order, Refusal> {
        let names: Vec<&str> = self.dimensions.iter().map(DimensionField::name).collect();
        let listed = names.iter().position(|name| *name == TIME_COLUMN);
        let behind_all = if self.force_segment_sort_by_time { 0 } else { names.len() };
        let time_position = listed.unwrap_or(behind_all);
        if self.force_segment_sort_by_time && time_position > 0 {
            return Err(
                "rows are sorted by __time first; for the dimensions before it to come first, set \
                        dimensionsSpec.forceSegmentSortByTime to false"
                    .into(),
            );
        }
        let mut dimensions: Vec<String> = Vec::new();
        for name in names.into_iter().filter(|name| *name != TIME_COLUMN) {
            if dimensions.iter().any(|known| known == name) {
                return Err(format!("dimensionsSpec names '{name}' twice"));
            }
            dimensions.push(name.to_owned());
        }
        let others = self.include_all_dimensions || dimensions.is_empty();
        Ok(Order { dimensions, time_position, others })
    }

    fn of(order: &Order) -> Self {
        let mut dimensions: Vec<DimensionField> =
            order.dimensions.iter().cloned().map(DimensionField::Name).collect();
        dimensions.insert(order.time_position, DimensionField::Named { name: TIME_COLUMN.into() });
        Self {
            dimensions,
            include_all_dimensions: order.others,
            force_segment_sort_by_time: order.time_position == 0,
        }
    }
}

/// `tuningConfig`: how large segments become. Druid's other settings are of its own engine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TuningFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_rows_per_segment: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partitions_spec: Option<PartitionsFields>,
    /// `index_parallel`, `maxRowsInMemory` and the like.
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartitionsFields {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_rows_per_segment: Option<u64>,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

/// All that says what segments are to be like.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WantedFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granularity_spec: Option<GranularityFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions_spec: Option<DimensionsFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning_config: Option<TuningFields>,
    /// Druid's, and refused: metrics are combined as they are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_spec: Option<Vec<Value>>,
    /// Druid's, and refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform_spec: Option<Value>,
}

impl WantedFields {
    /// What is asked for.
    ///
    /// # Errors
    /// When something cannot be done.
    pub(crate) fn wanted(&self) -> Result<Wanted, Refusal> {
        if self.metrics_spec.as_ref().is_some_and(|metrics| !metrics.is_empty()) {
            return Err("metricsSpec cannot be given: metrics are combined as they are stored, sums of sums, \
                        minima of minima, sketches merged; leave it out"
                .into());
        }
        let is_empty = |spec: &Value| {
            spec.as_object().is_none_or(|fields| fields.values().all(Value::is_null))
        };
        if self.transform_spec.as_ref().is_some_and(|spec| !is_empty(spec)) {
            return Err(
                "transformSpec is not supported: load the rows again without those that are to go"
                    .into(),
            );
        }
        let granularity = self.granularity_spec.clone().unwrap_or_default();
        let order = self.dimensions_spec.as_ref().map(DimensionsFields::order).transpose()?;
        let wanted = Wanted {
            target_rows: self.target_rows()?,
            segment_granularity: granularity.segment_granularity,
            query_granularity: granularity.query_granularity,
            rollup: granularity.rollup,
            order,
        };
        check_granularities(&wanted)?;
        Ok(wanted)
    }

    fn target_rows(&self) -> Result<u64, Refusal> {
        let Some(tuning) = &self.tuning_config else { return Ok(TARGET_ROWS) };
        if let Some(partitions) = &tuning.partitions_spec
            && partitions.kind != "dynamic"
        {
            return Err(format!(
                "tuningConfig.partitionsSpec.type '{}' is not supported: segments are cut by time, use dynamic",
                partitions.kind
            ));
        }
        let of_partitions =
            tuning.partitions_spec.as_ref().and_then(|spec| spec.max_rows_per_segment);
        match of_partitions.or(tuning.max_rows_per_segment) {
            Some(0) => Err("maxRowsPerSegment is 0: give 1 or more".into()),
            rows => Ok(rows.unwrap_or(TARGET_ROWS)),
        }
    }

    /// The fields that ask for this.
    pub(crate) fn of(wanted: &Wanted) -> Self {
        let Wanted { target_rows, segment_granularity, query_granularity, rollup, order } =
            wanted.clone();
        let partitions = PartitionsFields {
            kind: "dynamic".into(),
            max_rows_per_segment: Some(target_rows),
            others: serde_json::Map::new(),
        };
        Self {
            granularity_spec: Some(GranularityFields {
                segment_granularity,
                query_granularity,
                rollup,
            }),
            dimensions_spec: order.as_ref().map(DimensionsFields::of),
            tuning_config: Some(TuningFields {
                partitions_spec: Some(partitions),
                others: [("type".to_owned(), Value::from("index_parallel"))].into_iter().collect(),
                ..TuningFields::default()
            }),
            ..Self::default()
        }
    }
}

/// Four years, with a leap day: every boundary of a calendar is in it.
const A_WHILE_MS: i64 = 1_461 * 86_400_000;

/// Rows of one moment belong into one chunk.
///
/// # Errors
/// When times would be truncated to more than a chunk.
pub(crate) fn check_granularities(wanted: &Wanted) -> Result<(), Refusal> {
    if let Some(chunk @ (Granularity::All | Granularity::None)) = &wanted.segment_granularity {
        let name = if *chunk == Granularity::All { "all" } else { "none" };
        return Err(format!("segmentGranularity cannot be {name}: use a period, for example day"));
    }
    let (Some(query), Some(segment)) = (&wanted.query_granularity, &wanted.segment_granularity)
    else {
        return Ok(());
    };
    if *query == Granularity::All || query.refines(segment, 0, A_WHILE_MS) {
        return Ok(());
    }
    Err("queryGranularity is coarser than segmentGranularity, or does not fit into it: rows of one moment would \
         lie in several chunks; use larger chunks"
        .into())
}

/// True when rows that were truncated to one can still be truncated to the other.
pub(crate) fn can_follow(finer: &Granularity, coarser: &Granularity) -> bool {
    finer.refines(coarser, 0, A_WHILE_MS)
}
