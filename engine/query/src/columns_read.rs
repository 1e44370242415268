//! Which stored columns a query reads and where it names them, and which dimensions it orders as text
//! without having said so: what whoever knows the columns can warn of.

use std::collections::HashSet;

use henge_types::{TIME_COLUMN, ValueType};
use serde_json::Value;

use crate::aggregate::AggregatorSpec;
use crate::dimension::DimensionSpec;
use crate::query::{ColumnInclusion, Query};

/// A column, and the field of the query that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnUse {
    /// For example `filter`, `dimensions[1]`.
    pub path: String,
    /// The column.
    pub column: String,
}

impl Query {
    /// The stored columns that it reads, each at the first place that names it: neither `__time` nor
    /// virtual columns. Where these are a join's or a sub-query's, they are named as the query names them.
    #[must_use]
    pub fn columns_read(&self) -> Vec<ColumnUse> {
        let mut found = Found::default();
        let base = self.base();
        found.skip(TIME_COLUMN);
        base.virtual_columns.iter().for_each(|column| found.skip(&column.name));
        if let Some(filter) = &base.filter {
            filter.for_each_column(&mut |column| found.add(|| "filter".to_owned(), column));
        }
        for (index, column) in base.virtual_columns.iter().enumerate() {
            let names = column.expression.identifiers();
            names.iter().for_each(|name| found.add(|| format!("virtualColumns[{index}]"), name));
        }
        match self {
            Self::Timeseries(query) => found.aggregations(&query.aggregations),
            Self::TopN(query) => {
                found.add(|| "dimension".to_owned(), &query.dimension.dimension);
                found.aggregations(&query.aggregations);
            }
            Self::GroupBy(query) => {
                found.dimensions("dimensions", &query.dimensions);
                found.aggregations(&query.aggregations);
            }
            Self::Scan(query) => {
                found.names("columns", &query.columns);
                for (index, key) in query.order_by.iter().enumerate() {
                    found.add(|| format!("orderBy[{index}].columnName"), &key.column);
                }
            }
            Self::Search(query) => found.dimensions("searchDimensions", &query.search_dimensions),
            Self::SegmentMetadata(query) => {
                if let ColumnInclusion::List(names) = &query.to_include {
                    found.names("toInclude.columns", names);
                }
            }
            Self::TimeBoundary(_) | Self::DataSourceMetadata(_) => {}
        }
        found.uses
    }

    /// The columns of dimensions by whose text the answer is ordered although the query, which is
    /// `document`, names no ordering. The path is that of the missing field.
    pub(crate) fn orders_by_text(&self, document: &Value) -> Vec<ColumnUse> {
        let mut uses = Vec::new();
        let mut add = |path: String, dimension: &DimensionSpec| {
            if dimension.output_type == ValueType::String && dimension.dimension != TIME_COLUMN {
                uses.push(ColumnUse { path, column: dimension.dimension.clone() });
            }
        };
        match self {
            Self::TopN(query) => {
                if let Some(path) = open_metric(&document["metric"]) {
                    add(path, &query.dimension);
                }
            }
            Self::GroupBy(query) => {
                let orders = query.limit_spec.iter().flat_map(|limit| &limit.columns);
                for (index, order) in orders.enumerate() {
                    let named = |spec: &&DimensionSpec| spec.output_name == order.column;
                    let written = &document["limitSpec"]["columns"][index];
                    if let Some(dimension) = query.dimensions.iter().find(named)
                        && written["dimensionOrder"].is_null()
                    {
                        add(format!("limitSpec.columns[{index}].dimensionOrder"), dimension);
                    }
                }
            }
            Self::Search(query) if document["sort"].is_null() => {
                query.search_dimensions.iter().for_each(|spec| add("sort".to_owned(), spec));
            }
            _ => {}
        }
        uses
    }
}

/// Where the ordering of a topN's metric is missing: it is by the dimension's values then.
fn open_metric(metric: &Value) -> Option<String> {
    let (mut metric, mut path) = (metric, "metric".to_owned());
    while metric["type"] == "inverted" {
        metric = &metric["metric"];
        path.push_str(".metric");
    }
    let is_open = metric["type"] == "dimension" && metric["ordering"].is_null();
    is_open.then(|| format!("{path}.ordering"))
}

/// Uses in the order they are found.
#[derive(Debug, Default)]
struct Found {
    seen: HashSet<String>,
    uses: Vec<ColumnUse>,
}

impl Found {
    fn skip(&mut self, column: &str) {
        self.seen.insert(column.to_owned());
    }

    fn add(&mut self, path: impl FnOnce() -> String, column: &str) {
        if !self.seen.contains(column) {
            self.skip(column);
            self.uses.push(ColumnUse { path: path(), column: column.to_owned() });
        }
    }

    fn names(&mut self, list: &str, names: &[String]) {
        for (index, name) in names.iter().enumerate() {
            self.add(|| format!("{list}[{index}]"), name);
        }
    }

    fn dimensions(&mut self, list: &str, dimensions: &[DimensionSpec]) {
        for (index, spec) in dimensions.iter().enumerate() {
            self.add(|| format!("{list}[{index}]"), &spec.dimension);
        }
    }

    fn aggregations(&mut self, aggregations: &[AggregatorSpec]) {
        for (index, spec) in aggregations.iter().enumerate() {
            let mut add = |column: &str| self.add(|| format!("aggregations[{index}]"), column);
            spec.for_each_input(&mut add);
            if let Some(filter) = &spec.filter {
                filter.for_each_column(&mut add);
            }
        }
    }
}
