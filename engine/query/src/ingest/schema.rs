//! `dataSchema`: everything that decides how an event becomes a row.

use std::collections::HashSet;

use henge_types::{MetricSpec, TIME_COLUMN, validate_datasource_name};
use serde_json::{Value, json};

use super::dimensions::DimensionsSpec;
use super::granularity::GranularitySpec;
use super::metrics::{metric, metric_to_value};
use super::projection::{ProjectionSpec, projections};
use super::timestamp::TimestampSpec;
use super::transform::TransformSpec;
use crate::error::{QueryError, Result};
use crate::exact_json::parse_json;
use crate::limits::MAX_LIST_ENTRIES;
use crate::node::{Budget, Node};

const KNOWN: &[&str] = &[
    "dataSource",
    "timestampSpec",
    "dimensionsSpec",
    "metricsSpec",
    "granularitySpec",
    "transformSpec",
    "projections",
    "ack",
];

/// What has to happen before a push is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ack {
    /// It is durable on the disk of the node that took it.
    #[default]
    Local,
    /// It is durable on the disk of a second node as well, which goes on with it should the first be lost
    /// with its disk.
    Replicated,
}

/// How the events of one datasource become rows.
#[derive(Debug, Clone)]
pub struct DataSchema {
    /// The datasource.
    pub data_source: String,
    /// Where the time is.
    pub timestamp_spec: TimestampSpec,
    /// The dimensions.
    pub dimensions_spec: DimensionsSpec,
    /// The metrics, computed on ingestion.
    pub metrics_spec: Vec<MetricSpec>,
    /// Time chunks, truncation and roll-up.
    pub granularity_spec: GranularitySpec,
    /// Computed fields and the row filter.
    pub transform_spec: TransformSpec,
    /// Rolled-up copies of the rows that each segment holds.
    pub projections: Vec<ProjectionSpec>,
    /// When pushes are answered.
    pub ack: Ack,
}

impl DataSchema {
    /// Reads a `dataSchema`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its path and how to put it right.
    pub fn parse(json: &[u8]) -> Result<Self> {
        Self::from_value(&parse_json(json)?)
    }

    /// Reads a `dataSchema` that was parsed as JSON before.
    ///
    /// # Errors
    /// As [`DataSchema::parse`].
    pub fn from_value(value: &Value) -> Result<Self> {
        let budget = Budget::default();
        Self::read(&Node::root(value, &budget)?, None)
    }

    /// Reads what [`DataSchema::to_value`] gave, by this version or an earlier one, so that events
    /// are read as they were read under it.
    ///
    /// # Errors
    /// As [`DataSchema::parse`].
    pub fn parse_stored(json: &[u8]) -> Result<Self> {
        let mut value = parse_json(json)?;
        TimestampSpec::mark_stored(&mut value);
        Self::from_value(&value)
    }

    /// Like [`DataSchema::from_value`] where the name comes from elsewhere (a URL): the spec may
    /// leave `dataSource` out, but may not give another one.
    ///
    /// # Errors
    /// As [`DataSchema::parse`].
    pub fn from_value_named(value: &Value, data_source: &str) -> Result<Self> {
        let budget = Budget::default();
        Self::read(&Node::root(value, &budget)?, Some(data_source))
    }

    /// Reads the schema of a datasource that takes pushes. Without metrics rows are kept as they
    /// are unless the spec asks for roll-up, which would lose how many there were.
    ///
    /// # Errors
    /// As [`DataSchema::parse`].
    pub fn for_pushes(value: &Value, data_source: &str) -> Result<Self> {
        let mut schema = Self::from_value_named(value, data_source)?;
        if schema.granularity_spec.is_automatic {
            return Err(QueryError::invalid(
                "granularitySpec.segmentGranularity",
                "auto is chosen by all times of an input, which pushes do not have: use hour or day",
            ));
        }
        let asked = value.pointer("/granularitySpec/rollup").is_some_and(|asked| !asked.is_null());
        if !asked && schema.metrics_spec.is_empty() {
            schema.granularity_spec.rollup = false;
        }
        Ok(schema)
    }

