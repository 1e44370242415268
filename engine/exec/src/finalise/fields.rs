//! The fields of result rows: dimensions, aggregators, post-aggregators. A [`Frame`] computes the
//! ones that are needed, for the rows that are needed.

use henge_aggregate::{SketchFunction, function};
use henge_expr::{Budget, Limits};
use henge_query::{AggregatorSpec, DimensionSpec, GroupByQuery, PostAggregator, QueryContext};
use henge_scan::{CancelFlag, ExecError, Result};
use henge_types::TIME_COLUMN;
use henge_vector::Column;
use rustc_hash::FxHashMap;

use crate::finalise::post_aggregate;
use crate::finalise::states::NO_TIME_MS;
use crate::partial::GroupedPartial;

/// The fields of a query's rows, in the order of output.
#[derive(Debug)]
pub(crate) struct Fields<'q> {
    time_field: Option<&'q str>,
    /// False when the time can be read and is no part of the output.
    shows_time: bool,
    /// The time of groups in the one bucket of granularity `all`.
    start_of_all_ms: Option<i64>,
    dimensions: &'q [DimensionSpec],
    aggregations: &'q [AggregatorSpec],
    post_aggregations: &'q [PostAggregator],
    finalize: bool,
    positions: FxHashMap<&'q str, usize>,
    cancel: CancelFlag,
}

impl<'q> Fields<'q> {
    /// The fields of a query. `time_field` names a field that holds the bucket's time.
    pub(crate) fn new(
        time_field: Option<&'q str>,
        dimensions: &'q [DimensionSpec],
        aggregations: &'q [AggregatorSpec],
        post_aggregations: &'q [PostAggregator],
        context: &QueryContext,
    ) -> Self {
        let names = time_field
            .into_iter()
            .chain(dimensions.iter().map(|d| d.output_name.as_str()))
            .chain(aggregations.iter().map(|a| a.name.as_str()))
            .chain(post_aggregations.iter().map(PostAggregator::name));
        let positions = names.enumerate().map(|(position, name)| (name, position)).collect();
        let finalize = context.finalize;
        Self {
            time_field,
            shows_time: true,
            start_of_all_ms: None,
            dimensions,
            aggregations,
            post_aggregations,
            finalize,
            positions,
            cancel: CancelFlag::default(),
        }
    }

    /// The fields of a groupBy. Its rows carry their time outside of the fields; clauses that read
    /// `__time` see it.
    pub(crate) fn of_groups(query: &'q GroupByQuery) -> Self {
        let GroupByQuery { base, dimensions, aggregations, post_aggregations, .. } = query;
        let time = Some(TIME_COLUMN);
        let fields = Self::new(time, dimensions, aggregations, post_aggregations, &base.context);
        let start_of_all_ms = Some(base.start_ms());
        Self { shows_time: false, start_of_all_ms, ..fields }
    }

    /// The same fields, whose computation stops with the query.
    pub(crate) fn stopped_by(mut self, cancel: &CancelFlag) -> Self {
        self.cancel = cancel.clone();
        self
    }

    /// Number of fields.
    pub(crate) fn len(&self) -> usize {
        self.post_aggregations_start() + self.post_aggregations.len()
    }

    /// Position of a field.
    pub(crate) fn position(&self, name: &str) -> Result<usize> {
        self.positions.get(name).copied().ok_or_else(|| {
            ExecError::Invalid(format!(
                "unknown field '{name}': name a dimension, an aggregation or a post-aggregation"
            ))
        })
    }

    fn dimensions_start(&self) -> usize {
        usize::from(self.time_field.is_some())
    }

    fn aggregations_start(&self) -> usize {
        self.dimensions_start() + self.dimensions.len()
    }

    fn post_aggregations_start(&self) -> usize {
        self.aggregations_start() + self.aggregations.len()
    }

    fn name(&self, position: usize) -> &'q str {
        if let Some(at) = position.checked_sub(self.post_aggregations_start()) {
            self.post_aggregations[at].name()
        } else if let Some(at) = position.checked_sub(self.aggregations_start()) {
            &self.aggregations[at].name
        } else if let Some(at) = position.checked_sub(self.dimensions_start()) {
            &self.dimensions[at].output_name
        } else {
            self.time_field.unwrap_or_default()
        }
    }

    /// The aggregator whose sketches a field passes on as they are.
    fn sketch_behind(&self, mut position: usize) -> Option<(usize, &'q dyn SketchFunction)> {
        // Each step goes to an earlier field, so this ends.
        loop {
            if let Some(at) = position.checked_sub(self.post_aggregations_start()) {
                let PostAggregator::FieldAccess { field, .. } = &self.post_aggregations[at] else {
                    return None;
                };
                let next = *self.positions.get(field.as_str())?;
                if next >= position {
                    return None;
                }
                position = next;
            } else {
                let at = position.checked_sub(self.aggregations_start())?;
                let sketch = function(&self.aggregations[at].kind).sketch()?;
                return Some((at, sketch));
            }
        }
    }
}

/// Some rows (groups) of a partial and the fields computed for them.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    fields: &'a Fields<'a>,
    partial: &'a GroupedPartial,
    rows: &'a [u32],
    columns: Vec<Option<Column>>,
}

impl<'a> Frame<'a> {
    /// Nothing is computed yet.
    pub(crate) fn new(
        fields: &'a Fields<'a>,
        partial: &'a GroupedPartial,
        rows: &'a [u32],
    ) -> Self {
        Self { fields, partial, rows, columns: vec![None; fields.len()] }
    }

    /// True when there is a field of that name.
    pub(crate) fn has_field(&self, name: &str) -> bool {
        self.fields.position(name).is_ok()
    }

