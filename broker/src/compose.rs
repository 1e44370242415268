//! Queries over anything else than datasources by name: sub-queries are answered first, with what is left of the
//! query's time and memory, and their rows stand in their places. What is then still read of segments
//! goes to the data nodes; a query whose rows are all at hand is answered here, on the CPU pool.

mod limits;
mod notes;

use futures::FutureExt;
use futures::future::BoxFuture;
use henge_exec::Partial;
use henge_inline::{InlineSegment, rows_of_answer, rows_of_inline, rows_of_lookup};
use henge_query::{
    AggregatorKind, AggregatorSpec, DataSource, Filtered, Join, Query, QueryBase, QueryContext,
    ScanQuery, Unnest,
};
use henge_types::{ColumnType, Interval};

use crate::Broker;
use crate::error::{BrokerError, Result};
use crate::execute::{RESTARTS, Reply};
use crate::finish::finished;
use crate::gather::Gathered;
use crate::made::Held;
use crate::profile::Profile;
use crate::running::Running;
use limits::SubqueryLimits;
use notes::Notes;

impl Broker {
    /// Answers a query whose data source is not one of datasources by name.
    pub(crate) async fn answer_composed(
        &self,
        running: &Running,
        profile: &mut Profile,
    ) -> Result<Reply> {
        let mut given = running.context.memory.lease();
        given.set(given_bytes(&running.query.base().data_source))?;
        for _ in 0..RESTARTS {
            running.context.cancel.check()?;
            let mut notes = Notes::new(SubqueryLimits::of(&running.query, &self.options));
            let mut composing =
                Composing { broker: self, running, profile: &mut *profile, notes: &mut notes };
            let query = composing.resolved(Query::clone(&running.query)).await?;
            let running = running.within(self, query)?;
            let is_stored = running.query.base().data_source.base().is_stored();
            let mut reply = match is_stored {
                true => self.answer_stored(&running, None, profile).await?,
                false => {
                    let gathered = self.run_here(&running, profile).await?;
                    let Held { made, lease } = self.finish(&running, gathered, profile).await?;
                    profile.result_bytes = made.size_bytes() as u64;
                    Reply { made: Some(made), lease, ..Reply::default() }
                }
            };
            if notes.is_of_one_time(is_stored, &*self.views.current().await?) {
                notes.tell(&mut reply.response_context);
                return Ok(reply);
            }
        }
        Err(BrokerError::Changing { times: RESTARTS })
    }

    /// Runs a query over rows at hand.
    async fn run_here(&self, running: &Running, profile: &mut Profile) -> Result<Gathered> {
        let (query, context) = (running.query.clone(), running.context.clone());
        let work = move || {
            let partial = henge_inline::run_over(&query, &context)?;
            let mut lease = context.memory.lease();
            lease.set(partial.memory_bytes())?;
            Ok((partial, lease))
        };
        let (partial, lease): (Partial, _) = self.on_pool(running, profile, work).await?;
        Ok(Gathered { partials: vec![partial], leases: vec![lease], ..Gathered::default() })
    }
}

/// A query whose sub-queries are being answered.
struct Composing<'c> {
    broker: &'c Broker,
    running: &'c Running,
    profile: &'c mut Profile,
    notes: &'c mut Notes,
}

