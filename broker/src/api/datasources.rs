//! `GET /druid/v2/datasources`: what can be queried, and its columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use henge_exec::Answer;
use henge_platform::http::DruidError;
use henge_query::{Analysis, DataSource, Query, QueryBase, SegmentMetadataQuery};
use henge_types::{Interval, TIME_COLUMN};
use serde_json::{Value, json};

use crate::Broker;

/// The names of the datasources that have data, served or not.
pub(super) async fn list(
    State(broker): State<Arc<Broker>>,
) -> Result<Json<Vec<String>>, DruidError> {
    broker.readiness.check()?;
    let view = broker.views.current().await?;
    let with_data = view.tables.iter().filter(|(_, table)| table.span().is_some());
    Ok(Json(with_data.map(|(name, _)| name.to_string()).collect()))
}

/// `{"dimensions":[…],"metrics":[…]}`; both empty for a datasource without data, as in Druid.
pub(super) async fn columns(
    State(broker): State<Arc<Broker>>,
    Path(name): Path<String>,
    RawQuery(parameters): RawQuery,
) -> Result<Json<Value>, DruidError> {
    let (dimensions, metrics) = names(&broker, &name, parameters.as_deref()).await?;
    Ok(Json(json!({ "dimensions": dimensions, "metrics": metrics })))
}

/// The dimensions.
pub(super) async fn dimensions(
    State(broker): State<Arc<Broker>>,
    Path(name): Path<String>,
    RawQuery(parameters): RawQuery,
) -> Result<Json<Vec<String>>, DruidError> {
    Ok(Json(names(&broker, &name, parameters.as_deref()).await?.0))
}

/// The metrics.
pub(super) async fn metrics(
    State(broker): State<Arc<Broker>>,
    Path(name): Path<String>,
    RawQuery(parameters): RawQuery,
) -> Result<Json<Vec<String>>, DruidError> {
    Ok(Json(names(&broker, &name, parameters.as_deref()).await?.1))
}

async fn names(
    broker: &Broker,
    name: &str,
    parameters: Option<&str>,
) -> Result<(Vec<String>, Vec<String>), DruidError> {
    let interval = interval(parameters)?;
    let base = QueryBase::new(DataSource::Table(name.to_owned()), vec![interval]);
    let query = SegmentMetadataQuery {
        merge: true,
        analysis_types: vec![Analysis::Aggregators],
        lenient_aggregator_merge: true,
        ..SegmentMetadataQuery::new(base)
    };
    let answer = broker.columns_of(Query::SegmentMetadata(query)).await?;
    let Answer::SegmentMetadata(analyses) = answer else { return Ok(Default::default()) };
    let (mut dimensions, mut metrics) = (BTreeSet::new(), BTreeSet::new());
    for analysis in &analyses {
        let aggregators = analysis.aggregators.as_ref();
        for (column, _) in analysis.columns.iter().filter(|(name, _)| name != TIME_COLUMN) {
            let is_metric = aggregators.is_some_and(|metrics| metrics.contains_key(column));
            let names = if is_metric { &mut metrics } else { &mut dimensions };
            names.insert(column.clone());
        }
    }
    Ok((dimensions.into_iter().collect(), metrics.into_iter().collect()))
}

/// `?interval=…`, else all of time.
fn interval(parameters: Option<&str>) -> Result<Interval, DruidError> {
    let given = parameters.unwrap_or_default().split('&').find_map(|parameter| {
        parameter.strip_prefix("interval=").or_else(|| parameter.strip_prefix("intervals="))
    });
    match given {
        Some(text) => Ok(Interval::parse(&text.replace("%2F", "/").replace("%3A", ":"))?),
        None => Ok(Interval::ETERNITY),
    }
}
