//! How many rows sub-queries may answer, and how much memory these may take.

use henge_exec::ExecError;
use henge_inline::InlineSegment;
use henge_query::Query;
use henge_segment::SegmentView;

use crate::error::Result;
use crate::options::BrokerOptions;

/// What is left for the sub-queries of one query.
#[derive(Debug)]
pub(super) struct SubqueryLimits {
    max_rows: u64,
    max_bytes: u64,
    rows: u64,
    bytes: u64,
}

impl SubqueryLimits {
    /// What a query asks for, or the server's setting.
    pub(super) fn of(query: &Query, options: &BrokerOptions) -> Self {
        let context = &query.base().context;
        let max_rows = context.max_subquery_rows.unwrap_or(options.max_subquery_rows);
        let max_bytes = context.max_subquery_bytes.unwrap_or(options.memory_budget_bytes as u64);
        Self { max_rows, max_bytes, rows: 0, bytes: 0 }
    }

    /// Rows that may still come.
    pub(super) fn rows_left(&self) -> u64 {
        self.max_rows.saturating_sub(self.rows)
    }

    /// Takes the rows of a sub-query.
    ///
    /// # Errors
    /// `ResourceLimit` when there are more than the query may have.
    pub(super) fn spend(&mut self, rows: &InlineSegment, is_streamed: bool) -> Result<()> {
        self.bytes += rows.memory_bytes() as u64;
        if self.bytes > self.max_bytes {
            return Err(ExecError::ResourceLimit(format!(
                "the rows of sub-queries take more than {} bytes: let them answer fewer rows or columns, or raise \
                 \"maxSubqueryBytes\" in the query's context",
                self.max_bytes
            ))
            .into());
        }
        if is_streamed {
            return Ok(());
        }
        self.rows += rows.row_count() as u64;
        if self.rows > self.max_rows {
            return Err(ExecError::ResourceLimit(format!(
                "sub-queries answer more than {} rows: filter or group them further, give them a limit, or raise \
                 \"maxSubqueryRows\" in the query's context",
                self.max_rows
            ))
            .into());
        }
        Ok(())
    }
}
