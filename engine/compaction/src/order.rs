//! The order of columns, which is that of rows: time first, or a tenant before it.

use henge_types::{ColumnRole, SegmentSchema, TIME_COLUMN};
use serde::Serialize;

/// Dimensions in the order that rows are to be sorted by, and where among them the time is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The dimensions that are named, in order.
    pub dimensions: Vec<String>,
    /// How many of them come before the time.
    pub time_position: usize,
    /// Whether a segment may have dimensions that are not named; they come last.
    pub others: bool,
}

impl Order {
    /// Names of the time and of dimensions in this order; those that are not named stay as they are.
    #[must_use]
    pub fn arranged(&self, names: &[String]) -> Vec<String> {
        let mut arranged = names.to_vec();
        arranged.sort_by_key(|name| self.place(name));
        arranged
    }

    /// Sorts the columns of a schema: the time and the dimensions in this order, then the metrics.
    pub fn arrange(&self, schema: &mut SegmentSchema) {
        schema.columns.sort_by_cached_key(|column| match column.role {
            ColumnRole::Metric => (4, 0),
            ColumnRole::Time | ColumnRole::Dimension => self.place(&column.name),
        });
    }

    fn place(&self, name: &str) -> (u8, usize) {
        if name == TIME_COLUMN {
            return (1, 0);
        }
        match self.dimensions.iter().position(|dimension| dimension == name) {
            Some(position) if position < self.time_position => (0, position),
            Some(position) => (2, position),
            None => (3, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_comes_as_named_and_the_rest_behind_it() {
        let order = Order {
            dimensions: ["tenant", "page"].map(str::to_owned).to_vec(),
            time_position: 1,
            others: true,
        };
        let names = ["__time", "a", "page", "tenant", "b"].map(str::to_owned);
        let arranged = order.arranged(&names);
        assert_eq!(arranged, ["tenant", "__time", "page", "a", "b"]);
        assert_eq!(order.arranged(&arranged), arranged);
    }
}