impl Composing<'_> {
    /// The query with rows in the places of what had to be answered first.
    async fn resolved(&mut self, mut query: Query) -> Result<Query> {
        if let DataSource::Query(inner) = &mut query.base().data_source.clone() {
            let is_streamed = matches!((&query, &**inner), (Query::GroupBy(_), Query::GroupBy(_)));
            let inner = fitted(Query::clone(inner), &query);
            let rows = self.rows_of(inner, is_streamed).await?;
            query.base_mut().data_source = rows.into_data_source();
            return Ok(query);
        }
        let source = query.base().data_source.clone();
        query.base_mut().data_source = self.source(source, &query).await?;
        Ok(query)
    }

    /// A data source on the left, or alone: what is read of segments stays.
    fn source<'s>(
        &'s mut self,
        source: DataSource,
        query: &'s Query,
    ) -> BoxFuture<'s, Result<DataSource>> {
        async move {
            Ok(match source {
                stored @ (DataSource::Table(_) | DataSource::Union(_) | DataSource::Rows(_)) => {
                    stored
                }
                DataSource::Inline(rows) => {
                    let memory = self.running.context.memory.clone();
                    let work = move || rows_of_inline(&rows, Some(&memory));
                    let rows = self.broker.on_pool(self.running, self.profile, work).await?;
                    rows.into_data_source()
                }
                DataSource::Lookup(lookup) => {
                    rows_of_lookup(&lookup, &self.running.context.memory)?.into_data_source()
                }
                DataSource::Query(inner) => {
                    let inner = fitted(*inner, query);
                    self.rows_of(inner, false).await?.into_data_source()
                }
                DataSource::Join(join) => {
                    DataSource::Join(Box::new(self.join(*join, query).await?))
                }
                DataSource::Unnest(unnest) => {
                    let base = self.source(unnest.base.clone(), query).await?;
                    DataSource::Unnest(Box::new(Unnest { base, ..*unnest }))
                }
                DataSource::Filtered(filtered) => {
                    let base = self.source(filtered.base.clone(), query).await?;
                    DataSource::Filtered(Box::new(Filtered { base, ..*filtered }))
                }
            })
        }
        .boxed()
    }

    /// The right side becomes rows; so does a left of which rows of the right may be missing: which are
    /// is known only of all its segments together.
    async fn join(&mut self, join: Join, query: &Query) -> Result<Join> {
        let mut left = self.source(join.left.clone(), query).await?;
        if join.join_type.keeps_right() && left.base().is_stored() {
            left = self.all_of(left).await?;
        }
        let right = match self.source(join.right.clone(), query).await? {
            rows @ DataSource::Rows(_) => rows,
            other => self.all_of(other).await?,
        };
        Ok(Join { left, right, ..join })
    }

    /// All rows of a data source, at hand.
    async fn all_of(&mut self, source: DataSource) -> Result<DataSource> {
        let base = QueryBase::new(source, vec![Interval::ETERNITY]);
        let rows = self.rows_of(Query::Scan(ScanQuery::new(base)), false).await?;
        Ok(rows.into_data_source())
    }

    /// The rows that a query answers. Those of a groupBy that another one reads are bounded by memory
    /// alone, as in Druid.
    fn rows_of(
        &mut self,
        mut query: Query,
        is_streamed: bool,
    ) -> BoxFuture<'_, Result<InlineSegment>> {
        async move {
            adopt(&mut query.base_mut().context, &self.running.query.base().context);
            if let Query::Scan(scan) = &mut query {
                // One row more than there may be says that there are too many.
                let most = self.notes.limits.rows_left().saturating_add(1);
                scan.limit = Some(scan.limit.map_or(most, |limit| limit.min(most)));
            }
            let query = self.resolved(query).await?;
            let (broker, outer) = (self.broker, self.running);
            let running = outer.within(broker, query)?;
            let gathered = match running.query.base().data_source.base().is_stored() {
                true => self.gathered(&running).await?,
                false => broker.run_here(&running, self.profile).await?,
            };
            let gathered = broker.take_partitions(&running, gathered, self.profile).await?;
            let (query, context) = (running.query.clone(), running.context.clone());
            let work = move || {
                let (answer, _lease) = finished(&query, gathered, &context)?;
                rows_of_answer(&query, &answer, &context)
            };
            let rows = broker.on_pool(&running, self.profile, work).await?;
            self.notes.limits.spend(&rows, is_streamed)?;
            Ok(rows)
        }
        .boxed()
    }

    /// What nodes contribute to a sub-query, on one view of the cluster.
    async fn gathered(&mut self, running: &Running) -> Result<Gathered> {
        let mut vanished = Vec::new();
        for _ in 0..RESTARTS {
            running.context.cancel.check()?;
            let mut plan = self.broker.plan(running, false).await?;
            let gathered = self.broker.gather_for(running, &mut plan, self.profile).await?;
            if !gathered.is_void() {
                self.notes.add(running.query.clone(), plan, &gathered.unreached.segments);
                return Ok(gathered);
            }
            vanished = gathered.vanished;
        }
        Err(crate::execute::unavailable(&vanished))
    }
}

/// Bytes of rows that came with a query from within the process.
fn given_bytes(source: &DataSource) -> usize {
    let mut bytes = 0;
    source.for_each_leaf(&mut |leaf| {
        if let DataSource::Rows(rows) = leaf {
            bytes += rows.memory_bytes();
        }
    });
    bytes
}

/// How a query within another one runs: as that one, whatever its own context says of it.
fn adopt(inner: &mut QueryContext, outer: &QueryContext) {
    inner.query_id.clone_from(&outer.query_id);
    inner.timeout_ms = outer.timeout_ms;
    inner.priority = outer.priority;
    inner.lane.clone_from(&outer.lane);
    inner.use_cache = outer.use_cache;
    inner.populate_cache = outer.populate_cache;
    inner.return_partial_results = outer.return_partial_results;
    inner.max_on_disk_storage_bytes = outer.max_on_disk_storage_bytes;
    inner.uncovered_intervals_limit = 0;
}

/// A sub-query whose sketches stay what they are when the query around it goes on with them.
fn fitted(mut inner: Query, outer: &Query) -> Query {
    let of_inner = inner.grouped().map_or(&[][..], |grouped| grouped.aggregations);
    let sketches: Vec<&str> =
        of_inner.iter().filter(|spec| is_sketch(spec)).map(|spec| spec.name.as_str()).collect();
    let of_outer = outer.grouped().map_or(&[][..], |grouped| grouped.aggregations);
    let mut goes_on = false;
    for spec in of_outer.iter().filter(|spec| is_sketch(spec)) {
        // Behind a join the name has a prefix.
        spec.for_each_input(&mut |name| goes_on |= sketches.iter().any(|s| name.ends_with(s)));
    }
    if goes_on {
        inner.base_mut().context.finalize = false;
    }
    inner
}

fn is_sketch(spec: &AggregatorSpec) -> bool {
    const SKETCHES: &[&str] =
        &["HLLSketch", "hyperUnique", "thetaSketch", "quantilesDoublesSketch"];
    let stored = spec.kind.stored_states().map(|states| states.column_type());
    let is_one = matches!(stored, Some(ColumnType::Complex(name)) if SKETCHES.contains(&&*name));
    is_one && !matches!(spec.kind, AggregatorKind::Cardinality(_))
}
