//! The schema as positions: which field of an event feeds which column.

use std::collections::BTreeSet;

use henge_index::{DimensionSchema, IndexSchema, MultiValueHandling};
use henge_query::ingest::{self, DataSchema, IngestDimension};
use henge_segment::metric::{MetricInput, metric_input};
use henge_types::{ColumnType, MetricKind, TIME_COLUMN, ValueType};

use crate::coerce::Target;
use crate::discovery::{DiscoveredColumn, DiscoveredType};
use crate::fields::FieldTable;
use crate::raw::{EventBuffer, Raw};

/// The schema of an index that takes the rows of a parser with these dimensions.
#[must_use]
pub fn index_schema(schema: &DataSchema, dimensions: &[DimensionSchema]) -> IndexSchema {
    IndexSchema {
        dimensions: dimensions.to_vec(),
        before_time: schema.dimensions_spec.before_time().map(str::to_owned).collect(),
        metrics: schema.metrics_spec.clone(),
        query_granularity: schema.granularity_spec.query_granularity.clone(),
        rollup: schema.granularity_spec.rollup,
    }
}

/// Where a name gets its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// `__time`
    Time,
    /// A field of the event.
    Field(usize),
    /// The result of a transform.
    Transform(usize),
}

/// A column to fill.
#[derive(Debug)]
pub(crate) struct ColumnPlan {
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) target: Target,
    /// The type so far, of a dimension whose values decide it.
    pub(crate) growing: Option<DiscoveredType>,
}

/// Everything that is fixed by the schema, and the dimensions discovered so far.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) table: FieldTable,
    pub(crate) timestamp_field: usize,
    pub(crate) dimensions: Vec<ColumnPlan>,
    pub(crate) metrics: Vec<ColumnPlan>,
    pub(crate) schemas: Vec<DimensionSchema>,
    /// Names of the transforms, in order.
    transforms: Vec<String>,
    /// Declared dimensions whose type their values decide.
    pending: Vec<IngestDimension>,
    /// Unknown fields become dimensions.
    pub(crate) discovers: bool,
    typed_discovery: bool,
    pub(crate) discovered_count: usize,
    /// Positions of the fields that something reads.
    read: BTreeSet<usize>,
}

impl Layout {
    pub(crate) fn new(schema: &DataSchema) -> Self {
        let spec = &schema.dimensions_spec;
        let transforms: Vec<String> =
            schema.transform_spec.transforms.iter().map(|t| t.name.clone()).collect();
        let mut table = FieldTable::default();
        let timestamp_field = table.add(&schema.timestamp_spec.column);
        let mut layout = Self {
            table,
            timestamp_field,
            dimensions: Vec::new(),
            metrics: Vec::new(),
            schemas: Vec::new(),
            transforms,
            pending: Vec::new(),
            discovers: spec.discovers(),
            typed_discovery: spec.use_schema_discovery,
            discovered_count: 0,
            read: BTreeSet::from([timestamp_field]),
        };
        for dimension in &spec.dimensions {
            match dimension.column_type.clone() {
                Some(column_type) => {
                    layout.add_dimension(dimension_schema(dimension, column_type), None);
                }
                None => layout.pending.push(dimension.clone()),
            }
        }
        for metric in &schema.metrics_spec {
            let source = match &metric.field {
                Some(field) => layout.source(field),
                None => Source::Time,
            };
            if layout.discovers {
                // A field named like a stored metric is that metric's business.
                layout.table.add(&metric.name);
            }
            let target = metric_target(&metric.kind);
            let name = metric.name.clone();
            layout.metrics.push(ColumnPlan { name, source, target, growing: None });
        }
        for name in &spec.exclusions {
            layout.table.add(name);
        }
        layout
    }

    /// Adds what transforms and the filter read, which does not keep a field from becoming a
    /// dimension, and declared dimensions without a type.
    pub(crate) fn resolve(&mut self, name: &str) -> Source {
        if name != TIME_COLUMN && !self.table.contains(name) && self.discovers {
            let position = self.table.add(name);
            self.table.set_pending(position);
        }
        self.source(name)
    }

    /// To be called once all names are resolved: a declared dimension is pending even when it is
    /// also read by something else.
    pub(crate) fn finish(&mut self) {
        for index in 0..self.pending.len() {
            let name = self.pending[index].name.clone();
            let position = self.table.add(&name);
            self.table.set_pending(position);
        }
    }

    /// The source of a name as columns see it: transforms shadow fields.
    fn source(&mut self, name: &str) -> Source {
        match self.transform_of(name) {
            Some(index) => Source::Transform(index),
            None => self.field_source(name),
        }
    }

    /// The source of a name as transforms see it: the event's own fields.
    pub(crate) fn field_source(&mut self, name: &str) -> Source {
        if name == TIME_COLUMN {
            return Source::Time;
        }
        let position = self.table.add(name);
        self.read.insert(position);
        Source::Field(position)
    }

    /// The names of the fields that something reads and that no input has had.
    pub(crate) fn fields_missing(&self) -> impl Iterator<Item = &str> {
        let missing = self.read.iter().filter(|position| !self.table.is_met(**position));
        missing.map(|position| self.table.name(*position))
    }

