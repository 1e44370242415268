//! `sys.segments` and `sys.server_segments`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use henge_platform::metadata::PublishedSegment;
use henge_sql::Result;
use henge_types::{ColumnRole, SegmentId, SegmentSchema, TIME_COLUMN, format_timestamp};
use serde_json::Value;

use super::{BrokerSource, Column, failed, long, size, text};
use crate::view::{ClusterView, Replica, TableView};

/// What is told of a segment.
struct Row<'v> {
    id: &'v SegmentId,
    table: &'v TableView,
    published: Option<&'v PublishedSegment>,
    replicas: &'v [Replica],
}

impl Row<'_> {
    fn is_realtime(&self) -> bool {
        self.table.buffered.contains(self.id)
    }

    fn is_overshadowed(&self) -> bool {
        self.published.is_some() && self.table.timeline.is_overshadowed(self.id)
    }

    fn is_active(&self) -> bool {
        self.is_realtime() || (self.published.is_some() && !self.is_overshadowed())
    }

    fn size_bytes(&self) -> u64 {
        let announced = || self.replicas.iter().map(|replica| replica.segment.size_bytes).max();
        self.published.map(|segment| segment.size_bytes).or_else(announced).unwrap_or(0)
    }

    fn shard_spec(&self) -> Option<String> {
        let announced = || self.replicas.first().map(|replica| replica.segment.shard_spec);
        let spec = self.published.map(|segment| segment.shard_spec).or_else(announced)?;
        serde_json::to_string(&spec).ok()
    }

    /// The names of dimensions and of metrics, each as JSON.
    fn columns(&self, known: &mut HashMap<String, Names>) -> Names {
        let Some(published) = self.published else {
            // Which of buffered columns are metrics is not announced.
            let schema = self.replicas.first().map(|replica| &replica.segment.schema);
            let columns = schema.iter().flat_map(|schema| schema.columns());
            let names = columns.map(|column| &*column.name).filter(|name| *name != TIME_COLUMN);
            return Names::of(names, [].into_iter());
        };
        if let Some(names) = known.get(&published.schema_json) {
            return names.clone();
        }
        let names = match serde_json::from_str::<SegmentSchema>(&published.schema_json) {
            Ok(schema) => {
                let of_role = |role| {
                    let columns = schema.columns.iter().filter(move |column| column.role == role);
                    columns.map(|column| column.name.as_str())
                };
                Names::of(of_role(ColumnRole::Dimension), of_role(ColumnRole::Metric))
            }
            Err(_) => Names::default(),
        };
        known.insert(published.schema_json.clone(), names.clone());
        names
    }
}

/// Dimensions and metrics as JSON; many segments have the same.
#[derive(Debug, Clone, Default)]
struct Names {
    dimensions: Option<Arc<str>>,
    metrics: Option<Arc<str>>,
}

impl Names {
    fn of<'n>(
        dimensions: impl Iterator<Item = &'n str>,
        metrics: impl Iterator<Item = &'n str>,
    ) -> Self {
        Self {
            dimensions: Some(dimensions.collect::<Value>().to_string().into()),
            metrics: Some(metrics.collect::<Value>().to_string().into()),
        }
    }
}

/// Used segments, announced ones, and those that somebody should have.
pub(super) async fn segments(source: &BrokerSource) -> Result<Vec<Column>> {
    let views = &source.broker.views;
    let view = views.current().await.map_err(|error| failed(&error, None))?;
    let used = views.used_segments().await.map_err(|error| failed(&error, None))?;
    let used: HashMap<&SegmentId, &PublishedSegment> =
        used.iter().map(|segment| (&segment.id, segment)).collect();
    let rows = rows_of(&view, &used);
    let mut known = HashMap::new();
    let names: Vec<Names> = rows.iter().map(|row| row.columns(&mut known)).collect();
    let each = || rows.iter();
    let flag = |name, of: fn(&Row<'_>) -> bool| long(name, each().map(|row| Some(of(row).into())));
    Ok(vec![
        text("segment_id", each().map(|row| Some(row.id.to_string()))),
        text("datasource", each().map(|row| Some(&*row.id.datasource))),
        text("start", each().map(|row| Some(format_timestamp(row.id.interval.start_ms)))),
        text("end", each().map(|row| Some(format_timestamp(row.id.interval.end_ms)))),
        long("size", each().map(|row| Some(size(row.size_bytes())))),
        text("version", each().map(|row| Some(row.id.version.to_string()))),
        long("partition_num", each().map(|row| Some(row.id.partition.into()))),
        long("num_replicas", each().map(|row| Some(size(row.replicas.len() as u64)))),
        long("num_rows", each().map(|row| Some(row.published.map_or(0, |of| size(of.row_count))))),
        flag("is_active", |row| row.is_active()),
        flag("is_published", |row| row.published.is_some()),
        flag("is_available", |row| !row.replicas.is_empty()),
        flag("is_realtime", |row| row.is_realtime()),
        flag("is_overshadowed", |row| row.is_overshadowed()),
        text("shard_spec", each().map(Row::shard_spec)),
        text("dimensions", names.iter().map(|names| names.dimensions.as_deref())),
        text("metrics", names.iter().map(|names| names.metrics.as_deref())),
        text("last_compaction_state", each().map(|_| None::<String>)),
        // How many copies rules want is the coordinator's to say: Druid's mark for what is not known.
        long("replication_factor", each().map(|_| Some(-1))),
    ])
}

fn rows_of<'v>(
    view: &'v ClusterView,
    used: &HashMap<&'v SegmentId, &'v PublishedSegment>,
) -> Vec<Row<'v>> {
    let mut rows = Vec::new();
    for table in view.tables.values() {
        let table: &TableView = table;
        let ids: BTreeSet<&SegmentId> =
            table.used.keys().chain(&table.buffered).chain(table.replicas.keys()).collect();
        rows.extend(ids.into_iter().map(|id| Row {
            id,
            table,
            published: used.get(id).copied(),
            replicas: table.replicas.get(id).map_or(&[], Vec::as_slice),
        }));
    }
    rows
}

/// Who announces what.
pub(super) async fn server_segments(source: &BrokerSource) -> Result<Vec<Column>> {
    let view = source.broker.views.current().await.map_err(|error| failed(&error, None))?;
    let mut pairs: Vec<(&str, &SegmentId)> = Vec::new();
    for (id, replicas) in view.tables.values().flat_map(|table| &table.replicas) {
        pairs.extend(replicas.iter().map(|replica| (&*replica.server, id)));
    }
    pairs.sort_unstable();
    Ok(vec![
        text("server", pairs.iter().map(|(server, _)| Some(*server))),
        text("segment_id", pairs.iter().map(|(_, id)| Some(id.to_string()))),
    ])
}
