//! Objects: values of which only their own aggregator, or their own type, knows more than that they are
//! kept, moved and sent.

use std::any::Any;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Debug;

use arrow_array::{Array, LargeBinaryArray};
use henge_sketch::{HllSketch, KllSketch, Sketch, ThetaSketch};

use crate::bytes::Bytes;
use crate::column::Column;
use crate::error::{Result, VectorError};
use crate::sets::Sets;
use crate::sketches::Sketches;

/// Objects of one kind, one a row: what the stages between need of them.
pub trait ObjectColumn: Any + Debug + Send + Sync {
    /// What the objects are: for messages, and where they are sent.
    fn kind(&self) -> &'static str;

    /// Number of rows.
    fn len(&self) -> usize;

    /// True without rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when a row has none.
    fn is_null(&self, row: usize) -> bool;

    /// A row's object in its serialised form.
    fn image(&self, row: usize) -> Option<Cow<'_, [u8]>>;

    /// The serialised form of all.
    fn images(&self) -> LargeBinaryArray {
        Bytes::of((0..self.len()).map(|row| self.image(row))).into_array()
    }

    /// Bytes of memory of a row's object.
    fn row_bytes(&self, row: usize) -> usize;

    /// Bytes of memory of all.
    fn memory_bytes(&self) -> usize;

    /// The order of two rows; without one of their own all are alike.
    fn compare(&self, _left: usize, _right: usize) -> Ordering {
        Ordering::Equal
    }

    /// So many rows of none.
    fn nulls(&self, rows: usize) -> Objects;

    /// Copies of some rows; a row may be taken more than once.
    fn gathered(&self, rows: &[u32]) -> Objects;

    /// Some rows, each at most once.
    fn taken(self: Box<Self>, rows: &[u32]) -> Objects;

    /// Keeps the first rows.
    fn truncate(&mut self, rows: usize);

    /// Appends copies of the rows of a column of the same kind; false for another kind.
    fn append(&mut self, other: &dyn ObjectColumn) -> bool;

    /// A copy.
    fn copied(&self) -> Objects;
}

/// Objects of some kind.
#[derive(Debug)]
pub struct Objects(Box<dyn ObjectColumn>);

impl Clone for Objects {
    fn clone(&self) -> Self {
        self.0.copied()
    }
}

impl<T: ObjectColumn> From<T> for Objects {
    fn from(objects: T) -> Self {
        Self(Box::new(objects))
    }
}

impl<T: ObjectColumn> From<T> for Column {
    fn from(objects: T) -> Self {
        Self::Objects(objects.into())
    }
}

impl std::ops::Deref for Objects {
    type Target = dyn ObjectColumn;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl std::ops::DerefMut for Objects {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.0
    }
}

impl Objects {
    /// The objects, moved out of their box into some rows.
    pub(crate) fn into_taken(self, rows: &[u32]) -> Self {
        self.0.taken(rows)
    }
}

impl Column {
    /// The objects, when they are of this kind.
    #[must_use]
    pub fn objects<T: ObjectColumn>(&self) -> Option<&T> {
        let Self::Objects(objects) = self else { return None };
        let any: &dyn Any = &**objects;
        any.downcast_ref()
    }

    /// The objects, when they are of this kind.
    #[must_use]
    pub fn into_objects<T: ObjectColumn>(self) -> Option<T> {
        let Self::Objects(objects) = self else { return None };
        let any: Box<dyn Any> = objects.0;
        any.downcast().ok().map(|objects| *objects)
    }
}

/// A sketch that columns hold.
pub trait SketchObject: Sketch + Clone + Debug + Send + Sync + 'static {
    /// What [`ObjectColumn::kind`] says of them.
    const KIND: &'static str;
}

impl SketchObject for HllSketch {
    const KIND: &'static str = "hll";
}

impl SketchObject for ThetaSketch {
    const KIND: &'static str = "theta";
}

impl SketchObject for KllSketch {
    const KIND: &'static str = "kll";
}

type Read = fn(&LargeBinaryArray) -> Result<Objects>;

/// Every kind of object, and how its serialised form is read.
const KINDS: &[(&str, Read)] = &[
    (Bytes::KIND, |images| Ok(Bytes::of_array(images.clone()).into())),
    (HllSketch::KIND, sketches::<HllSketch>),
    (ThetaSketch::KIND, sketches::<ThetaSketch>),
    (KllSketch::KIND, sketches::<KllSketch>),
    (Sets::KIND, |images| Ok(Sets::of_images(images)?.into())),
];

/// How objects of a kind are read; `None` when no objects are called so.
pub(crate) fn reader(kind: &str) -> Option<Read> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, read)| *read)
}

fn sketches<S: SketchObject>(images: &LargeBinaryArray) -> Result<Objects> {
    let malformed = |_| VectorError::Corrupt("a sketch is malformed".to_owned());
    let sketches = (0..images.len()).map(|row| {
        if images.is_null(row) {
            return Ok(None);
        }
        S::from_bytes(images.value(row)).map(|sketch| Some(Box::new(sketch))).map_err(malformed)
    });
    Ok(Sketches::new(sketches.collect::<Result<_>>()?).into())
}
