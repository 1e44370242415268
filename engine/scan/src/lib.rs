//! Which rows of a segment a query reads and which values: row sets, columns, filters and ids, over
//! [`henge_segment::SegmentView`], block by block.

mod batch;
mod cancel;
mod column;
mod dimension;
mod error;
mod filter;
mod id_table;
mod id_test;
mod key_space;
mod node;
mod packed_keys;
mod selected_rows;
mod selection;
mod wide_table;

pub use batch::{Batch, OwnFilter};
pub use cancel::CancelFlag;
pub use column::{
    ColumnSet, Columns, ExpressionReader, ExpressionSource, Loaded, LoadedBlock, NumericType,
    Pairs, SlotId, SlotStats, Source, StringInterner, Window,
};
pub use dimension::{
    Dimension, DimensionIds, KeyFunction, KeyScope, NumberPart, Scalar, dictionary_of, text_keys,
    texts_of_numbers,
};
pub use error::{ExecError, Result};
pub use filter::CompiledFilter;
pub use id_table::IdTable;
pub use key_space::{GroupIds, KeySpace, PartIds, PartSize};
pub use node::{NodeDictionaries, NodeScope};
pub use packed_keys::{PackedDoubles, PackedKeys, PackedLongs, bits_of_ids, ends_of};
pub use selected_rows::{SelectedRows, time_column};
pub use selection::{BlockBits, RowSet, Selection};
