//! From the query model back to JSON, in one normal form: defaults spelled out, intervals
//! condensed, sets sorted. Reading it again gives the same query, so it can travel between nodes,
//! and equal text means equal answers, so it is what cache keys are made of.

mod cache_key;
mod context;
mod datasource;
mod filter;
mod parts;
mod post_aggregator;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use henge_expr::Lookup;
use serde_json::{Map, Value, json};

pub(crate) use parts::dimension as dimension_value;

use crate::aggregate::to_values;
use crate::query::{
    Analysis, Bound, ColumnInclusion, GroupByQuery, Query, QueryBase, ResultFormat, ScanKey,
    ScanQuery, SearchMatch, SearchQuery, SegmentMetadataQuery, TimeseriesQuery, TopNMetric,
    TopNQuery,
};
use crate::virtual_column::VirtualColumn;

impl Query {
    /// The query as JSON, in normal form, with its context as it came, or as it was set since.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut fields = self.body();
        fields.insert("context".to_owned(), Value::Object(context::context(&self.base().context)));
        let lookups = self.lookups();
        if !lookups.is_empty() {
            let content = |lookup: &Arc<Lookup>| {
                lookup.entries().map(|(key, value)| (key.to_owned(), value.into())).collect()
            };
            let lookups = lookups.into_iter();
            let lookups =
                lookups.map(|(name, lookup)| (name.to_owned(), Value::Object(content(lookup))));
            fields.insert("lookups".to_owned(), Value::Object(lookups.collect()));
        }
        Value::Object(fields)
    }

    /// The query without its context.
    fn body(&self) -> Map<String, Value> {
        let mut fields = common(self.base());
        let (query_type, own) = match self {
            Self::Timeseries(query) => ("timeseries", timeseries(query)),
            Self::TopN(query) => ("topN", top_n(query)),
            Self::GroupBy(query) => ("groupBy", group_by(query)),
            Self::Scan(query) => ("scan", scan(query)),
            Self::Search(query) => ("search", search(query)),
            Self::TimeBoundary(query) => ("timeBoundary", json!({"bound": bound(query.bound)})),
            Self::SegmentMetadata(query) => {
                if query.using_default_interval {
                    fields.remove("intervals");
                }
                ("segmentMetadata", segment_metadata(query))
            }
            Self::DataSourceMetadata(_) => ("dataSourceMetadata", Value::Null),
        };
        fields.insert("queryType".to_owned(), query_type.into());
        if let Value::Object(own) = own {
            fields.extend(own.into_iter().filter(|(_, value)| !value.is_null()));
        }
        fields
    }
}

fn common(base: &QueryBase) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("dataSource".to_owned(), datasource::data_source(&base.data_source));
    fields.insert("intervals".to_owned(), parts::intervals(&base.intervals));
    if let Some(filter) = &base.filter {
        fields.insert("filter".to_owned(), filter.to_value());
    }
    if !base.virtual_columns.is_empty() {
        let columns = base.virtual_columns.iter().map(VirtualColumn::to_value).collect();
        fields.insert("virtualColumns".to_owned(), columns);
    }
    fields
}

fn timeseries(query: &TimeseriesQuery) -> Value {
    json!({
        "granularity": parts::granularity(&query.granularity),
        "aggregations": to_values(&query.aggregations),
        "postAggregations": post_aggregator::all(&query.post_aggregations),
        "descending": query.descending,
        "limit": query.limit,
    })
}

fn top_n(query: &TopNQuery) -> Value {
    json!({
        "granularity": parts::granularity(&query.granularity),
        "dimension": parts::dimension(&query.dimension),
        "metric": metric(&query.metric),
        "threshold": query.threshold,
        "aggregations": to_values(&query.aggregations),
        "postAggregations": post_aggregator::all(&query.post_aggregations),
    })
}

