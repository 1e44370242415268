//! `projections`: rolled-up copies of the rows, kept inside each segment.

use std::collections::HashSet;

use henge_types::{
    ColumnType, Granularity, ProjectionAggregator, ProjectionColumn, ProjectionDefinition,
    ProjectionVirtualColumn, TIME_COLUMN,
};
use serde_json::{Value, json};

use super::metrics::EXACT_IS_NOT_STORED;
use super::schema::DataSchema;
use crate::aggregate::{AggregatorKind, AggregatorSpec, aggregator};
use crate::error::Result;
use crate::filter::Filter;
use crate::node::Node;
use crate::parse::{granularity, optional_plain_filter, value_type, virtual_column};
use crate::virtual_column::VirtualColumn;

/// Why a projection has no column for such an aggregator, and what can be done instead.
fn not_stored(kind: &AggregatorKind) -> &'static str {
    match kind {
        AggregatorKind::ExactDistinctCount(_) => EXACT_IS_NOT_STORED,
        _ => {
            "means, variances, least and greatest texts and aggregators by expression are computed \
             while a query runs and cannot be stored in a projection: store sums and counts of \
             what they are made of, or group by the column"
        }
    }
}

/// Most projections of one datasource: each is written with every segment.
const MAX_PROJECTIONS: usize = 64;
const KNOWN: &[&str] =
    &["type", "name", "filter", "virtualColumns", "granularity", "groupingColumns", "aggregators"];
const GROUPING_FIELDS: &[&str] =
    &["type", "name", "multiValueHandling", "createBitmapIndex", "formatVersion"];

/// One declared projection.
#[derive(Debug, Clone)]
pub struct ProjectionSpec {
    /// Its name.
    pub name: String,
    /// Only rows that pass it are in the projection.
    pub filter: Option<Filter>,
    /// Computed columns to group by or to aggregate, without the one that truncates the time.
    pub virtual_columns: Vec<VirtualColumn>,
    /// What the time is truncated to; `all` when it is no grouping column.
    pub granularity: Granularity,
    /// The grouping columns, without the time, in sort order.
    pub grouping_columns: Vec<ProjectionColumn>,
    /// How many of them rows are sorted by before the time.
    pub time_position: usize,
    /// The aggregates.
    pub aggregators: Vec<AggregatorSpec>,
    /// The grouping column that is the time, and the expression that truncates it.
    time: Option<(String, Option<String>)>,
}

/// Reads the projections of a `dataSchema`.
pub(super) fn projections(node: &Node<'_>, schema: &DataSchema) -> Result<Vec<ProjectionSpec>> {
    let projections = node.list("projections", |node| projection(node, schema))?;
    let Some(list) = node.get("projections") else { return Ok(projections) };
    if projections.len() > MAX_PROJECTIONS {
        return Err(list.invalid(format!("more than {MAX_PROJECTIONS} projections")));
    }
    let mut names = HashSet::new();
    for (item, projection) in list.items()?.zip(&projections) {
        if !names.insert(projection.name.as_str()) {
            let message = format!("there is another projection '{}'", projection.name);
            return Err(item.invalid(format!("{message}; names must differ")));
        }
    }
    Ok(projections)
}

fn projection(node: &Node<'_>, schema: &DataSchema) -> Result<ProjectionSpec> {
    match node.type_name(&["aggregate"])? {
        "aggregate" => {}
        other => return Err(node.bad_type("projection", other, &["aggregate"], &[])),
    }
    node.only_fields(KNOWN)?;
    let mut spec = ProjectionSpec {
        name: node.require("name", "name the projection")?.name()?,
        filter: optional_plain_filter(node, "filter")?,
        virtual_columns: node.list("virtualColumns", virtual_column)?,
        granularity: granularity(node, "granularity")?.unwrap_or(Granularity::All),
        grouping_columns: node.list("groupingColumns", grouping_column)?,
        time_position: 0,
        aggregators: node.list("aggregators", aggregator)?,
        time: None,
    };
    spec.take_time(node)?;
    if spec.grouping_columns.is_empty() && spec.aggregators.is_empty() {
        return Err(node.invalid("give groupingColumns, aggregators or both"));
    }
    spec.check_names(node, schema)?;
    spec.check_references(node, schema)?;
    Ok(spec)
}