    /// The names of the fields that something reads: what a format with columns has to provide.
    pub(crate) fn fields_read(&self) -> impl Iterator<Item = &str> {
        self.read.iter().map(|position| self.table.name(*position))
    }

    /// The source of a pending dimension.
    pub(crate) fn pending_source(&self, position: usize) -> Source {
        match self.transform_of(self.table.name(position)) {
            Some(index) => Source::Transform(index),
            None => Source::Field(position),
        }
    }

    /// Adds a dimension behind the others.
    pub(crate) fn add_dimension(
        &mut self,
        schema: DimensionSchema,
        growing: Option<DiscoveredType>,
    ) {
        let source = self.source(&schema.name);
        let position = self.table.add(&schema.name);
        self.table.clear_pending(position);
        let target = Target::of_dimension(&schema.column_type);
        self.dimensions.push(ColumnPlan { name: schema.name.clone(), source, target, growing });
        self.schemas.push(schema);
    }

    /// The type with which a column begins that its first value brings.
    pub(crate) fn first_type(&self, name: &str, needed: Option<DiscoveredType>) -> DiscoveredType {
        let typed = self.typed_discovery || self.is_declared(name);
        needed.filter(|_| typed).unwrap_or(DiscoveredType::String)
    }

    /// The schema of a dimension whose values decide its type.
    pub(crate) fn discovered(
        &self,
        name: &str,
        discovered_type: DiscoveredType,
    ) -> DimensionSchema {
        let column_type = discovered_type.column_type();
        match self.pending.iter().find(|dimension| dimension.name == name) {
            Some(dimension) => dimension_schema(dimension, column_type),
            None => DimensionSchema::new(name, column_type),
        }
    }

    /// Widens what a dimension holds; true when that changes the type of its column.
    pub(crate) fn grow(&mut self, index: usize, wider: DiscoveredType) -> bool {
        let Some(plan) = self.dimensions.get(index) else { return false };
        let grown = plan.growing.map_or(wider, |known| known.join(wider));
        let schema = self.discovered(&plan.name, grown);
        let (plan, known) = (&mut self.dimensions[index], &mut self.schemas[index]);
        plan.growing = Some(grown);
        plan.target = Target::of_dimension(&schema.column_type);
        let is_changed = known.column_type != schema.column_type;
        *known = schema;
        is_changed
    }

    /// The dimensions whose values decide their types, in the order in which they came.
    pub(crate) fn discovered_columns(&self) -> impl Iterator<Item = DiscoveredColumn> {
        self.dimensions.iter().filter_map(|plan| {
            let name = plan.name.clone();
            plan.growing.map(|discovered_type| DiscoveredColumn { name, discovered_type })
        })
    }

    /// True when values decide the types of columns.
    pub(crate) fn learns_types(&self) -> bool {
        (self.discovers && self.typed_discovery) || !self.pending.is_empty()
    }

    /// The position of a transform's result that shadows the field of this name.
    pub(crate) fn transform_of(&self, name: &str) -> Option<usize> {
        self.transforms.iter().position(|transform| transform == name)
    }

    /// True for a dimension that the spec declares: it does not count as discovered.
    pub(crate) fn is_declared(&self, name: &str) -> bool {
        self.pending.iter().any(|dimension| dimension.name == name)
    }

    /// True for a field that, when it becomes a dimension, becomes a STRING whatever it holds.
    pub(crate) fn becomes_text(&self, name: &str) -> bool {
        !self.typed_discovery && !self.is_declared(name) && self.table.is_pending(name)
    }

    /// The value of a source.
    #[inline]
    pub(crate) fn value(source: Source, timestamp_ms: i64, buffer: &EventBuffer) -> Raw {
        match source {
            Source::Time => Raw::Long(timestamp_ms),
            Source::Field(position) => buffer.fields.get(position).copied().unwrap_or(Raw::Missing),
            Source::Transform(index) => buffer.computed.get(index).copied().unwrap_or(Raw::Null),
        }
    }
}

fn dimension_schema(dimension: &IngestDimension, column_type: ColumnType) -> DimensionSchema {
    DimensionSchema {
        name: dimension.name.clone(),
        bitmap: dimension.create_bitmap_index && column_type == ColumnType::String,
        column_type,
        multi_value: match dimension.multi_value {
            ingest::MultiValueHandling::SortedArray => MultiValueHandling::SortedArray,
            ingest::MultiValueHandling::SortedSet => MultiValueHandling::SortedSet,
            ingest::MultiValueHandling::Array => MultiValueHandling::Array,
        },
    }
}

fn metric_target(kind: &MetricKind) -> Target {
    if let MetricKind::OneValue { value_type: ValueType::String, max_string_bytes, .. } = kind {
        return Target::CutText(*max_string_bytes);
    }
    // A kind that no metric can have is refused by the index.
    match metric_input(kind).unwrap_or(MetricInput::Nothing) {
        MetricInput::Nothing => Target::None,
        MetricInput::Long => Target::Long,
        MetricInput::Float => Target::Float,
        MetricInput::Double => Target::Double,
        MetricInput::Text => Target::String,
        MetricInput::Any => Target::Sketch,
    }
}
