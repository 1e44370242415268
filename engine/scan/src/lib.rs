//! Which rows of a segment a query reads and which values: row sets, columns, filters and ids, over
//! [`henge_segment::SegmentView`], block by block.

// Rooms on floors, the ground floor first (`cargo xtask layers`).
mod error;
mod id_table;
mod selection;
mod wide_table;

mod cancel;
mod id_test;
mod key_space;
mod packed_keys;

mod node;

mod column;

mod filter;

mod batch;
mod dimension;
mod selected_rows;

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
