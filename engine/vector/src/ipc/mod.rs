//! Columns as bytes: an Arrow IPC stream of one record batch, which any Arrow library reads. What
//! Arrow's types do not tell, a field says in its metadata.
//!
//! Written by `arrow-ipc`. Read here, from its verified flatbuffers: the library's own reader panics
//! on buffers that lie beyond the message, and allocates what a length says.

mod body;
mod frame;
mod read;
mod write;

pub use read::decode;
pub use write::encode;

use crate::column::Column;

/// Columns of the same number of rows, and whatever belongs to them as text.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The columns with their names.
    pub columns: Vec<(String, Column)>,
    /// Text that travels with them.
    pub about: String,
}

/// The key of a field's metadata that says what kind of column it is, see [`Column::kind`].
const KIND_KEY: &str = "henge:kind";
/// The key of the schema's metadata that holds [`Table::about`].
const ABOUT_KEY: &str = "henge:about";
