//! A node over rows that tell of each block that is read of them.

use std::collections::HashMap;
use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use async_trait::async_trait;
use henge_platform::discovery::ServerId;
use henge_segment::{
    BLOCK_ROWS, ColumnView, NumericBlock, NumericColumn, NumericStats, NumericValues, SegmentError,
    SegmentView,
};
use henge_types::{ColumnRole, ColumnSchema, ColumnType, Granularity, SegmentId, SegmentSchema};

use crate::error::NodeError;
use crate::node::DataNode;
use crate::reply::SegmentReply;
use crate::request::SegmentQuery;
use crate::run::{QueryRunner, QueryServices};

/// Called with the number of each block of column `x` before it is read.
pub(super) type OnBlock = Arc<dyn Fn(usize) -> Result<(), SegmentError> + Send + Sync>;

/// Rows at the start of their chunk, all of them with 1 in the column `x`.
pub(super) struct Ones {
    id: SegmentId,
    schema: SegmentSchema,
    rows: usize,
    time: Repeated,
    x: Repeated,
}

/// One value in all rows.
struct Repeated {
    value: i64,
    on_block: Option<OnBlock>,
}

impl Ones {
    pub(super) fn new(id: SegmentId, blocks: usize, on_block: OnBlock) -> Self {
        let column = |name: &str, role| ColumnSchema {
            name: name.to_owned(),
            column_type: ColumnType::Long,
            role,
            multi_value: false,
            has_nulls: false,
        };
        let schema = SegmentSchema {
            columns: vec![column("__time", ColumnRole::Time), column("x", ColumnRole::Dimension)],
            metrics: Vec::new(),
            rollup: false,
            query_granularity: Granularity::None,
        };
        let time = Repeated { value: id.interval.start_ms, on_block: None };
        let x = Repeated { value: 1, on_block: Some(on_block) };
        Self { id, schema, rows: blocks * BLOCK_ROWS, time, x }
    }
}

impl Debug for Ones {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ones").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SegmentView for Ones {
    fn id(&self) -> &SegmentId {
        &self.id
    }

    fn schema(&self) -> &SegmentSchema {
        &self.schema
    }

    fn row_count(&self) -> usize {
        self.rows
    }

    fn time_range(&self) -> Option<(i64, i64)> {
        Some((self.time.value, self.time.value))
    }

    fn is_time_sorted(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> u64 {
        0
    }

    fn column(&self, name: &str) -> Result<Option<ColumnView<'_>>, SegmentError> {
        Ok(match name {
            "__time" => Some(ColumnView::Long(&self.time)),
            "x" => Some(ColumnView::Long(&self.x)),
            _ => None,
        })
    }
}

impl NumericColumn<i64> for Repeated {
    fn block<'s>(
        &'s self,
        block: usize,
        scratch: &'s mut Vec<i64>,
    ) -> Result<NumericBlock<'s, i64>, SegmentError> {
        self.on_block.iter().try_for_each(|on_block| on_block(block))?;
        scratch.clear();
        scratch.resize(BLOCK_ROWS, self.value);
        Ok(NumericBlock { values: NumericValues::Slice(scratch), nulls: None })
    }

    fn stats(&self, _block: usize) -> Result<Option<NumericStats<i64>>, SegmentError> {
        Ok(None)
    }

    fn has_nulls(&self) -> bool {
        false
    }
}

/// The plainest data node: it has some views.
#[derive(Debug)]
pub(super) struct ViewNode {
    server_id: ServerId,
    queries: QueryRunner,
    views: HashMap<SegmentId, Arc<dyn SegmentView>>,
}

impl ViewNode {
    pub(super) fn new(services: QueryServices, views: Vec<Arc<dyn SegmentView>>) -> Self {
        let views = views.into_iter().map(|view| (view.id().clone(), view)).collect();
        Self { server_id: "node-0".into(), queries: QueryRunner::new(services), views }
    }
}

#[async_trait]
impl DataNode for ViewNode {
    fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let call = self.queries.accept(&request)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for descriptor in &request.segments {
            match self.views.get(&descriptor.id) {
                Some(view) => found.push((descriptor.clone(), vec![Arc::clone(view)])),
                None => missing.push(descriptor.clone()),
            }
        }
        self.queries.run(&call, &request, found, missing).await
    }

    async fn cancel(&self, query_id: &str) -> Result<(), NodeError> {
        self.queries.cancel(query_id);
        Ok(())
    }
}