    /// What an expression may take for one row.
    pub(crate) fn budget(&self) -> Budget {
        let cancel = self.fields.cancel.clone();
        Budget::new(Limits::ROW, Some(std::sync::Arc::new(move || cancel.is_set())))
    }

    /// The rows.
    pub(crate) fn rows(&self) -> &'a [u32] {
        self.rows
    }

    /// Computes a field and what it needs; answers its position.
    pub(crate) fn require(&mut self, name: &str) -> Result<usize> {
        let position = self.fields.position(name)?;
        let mut needed = vec![false; position + 1];
        needed[position] = true;
        for at in (self.fields.post_aggregations_start()..=position).rev() {
            if needed[at] && self.columns[at].is_none() {
                self.mark_inputs(at, &mut needed)?;
            }
        }
        for (at, needed) in needed.into_iter().enumerate() {
            if needed && self.columns[at].is_none() {
                self.columns[at] = Some(self.compute(at)?);
            }
        }
        Ok(position)
    }

    /// Marks the fields that a post-aggregator reads. They must stand before it, as in Druid.
    fn mark_inputs(&self, position: usize, needed: &mut [bool]) -> Result<()> {
        let post = &self.fields.post_aggregations[position - self.fields.post_aggregations_start()];
        let mut names = Vec::new();
        post_aggregate::collect_inputs(post, &mut names);
        for name in names {
            let Ok(input) = self.fields.position(name) else {
                if matches!(post, PostAggregator::Expression { .. }) {
                    continue;
                }
                return Err(ExecError::Invalid(format!(
                    "post-aggregation '{}' reads unknown field '{name}'",
                    post.name()
                )));
            };
            if input >= position {
                return Err(ExecError::Invalid(format!(
                    "post-aggregation '{}' reads '{name}', which must stand before it",
                    post.name()
                )));
            }
            needed[input] = true;
        }
        Ok(())
    }

    fn compute(&self, position: usize) -> Result<Column> {
        let fields = self.fields;
        if let Some(at) = position.checked_sub(fields.post_aggregations_start()) {
            post_aggregate::evaluate(&fields.post_aggregations[at], self)
        } else if let Some(at) = position.checked_sub(fields.aggregations_start()) {
            let spec = &fields.aggregations[at];
            function(&spec.kind).finished(&spec.name, self.state(at)?, self.rows)
        } else if let Some(at) = position.checked_sub(fields.dimensions_start()) {
            let keys = self.partial.keys.get(at).ok_or_else(|| missing("dimension", at))?;
            Ok(keys.take(self.rows))
        } else {
            let starts = &self.partial.bucket_starts;
            let start = |row: u32| starts.get(row as usize).or(fields.start_of_all_ms);
            let times = self.rows.iter().map(|&row| start(row));
            Ok(Column::Long(times.map(|time| time.filter(|time| *time != NO_TIME_MS)).collect()))
        }
    }

    /// A field that was computed.
    pub(crate) fn column(&self, position: usize) -> Result<&Column> {
        self.columns[position].as_ref().ok_or_else(|| {
            ExecError::Internal(format!("field '{}' was not computed", self.fields.name(position)))
        })
    }

    /// A field that was computed, if there is one of that name.
    pub(crate) fn find(&self, name: &str) -> Option<&Column> {
        self.columns[*self.fields.positions.get(name)?].as_ref()
    }

    /// The exact estimates of the sketches that a field passes on, if it does.
    pub(crate) fn sketch_estimates(&self, name: &str) -> Result<Option<Column>> {
        let behind = self.fields.position(name).ok().and_then(|at| self.fields.sketch_behind(at));
        let Some((at, sketch)) = behind else { return Ok(None) };
        let name = &self.fields.aggregations[at].name;
        sketch.estimates(name, self.state(at)?, self.rows).map(Some)
    }

    /// The images of the sketches that a field passes on, if it does.
    pub(crate) fn sketch_images(&self, name: &str) -> Result<Option<Column>> {
        let behind = self.fields.position(name).ok().and_then(|at| self.fields.sketch_behind(at));
        let Some((at, sketch)) = behind else { return Ok(None) };
        let name = &self.fields.aggregations[at].name;
        sketch.encoded(name, self.state(at)?, self.rows).map(Some)
    }

    fn state(&self, at: usize) -> Result<&'a Column> {
        self.partial.states.get(at).ok_or_else(|| missing("aggregator", at))
    }

    /// All fields as they are shown, with their names.
    pub(crate) fn into_output(mut self) -> Result<Vec<(&'a str, Column)>> {
        let fields = self.fields;
        let shown = if fields.shows_time { 0 } else { fields.dimensions_start() }..fields.len();
        for position in shown.clone() {
            self.require(fields.name(position))?;
        }
        let mut output = Vec::with_capacity(fields.len());
        for position in shown {
            let column = match fields.sketch_behind(position) {
                Some((at, sketch)) if self.shows_sketch(position, sketch) => {
                    let name = &fields.aggregations[at].name;
                    Some(sketch.encoded(name, self.state(at)?, self.rows)?)
                }
                _ => self.columns[position].take(),
            };
            let name = fields.name(position);
            let column = column.ok_or_else(|| {
                ExecError::Invalid(format!("two fields are named '{name}': rename one"))
            })?;
            output.push((name, column));
        }
        Ok(output)
    }

    /// True when a field shows sketches as they are: raw access, or finalising is off.
    fn shows_sketch(&self, position: usize, sketch: &dyn SketchFunction) -> bool {
        position >= self.fields.post_aggregations_start()
            || !self.fields.finalize
            || !sketch.is_finished()
    }
}

fn missing(what: &str, at: usize) -> ExecError {
    ExecError::Internal(format!("partial lacks {what} {at}"))
}
