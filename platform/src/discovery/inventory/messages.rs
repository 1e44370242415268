//! Updates as messages: a large one in several, none of them large, and each list of columns once a
//! message.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use henge_proto::v1::{
    InventoryColumn, InventoryColumns, InventoryGrowth, InventoryLoad, InventoryLoads,
    InventoryPair, InventorySegment, InventoryServer, WatchInventoryResponse,
};
use henge_types::{ColumnType, SegmentId};

use super::super::{
    AnnouncedColumn, AnnouncedSchema, AnnouncedSegment, ChangeSet, DiscoveryError, LoadReport,
    SchemaGrowth, SegmentLoad, ServerAddress, ServerDescription, ServerKind,
};
use super::{InventoryUpdate, InventoryVersion, NodeChange};

/// Segments of a message.
const SEGMENTS: usize = 1_000;

/// The messages of an update, one at least.
pub(super) fn messages_of(update: InventoryUpdate) -> Vec<WatchInventoryResponse> {
    let InventoryUpdate { at, is_whole, nodes } = update;
    let mut messages: Vec<_> = nodes.into_iter().flat_map(messages_of_node).collect();
    if messages.is_empty() {
        messages.push(WatchInventoryResponse::default());
    }
    for message in &mut messages {
        (message.incarnation, message.version) = (at.incarnation, at.version);
        message.is_whole = is_whole;
    }
    messages.last_mut().into_iter().for_each(|last| last.is_last = true);
    messages
}

fn messages_of_node(node: NodeChange) -> Vec<WatchInventoryResponse> {
    let NodeChange { server, description, changes, left, loads } = node;
    let ChangeSet { add, remove, grow } = changes;
    let of_server = || WatchInventoryResponse {
        server: server.to_string(),
        description: Some(message_of_description(&description)),
        left,
        ..WatchInventoryResponse::default()
    };
    let mut messages = Vec::new();
    for part in remove.chunks(SEGMENTS) {
        let remove = part.iter().map(ToString::to_string).collect();
        messages.push(WatchInventoryResponse { remove, ..of_server() });
    }
    for part in add.chunks(SEGMENTS) {
        messages.push(added(part, of_server()));
    }
    for part in grow.chunks(SEGMENTS) {
        let grow = part.iter().map(|SchemaGrowth { id, columns }| InventoryGrowth {
            id: id.to_string(),
            columns: Some(columns_of(columns)),
        });
        messages.push(WatchInventoryResponse { grow: grow.collect(), ..of_server() });
    }
    if let Some(loads) = loads {
        let loads = Some(message_of_loads(&loads));
        messages.push(WatchInventoryResponse { loads, ..of_server() });
    }
    if messages.is_empty() {
        messages.push(of_server());
    }
    messages
}

fn message_of_loads(LoadReport { segments, together }: &LoadReport) -> InventoryLoads {
    let load = |(id, load): &(SegmentId, SegmentLoad)| {
        let SegmentLoad { queries, rows, cpu_us } = *load;
        InventoryLoad { id: id.to_string(), queries, rows, cpu_us }
    };
    let pair = |(left, right, queries): &(u32, u32, f64)| InventoryPair {
        left: *left,
        right: *right,
        queries: *queries,
    };
    InventoryLoads {
        segments: segments.iter().map(load).collect(),
        together: together.iter().map(pair).collect(),
    }
}

fn read_loads(loads: InventoryLoads) -> Result<LoadReport, DiscoveryError> {
    let InventoryLoads { segments, together } = loads;
    let count = segments.len();
    let load = |InventoryLoad { id, queries, rows, cpu_us }: InventoryLoad| {
        Ok((read::<SegmentId>("id", &id)?, SegmentLoad { queries, rows, cpu_us }))
    };
    let pair = |InventoryPair { left, right, queries }: InventoryPair| {
        let is_there = [left, right].iter().all(|place| (*place as usize) < count);
        is_there
            .then_some((left, right, queries))
            .ok_or_else(|| unreadable("together", "no such segment"))
    };
    Ok(LoadReport {
        segments: segments.into_iter().map(load).collect::<Result<_, DiscoveryError>>()?,
        together: together.into_iter().map(pair).collect::<Result<_, _>>()?,
    })
}

fn message_of_description(description: &ServerDescription) -> InventoryServer {
    // Where it is reached, only the one who asks knows.
    let ServerDescription { address: _, kind, zone, tier, capacity_bytes } = description;
    InventoryServer {
        holds_published: *kind == ServerKind::Historical,
        zone: zone.to_string(),
        tier: tier.to_string(),
        capacity_bytes: *capacity_bytes,
    }
}

fn read_description(server: InventoryServer) -> ServerDescription {
    let InventoryServer { holds_published, zone, tier, capacity_bytes } = server;
    ServerDescription {
        address: ServerAddress::InProcess,
        kind: if holds_published { ServerKind::Historical } else { ServerKind::Realtime },
        zone: zone.into(),
        tier: tier.into(),
        capacity_bytes,
    }
}