fn metric(metric: &TopNMetric) -> Value {
    match metric {
        TopNMetric::Numeric(name) => json!({"type": "numeric", "metric": name}),
        TopNMetric::Dimension { ordering, previous_stop } => json!({
            "type": "dimension",
            "ordering": parts::ordering(*ordering),
            "previousStop": previous_stop,
        }),
        TopNMetric::Inverted(inner) => {
            json!({"type": "inverted", "metric": self::metric(inner)})
        }
    }
}

fn group_by(query: &GroupByQuery) -> Value {
    let name = |position: &usize| query.dimensions.get(*position).map(|d| d.output_name.as_str());
    let subtotals = query.subtotals.as_ref().map(|sets| {
        sets.iter().map(|set| set.iter().map(name).collect()).collect::<Vec<Vec<Option<&str>>>>()
    });
    json!({
        "granularity": parts::granularity(&query.granularity),
        "dimensions": query.dimensions.iter().map(parts::dimension).collect::<Vec<_>>(),
        "aggregations": to_values(&query.aggregations),
        "postAggregations": post_aggregator::all(&query.post_aggregations),
        "having": query.having.as_ref().map(parts::having),
        "limitSpec": query.limit_spec.as_ref().map(parts::limit_spec),
        "subtotalsSpec": subtotals,
    })
}

fn scan(query: &ScanQuery) -> Value {
    json!({
        "columns": query.columns,
        "resultFormat": match query.result_format {
            ResultFormat::List => "list",
            ResultFormat::CompactedList => "compactedList",
        },
        "batchSize": query.batch_size,
        "limit": query.limit,
        "offset": query.offset,
        "order": query.time_order().map_or("none", parts::direction),
        "orderBy": match query.time_order() {
            Some(_) => Value::Null,
            None => scan_keys(&query.order_by),
        },
    })
}

/// Null for none, which is left out.
fn scan_keys(keys: &[ScanKey]) -> Value {
    if keys.is_empty() {
        return Value::Null;
    }
    let key =
        |key: &ScanKey| json!({"columnName": key.column, "order": parts::direction(key.direction)});
    keys.iter().map(key).collect()
}

fn search(query: &SearchQuery) -> Value {
    let text = match &query.query {
        SearchMatch::All => json!({"type": "all"}),
        SearchMatch::Contains { value, case_sensitive } => {
            json!({"type": "contains", "value": value, "caseSensitive": case_sensitive})
        }
        SearchMatch::Fragment { values, case_sensitive } => {
            json!({"type": "fragment", "values": values, "caseSensitive": case_sensitive})
        }
        SearchMatch::Regex(regex) => json!({"type": "regex", "pattern": regex.as_str()}),
    };
    json!({
        "granularity": parts::granularity(&query.granularity),
        "searchDimensions":
            query.search_dimensions.iter().map(parts::dimension).collect::<Vec<_>>(),
        "query": text,
        "sort": parts::ordering(query.sort.0),
        "limit": query.limit,
    })
}

fn bound(bound: Option<Bound>) -> Option<&'static str> {
    bound.map(|bound| match bound {
        Bound::MinTime => "minTime",
        Bound::MaxTime => "maxTime",
    })
}

fn segment_metadata(query: &SegmentMetadataQuery) -> Value {
    let analysis = |analysis: &Analysis| match analysis {
        Analysis::Cardinality => "cardinality",
        Analysis::Interval => "interval",
        Analysis::MinMax => "minmax",
        Analysis::Size => "size",
        Analysis::TimestampSpec => "timestampSpec",
        Analysis::QueryGranularity => "queryGranularity",
        Analysis::Aggregators => "aggregators",
        Analysis::Rollup => "rollup",
        Analysis::Projections => "projections",
    };
    json!({
        "toInclude": match &query.to_include {
            ColumnInclusion::All => json!({"type": "all"}),
            ColumnInclusion::None => json!({"type": "none"}),
            ColumnInclusion::List(columns) => json!({"type": "list", "columns": columns}),
        },
        "merge": query.merge,
        "analysisTypes": query.analysis_types.iter().map(analysis).collect::<Vec<_>>(),
        "aggregatorMergeStrategy":
            if query.lenient_aggregator_merge { "lenient" } else { "strict" },
    })
}
