//! A metric of any kind: a growing column of what its stored form keeps.

use henge_segment::metric::{Event, NumberForm, ObjectForm, VisitForm, with_form};
use henge_sketch::SketchError;
use henge_types::{MetricSpec, ValueRef};

use crate::batch::ColumnRows;
use crate::error::{IndexError, Result};
use crate::number_metric::NumberMetric;
use crate::object_metric::ObjectMetric;
use crate::snapshot::SnapshotColumn;

/// A growing column of states; made for the form of a metric.
pub(crate) trait StateColumn: std::fmt::Debug + Send + Sync {
    /// Whether [`StateColumn::prepare`] and [`StateColumn::takes`] have something to say.
    fn can_refuse(&self) -> bool;

    /// Whether [`StateColumn::prepare`] can fail.
    fn can_fail(&self) -> bool;

    /// Bytes of one row, objects aside.
    fn row_bytes(&self) -> usize;

    /// Reads what must be read before anything is changed, because it can fail.
    fn prepare(&mut self, value: &ValueRef<'_>) -> Result<(), SketchError>;

    /// False when the prepared value has no place in the state of a row.
    fn takes(&self, row: usize, value: &ValueRef<'_>) -> Result<bool, SketchError>;

    /// Appends a row of one prepared value; answers the bytes it cost beyond the row.
    fn push(&mut self, row: usize, event: Event<'_>) -> Result<usize, SketchError>;

    /// Appends rows of one value each, where that cannot fail.
    fn push_all(
        &mut self,
        row: usize,
        times_ms: &[i64],
        values: &ColumnRows<'_>,
    ) -> Result<usize, SketchError> {
        let mut bytes = 0;
        for (row, (time_ms, value)) in (row..).zip(times_ms.iter().zip(&values.to_vec())) {
            bytes += self.push(row, Event { time_ms: *time_ms, value })?;
        }
        Ok(bytes)
    }

    /// True when no state that these values are added to can lose its place, whichever row each is added
    /// to: then they may be added by [`StateColumn::add_all`]. Always false where that may fail.
    fn admits(&mut self, _values: &ColumnRows<'_>) -> bool {
        false
    }

    /// Adds admitted values to rows, one each. There are `next` rows; others are appended, in order.
    fn add_all(&mut self, _next: usize, _rows: &[usize], _values: &ColumnRows<'_>) {}

    /// Adds a prepared and checked value to a row; answers the bytes its object had and has.
    fn update(&mut self, row: usize, event: Event<'_>) -> Result<(usize, usize), SketchError>;

    fn has_nulls(&self) -> bool;

    fn snapshot(&self) -> SnapshotColumn;
}

/// A growing metric.
#[derive(Debug)]
pub(crate) struct Metric {
    spec: MetricSpec,
    can_refuse: bool,
    column: Box<dyn StateColumn>,
}

impl Metric {
    pub(crate) fn new(spec: MetricSpec) -> Result<Self> {
        let column = with_form(&spec.kind, Grow { spec: &spec })
            .map_err(|error| IndexError::Schema(format!("metric '{}' {error}", spec.name)))??;
        Ok(Self { can_refuse: column.can_refuse(), spec, column })
    }

    pub(crate) fn spec(&self) -> &MetricSpec {
        &self.spec
    }

    /// Bytes of one row, objects aside.
    pub(crate) fn row_bytes(&self) -> usize {
        self.column.row_bytes()
    }

    /// Whether a value can be refused: then rows are added one by one.
    pub(crate) fn can_fail(&self) -> bool {
        self.column.can_fail()
    }

    /// Appends rows of one value each; answers the bytes they cost beyond the rows.
    pub(crate) fn push_all(
        &mut self,
        row: usize,
        times_ms: &[i64],
        values: &ColumnRows<'_>,
    ) -> Result<usize> {
        self.column.push_all(row, times_ms, values).map_err(|source| self.error(source))
    }

    /// True when the values may be added by [`Metric::add_all`].
    pub(crate) fn admits(&mut self, values: &ColumnRows<'_>) -> bool {
        self.column.admits(values)
    }

    /// Adds admitted values to rows, one each. There are `next` rows; others are appended, in order.
    pub(crate) fn add_all(&mut self, next: usize, rows: &[usize], values: &ColumnRows<'_>) {
        self.column.add_all(next, rows, values);
    }

    fn error(&self, source: SketchError) -> IndexError {
        IndexError::Sketch { metric: self.spec.name.clone(), source }
    }

    /// Reads what must be read before anything is changed, because it can fail.
    #[inline]
    pub(crate) fn prepare(&mut self, value: &ValueRef<'_>) -> Result<()> {
        if !self.can_refuse {
            return Ok(());
        }
        self.column.prepare(value).map_err(|source| self.error(source))
    }

    /// False when the prepared value has no place in the state of an existing row: the event then
    /// gets a row of its own.
    ///
    /// # Errors
    /// When the prepared value cannot be added to the row.
    #[inline]
    pub(crate) fn takes(&self, row: usize, value: &ValueRef<'_>) -> Result<bool> {
        if !self.can_refuse {
            return Ok(true);
        }
        self.column.takes(row, value).map_err(|source| self.error(source))
    }

    /// Appends a row of one prepared value; answers the bytes it cost beyond the row.
    #[inline]
    pub(crate) fn push(&mut self, row: usize, event: Event<'_>) -> Result<usize> {
        self.column.push(row, event).map_err(|source| self.error(source))
    }

    /// Adds a prepared and checked value to a row; answers the bytes its object had and has.
    #[inline]
    pub(crate) fn update(&mut self, row: usize, event: Event<'_>) -> Result<(usize, usize)> {
        self.column.update(row, event).map_err(|source| self.error(source))
    }

    pub(crate) fn has_nulls(&self) -> bool {
        self.column.has_nulls()
    }

    pub(crate) fn snapshot(&self) -> SnapshotColumn {
        self.column.snapshot()
    }
}

/// Makes the column of a form.
struct Grow<'a> {
    spec: &'a MetricSpec,
}

impl VisitForm for Grow<'_> {
    type Output = Result<Box<dyn StateColumn>>;

    fn number<F: NumberForm>(self) -> Self::Output {
        Ok(Box::new(NumberMetric::<F>::new()))
    }

    fn object<F: ObjectForm>(self, form: F) -> Self::Output {
        let type_name = self.spec.kind.column_type().name().into();
        match ObjectMetric::new(form, type_name) {
            Ok(column) => Ok(Box::new(column)),
            Err(source) => Err(IndexError::Sketch { metric: self.spec.name.clone(), source }),
        }
    }
}
