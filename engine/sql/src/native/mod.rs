//! Native queries inside DataFusion's plans: as a table, as a logical node and as physical operators.
//!
//! | module | holds |
//! | --- | --- |
//! | `asker` | [`Asker`]: whom the leaves of a running plan ask, an extension of the session's configuration |
//! | `table` | [`NativeTable`]: a datasource or a system table as DataFusion's `TableProvider` |
//! | `node`, `planner` | [`NativeNode`] in logical plans, [`NativePlanner`] into physical ones |
//! | `exec` | [`NativeExec`]: the leaf that asks |
//! | `over` | [`NativeOverExec`]: a native query over the rows of its child |
//! | `align` | the columns of an answer as they were declared |
//! | `print`, `spread` | several values of one row as Druid's SQL prints them, and back |

mod align;
mod asker;
mod exec;
mod node;
mod over;
mod planner;
mod print;
mod spread;
mod table;

pub(crate) use asker::{Ask, Asker};
pub(crate) use exec::{NativeExec, is_grouped};
pub(crate) use node::{NativeColumn, NativeNode};
pub(crate) use over::NativeOverExec;
pub(crate) use planner::NativePlanner;
pub(crate) use table::{NativeTable, lookup_table};

/// Metadata of a Utf8 field whose native column may hold several values a row: `"true"`.
pub(crate) const MULTI_VALUE: &str = "henge.multi_value";
/// Metadata of a field: Druid's name of its type where the Arrow type does not tell, as `COMPLEX<hyperUnique>`.
pub(crate) const DRUID_TYPE: &str = "druid.type";
