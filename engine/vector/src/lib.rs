//! One column of values for everything between the stages of a query: group keys, states of
//! aggregators, scanned rows, finished fields, spilled bytes and bytes on the wire.
//!
//! Numbers and texts are Arrow arrays; sketches are objects until they are encoded; ids of a dictionary
//! that others do not have are kinds of their own, which [`encode`] refuses.

mod append;
mod arrays;
mod bytes;
mod column;
mod compare;
mod distinct;
mod error;
mod hash;
mod ids;
mod ipc;
mod lists;
mod mixed;
mod numbers;
mod objects;
mod read;
mod sets;
mod size;
mod sketches;
mod take;
mod text;
mod timed;

pub use arrow_array::{
    Array, ArrowPrimitiveType, Decimal128Array, Float32Array, Float64Array, Int64Array,
    PrimitiveArray,
};
pub use arrow_buffer::{BooleanBuffer, NullBuffer};

pub use append::widened;
pub use arrays::{ARRAY_TYPE, json_of, read_array, value_of, write_array};
pub use bytes::Bytes;
pub use column::Column;
pub use distinct::Distinct;
pub use error::{Result, VectorError};
pub use ids::{NodeIds, Numbering, SegmentIds};
pub use ipc::{Table, decode, encode};
pub use lists::{Lists, ListsBuilder};
pub use numbers::{nulls_of, optional};
pub use objects::{ObjectColumn, Objects, SketchObject};
pub use sets::{
    Pairs, Places, SetPart, Sets, SpreadPart, WordKind, mixed_word, plain_word, words_by_row,
};
pub use size::value_bytes;
pub use sketches::Sketches;
pub use text::{Text, TextValues};
pub use timed::Timed;