/// A bare name, or a dimension's schema.
fn grouping_column(node: &Node<'_>) -> Result<ProjectionColumn> {
    if node.value().is_string() {
        return Ok(ProjectionColumn { name: node.name()?, column_type: None });
    }
    node.only_fields(GROUPING_FIELDS)?;
    let column_type = match node.get("type") {
        Some(given) if given.value().as_str().is_some_and(|t| t.eq_ignore_ascii_case("auto")) => {
            None
        }
        given => given.map(|given| value_type(&given)).transpose()?,
    };
    let name = node.require("name", "name the column to group by")?.name()?;
    Ok(ProjectionColumn { name, column_type })
}

impl ProjectionSpec {
    /// Turns the grouping column that is the time, as such or truncated by a virtual column, into
    /// the granularity.
    fn take_time(&mut self, node: &Node<'_>) -> Result<()> {
        let floors = |name: &str| {
            let column = self.virtual_columns.iter().find(|column| column.name == name)?;
            let (field, granularity) = column.expression.as_time_floor()?;
            (field == TIME_COLUMN).then(|| (granularity, column.expression.text().to_owned()))
        };
        let mut found = None;
        for (position, column) in self.grouping_columns.iter().enumerate() {
            let time = match column.name.as_str() {
                TIME_COLUMN => Some((Granularity::None, None)),
                name => floors(name).map(|(granularity, text)| (granularity, Some(text))),
            };
            let Some((granularity, text)) = time else { continue };
            if found.is_some() || node.get("granularity").is_some() {
                let message = "give the time once: as granularity, as __time, or as one virtual \
                               column timestamp_floor(__time, ...)";
                return Err(node.invalid(message));
            }
            found = Some((position, granularity, text));
        }
        if let Some((position, granularity, text)) = found {
            let name = self.grouping_columns.remove(position).name;
            self.virtual_columns.retain(|column| column.name != name || text.is_none());
            self.granularity = granularity;
            self.time_position = position;
            self.time = Some((name, text));
        }
        Ok(())
    }

    fn check_names(&self, node: &Node<'_>, schema: &DataSchema) -> Result<()> {
        let mut names: HashSet<&str> = HashSet::from([TIME_COLUMN]);
        let grouping = self.grouping_columns.iter().map(|column| column.name.as_str());
        let aggregators = self.aggregators.iter().map(|aggregator| aggregator.name.as_str());
        for name in grouping.chain(aggregators) {
            if !names.insert(name) {
                let message = format!("there is another column '{name}'; names must differ");
                return Err(node.invalid(message));
            }
        }
        let mut computed = HashSet::new();
        for column in &self.virtual_columns {
            let name = column.name.as_str();
            if !computed.insert(name) || stored_type(schema, name).is_some() {
                let message = format!(
                    "virtual column '{name}' has the name of another column; names must differ"
                );
                return Err(node.invalid(message));
            }
        }
        Ok(())
    }

    /// Every column that is read must be one that segments can have.
    fn check_references(&self, node: &Node<'_>, schema: &DataSchema) -> Result<()> {
        let mut unknown = None;
        let mut check = |place: &str, name: &str| {
            let known = name == TIME_COLUMN
                || schema.dimensions_spec.discovers()
                || stored_type(schema, name).is_some()
                || self.virtual_columns.iter().any(|column| column.name == name);
            if !known && unknown.is_none() {
                unknown = Some(format!(
                    "{place} names '{name}', which is neither a dimension nor a metric nor a \
                     virtual column of the projection"
                ));
            }
        };
        for column in &self.grouping_columns {
            check("groupingColumns", &column.name);
        }
        for aggregator in &self.aggregators {
            if let AggregatorKind::OneValue(_) = &aggregator.kind {
                let message = "first, last and any cannot be stored in a projection";
                return Err(node.unsupported(message));
            }
            if aggregator.kind.stored_states().is_none() {
                return Err(node.unsupported(not_stored(&aggregator.kind)));
            }
            aggregator.for_each_input(&mut |name| check("aggregators", name));
            if let Some(filter) = &aggregator.filter {
                filter.for_each_column(&mut |name| check("aggregators", name));
            }
        }
        for column in &self.virtual_columns {
            let inputs = column.expression.identifiers();
            inputs.iter().for_each(|name| check("virtualColumns", name));
        }
        if let Some(filter) = &self.filter {
            filter.for_each_column(&mut |name| check("filter", name));
        }
        if let Some(message) = unknown {
            return Err(node.invalid(message));
        }
        self.check_types(node, schema)
    }