    pub(super) fn read(node: &Node<'_>, given_name: Option<&str>) -> Result<Self> {
        if let Some(parser) = node.get("parser") {
            return Err(parser.unsupported(
                "the legacy parser was removed from Druid; use timestampSpec and dimensionsSpec \
                 here and inputFormat in ioConfig",
            ));
        }
        node.only_fields(KNOWN)?;
        let mut schema = Self {
            data_source: data_source(node, given_name)?,
            timestamp_spec: TimestampSpec::read(node)?,
            dimensions_spec: DimensionsSpec::read(node)?,
            metrics_spec: node.list("metricsSpec", metric)?,
            granularity_spec: GranularitySpec::read(node)?,
            transform_spec: TransformSpec::read(node)?,
            projections: Vec::new(),
            ack: ack(node)?,
        };
        schema.check_names(node)?;
        schema.projections = projections(node, &schema)?;
        Ok(schema)
    }

    fn check_names(&self, node: &Node<'_>) -> Result<()> {
        let mut names: HashSet<&str> = HashSet::from([TIME_COLUMN]);
        let spec = &self.dimensions_spec;
        let dimensions = spec.dimensions.iter().enumerate().map(|(i, dimension)| {
            let at = format!("dimensionsSpec.dimensions[{}]", spec.listed_position(i));
            (at, dimension.name.as_str())
        });
        let metrics = self.metrics_spec.iter().enumerate();
        let metrics = metrics.map(|(i, m)| (format!("metricsSpec[{i}].name"), m.name.as_str()));
        let mut total = 0;
        for (at, name) in dimensions.chain(metrics) {
            total += 1;
            if !names.insert(name) {
                let path = prefixed(node, &at);
                let message = format!("there is another column '{name}'; names must differ");
                return Err(QueryError::invalid(path, message));
            }
        }
        if total > MAX_LIST_ENTRIES {
            let message = format!("{total} columns; at most {MAX_LIST_ENTRIES} are allowed");
            return Err(QueryError::invalid(prefixed(node, "dimensionsSpec"), message));
        }
        Ok(())
    }

    /// The schema as Druid's JSON. Reading it again gives the same schema.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let projections = self.projections.iter().map(ProjectionSpec::to_value);
        let mut value = json!({
            "dataSource": self.data_source,
            "timestampSpec": self.timestamp_spec.to_value(),
            "dimensionsSpec": self.dimensions_spec.to_value(),
            "metricsSpec": self.metrics_spec.iter().map(metric_to_value).collect::<Vec<_>>(),
            "granularitySpec": self.granularity_spec.to_value(),
            "transformSpec": self.transform_spec.to_value(),
            "projections": projections.collect::<Vec<_>>(),
        });
        if self.ack == Ack::Replicated {
            value["ack"] = "replicated".into();
        }
        value
    }
}

fn ack(node: &Node<'_>) -> Result<Ack> {
    let Some(asked) = node.get("ack") else { return Ok(Ack::default()) };
    match asked.text()? {
        "local" => Ok(Ack::Local),
        "replicated" => Ok(Ack::Replicated),
        other => Err(asked.invalid(format!("is '{other}': use local or replicated"))),
    }
}

fn prefixed(node: &Node<'_>, path: &str) -> String {
    match node.path().as_str() {
        "body" => path.to_owned(),
        prefix => format!("{prefix}.{path}"),
    }
}

fn data_source(node: &Node<'_>, given_name: Option<&str>) -> Result<String> {
    let name = match (node.get("dataSource"), given_name) {
        (None, Some(given)) => given.to_owned(),
        (own, given) => {
            let hint = "name the datasource, for example \"dataSource\": \"wikipedia\"";
            let own = match own {
                Some(own) => own,
                None => return Err(node.missing("dataSource", hint)),
            };
            let name = own.name()?;
            if let Some(given) = given
                && name != given
            {
                return Err(own.invalid(format!("is '{name}', but the request is for '{given}'")));
            }
            name
        }
    };
    validate_datasource_name(&name)
        .map_err(|error| QueryError::invalid(prefixed(node, "dataSource"), error.to_string()))?;
    Ok(name)
}