fn added(
    segments: &[AnnouncedSegment],
    mut message: WatchInventoryResponse,
) -> WatchInventoryResponse {
    // The registry keeps each list once.
    let mut places: HashMap<*const AnnouncedSchema, u32> = HashMap::new();
    for segment in segments {
        let AnnouncedSegment { id, shard_spec, tier, priority, realtime, size_bytes, schema } =
            segment;
        let next = message.columns.len() as u32;
        let columns = *places.entry(Arc::as_ptr(schema)).or_insert(next);
        if columns == next {
            message.columns.push(columns_of(schema.columns()));
        }
        message.add.push(InventorySegment {
            id: id.to_string(),
            // A shard spec is a few numbers, which can always be written.
            shard_spec: serde_json::to_string(shard_spec).unwrap_or_default(),
            tier: tier.to_string(),
            priority: *priority,
            is_buffered: *realtime,
            size_bytes: *size_bytes,
            columns,
        });
    }
    message
}

fn columns_of(columns: &[AnnouncedColumn]) -> InventoryColumns {
    let columns = columns.iter().map(|AnnouncedColumn { name, column_type }| InventoryColumn {
        name: name.to_string(),
        r#type: column_type.to_string(),
    });
    InventoryColumns { columns: columns.collect() }
}

/// Puts updates together again.
#[derive(Debug, Default)]
pub(super) struct Joined {
    nodes: Vec<NodeChange>,
}

impl Joined {
    /// Takes a message; gives the update that it ends.
    ///
    /// # Errors
    /// When it is no message of an inventory.
    pub(super) fn take(
        &mut self,
        message: WatchInventoryResponse,
    ) -> Result<Option<InventoryUpdate>, DiscoveryError> {
        let WatchInventoryResponse {
            incarnation,
            version,
            is_whole,
            is_last,
            server,
            left,
            columns,
            add,
            remove,
            grow,
            description,
            loads,
        } = message;
        if !server.is_empty() {
            let schemas = columns
                .into_iter()
                .map(|columns| Ok(Arc::new(AnnouncedSchema::new(read_columns(columns)?))));
            let schemas = schemas.collect::<Result<Vec<_>, DiscoveryError>>()?;
            let node = self.node(server, description, left);
            for segment in add {
                node.changes.add.push(read_segment(segment, &schemas)?);
            }
            for id in remove {
                node.changes.remove.push(read("id", &id)?);
            }
            for InventoryGrowth { id, columns } in grow {
                let columns = read_columns(columns.unwrap_or_default())?;
                node.changes.grow.push(SchemaGrowth { id: read("id", &id)?, columns });
            }
            if let Some(loads) = loads {
                node.loads = Some(Arc::new(read_loads(loads)?));
            }
        }
        let at = InventoryVersion { incarnation, version };
        Ok(is_last.then(|| InventoryUpdate {
            at,
            is_whole,
            nodes: std::mem::take(&mut self.nodes),
        }))
    }

    /// The change of a node: messages of one node follow one another.
    fn node(
        &mut self,
        server: String,
        description: Option<InventoryServer>,
        left: bool,
    ) -> &mut NodeChange {
        let goes_on = self.nodes.last().is_some_and(|node| *node.server == *server);
        if !goes_on {
            let description = Arc::new(read_description(description.unwrap_or_default()));
            let (server, changes) = (server.into(), ChangeSet::default());
            self.nodes.push(NodeChange { server, description, changes, left, loads: None });
        }
        let last = self.nodes.len() - 1;
        &mut self.nodes[last]
    }
}

fn read_segment(
    segment: InventorySegment,
    schemas: &[Arc<AnnouncedSchema>],
) -> Result<AnnouncedSegment, DiscoveryError> {
    let InventorySegment { id, shard_spec, tier, priority, is_buffered, size_bytes, columns } =
        segment;
    let schema =
        schemas.get(columns as usize).ok_or_else(|| unreadable("columns", "no such list"))?;
    Ok(AnnouncedSegment {
        id: read::<SegmentId>("id", &id)?,
        shard_spec: serde_json::from_str(&shard_spec)
            .map_err(|error| unreadable("shard_spec", &error))?,
        tier: tier.into(),
        priority,
        realtime: is_buffered,
        size_bytes,
        schema: Arc::clone(schema),
    })
}

fn read_columns(columns: InventoryColumns) -> Result<Vec<AnnouncedColumn>, DiscoveryError> {
    let column = |InventoryColumn { name, r#type }: InventoryColumn| {
        Ok(AnnouncedColumn { name: name.into(), column_type: read::<ColumnType>("type", &r#type)? })
    };
    columns.columns.into_iter().map(column).collect()
}

fn read<T: FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, DiscoveryError> {
    text.parse().map_err(|error| unreadable(field, &error))
}

fn unreadable(field: &str, reason: &(impl std::fmt::Display + ?Sized)) -> DiscoveryError {
    DiscoveryError::Unavailable(format!("an inventory's {field} cannot be read: {reason}"))
}