    fn check_types(&self, node: &Node<'_>, schema: &DataSchema) -> Result<()> {
        for column in &self.grouping_columns {
            let computed = self.virtual_columns.iter().find(|known| known.name == column.name);
            if let Some(computed) = computed
                && (computed.output_type.is_none()
                    || column.column_type.is_some_and(|t| computed.output_type != Some(t)))
            {
                let message = format!(
                    "virtual column '{}' is grouped by: give its outputType, the same as the \
                     grouping column's",
                    column.name
                );
                return Err(node.invalid(message));
            }
            let Some(stored) = stored_type(schema, &column.name).flatten() else { continue };
            if let Some(given) = column.column_type
                && ColumnType::from(given) != stored
            {
                let message = format!(
                    "grouping column '{}' is {given} here and {stored} in the table; leave the \
                     type out or give the table's",
                    column.name
                );
                return Err(node.invalid(message));
            }
            if stored.value_type().is_none() {
                let message = format!("'{}' holds sketches and cannot be grouped by", column.name);
                return Err(node.invalid(message));
            }
        }
        Ok(())
    }

    /// What segments keep with the projection.
    #[must_use]
    pub fn definition(&self) -> ProjectionDefinition {
        let virtual_columns = &self.virtual_columns;
        let filters = self.filter.iter().flat_map(Filter::conjuncts);
        ProjectionDefinition {
            name: self.name.clone(),
            filters: filters.map(|filter| filter.key(virtual_columns)).collect(),
            virtual_columns: virtual_columns
                .iter()
                .map(|column| ProjectionVirtualColumn {
                    name: column.name.clone(),
                    expression: column.expression.text().to_owned(),
                    output_type: column.output_type,
                })
                .collect(),
            granularity: self.granularity.clone(),
            grouping_columns: self.grouping_columns.clone(),
            time_position: self.time_position,
            aggregators: self
                .aggregators
                .iter()
                .map(|aggregator| ProjectionAggregator {
                    name: aggregator.name.clone(),
                    spec: aggregator.to_value().to_string(),
                    key: aggregator.state_key(virtual_columns),
                })
                .collect(),
        }
    }

    /// The projection as Druid's JSON. Reading it again gives the same projection.
    pub(super) fn to_value(&self) -> Value {
        let mut virtual_columns: Vec<Value> =
            self.virtual_columns.iter().map(VirtualColumn::to_value).collect();
        let mut grouping: Vec<Value> = self
            .grouping_columns
            .iter()
            .map(|column| match &column.column_type {
                None => json!(column.name),
                Some(given) => {
                    json!({"type": given.to_string().to_lowercase(), "name": column.name})
                }
            })
            .collect();
        if let Some((name, expression)) = &self.time {
            grouping.insert(self.time_position, json!({"type": "long", "name": name}));
            virtual_columns.extend(expression.as_ref().map(|expression| {
                json!({
                    "type": "expression",
                    "name": name,
                    "expression": expression,
                    "outputType": "LONG",
                })
            }));
        }
        let mut value = json!({
            "type": "aggregate",
            "name": self.name,
            "virtualColumns": virtual_columns,
            "groupingColumns": grouping,
            "aggregators": self.aggregators.iter().map(AggregatorSpec::to_value).collect::<Vec<_>>(),
        });
        if let Some(filter) = &self.filter {
            value["filter"] = filter.to_value();
        }
        if self.time.is_none() && self.granularity != Granularity::All {
            value["granularity"] = serde_json::to_value(&self.granularity).unwrap_or_default();
        }
        value
    }
}

/// The type of a declared column; `Some(None)` when it follows the values.
fn stored_type(schema: &DataSchema, name: &str) -> Option<Option<ColumnType>> {
    let dimension = schema.dimensions_spec.dimensions.iter().find(|column| column.name == name);
    if let Some(dimension) = dimension {
        return Some(dimension.column_type.clone());
    }
    let metric = schema.metrics_spec.iter().find(|metric| metric.name == name)?;
    Some(Some(metric.kind.column_type()))
}
