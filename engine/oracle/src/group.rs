//! Groups of rows and the result row of each.

use std::collections::BTreeMap;

use henge_query::{AggregatorSpec, DimensionSpec, PostAggregator, QueryBase};
use henge_types::Granularity;

use super::OracleRow;
use super::aggregate::aggregate;
use super::post;
use super::value::{Cell, column};

/// A finished group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) bucket_ms: i64,
    pub(crate) keys: Vec<Cell>,
    pub(crate) fields: BTreeMap<String, Cell>,
}

/// What groups are made of.
pub(crate) struct Grouping<'q> {
    pub(crate) base: &'q QueryBase,
    pub(crate) granularity: &'q Granularity,
    pub(crate) dimensions: &'q [DimensionSpec],
    pub(crate) aggregations: &'q [AggregatorSpec],
    pub(crate) post_aggregations: &'q [PostAggregator],
}

impl Grouping<'_> {
    /// All groups, by time then dimensions. Only the dimensions in `included` count; the others
    /// are null.
    pub(crate) fn groups(&self, rows: &[&OracleRow], included: &[usize]) -> Vec<Group> {
        let mut members: Vec<(i64, Vec<Cell>, Vec<&OracleRow>)> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows {
            let bucket = self.bucket(row.time_ms);
            for keys in self.keys(row, included) {
                let at = *known.entry(format!("{bucket} {keys:?}")).or_insert_with(|| {
                    members.push((bucket, keys.clone(), Vec::new()));
                    members.len() - 1
                });
                members[at].2.push(row);
            }
        }
        let mut groups: Vec<Group> = members
            .into_iter()
            .map(|(bucket_ms, keys, rows)| self.group(bucket_ms, keys, &rows))
            .collect();
        groups.sort_by(|a, b| {
            a.bucket_ms.cmp(&b.bucket_ms).then_with(|| compare_keys(&a.keys, &b.keys))
        });
        groups
    }

    /// The finished group of some rows.
    pub(crate) fn group(&self, bucket_ms: i64, keys: Vec<Cell>, rows: &[&OracleRow]) -> Group {
        let mut fields = BTreeMap::new();
        for (dimension, key) in self.dimensions.iter().zip(&keys) {
            fields.insert(dimension.output_name.clone(), key.clone());
        }
        for spec in self.aggregations {
            fields.insert(spec.name.clone(), aggregate(spec, self.base, rows));
        }
        let mut group = Group { bucket_ms, keys, fields };
        self.add_post_aggregations(&mut group);
        group
    }

    /// Computes the post-aggregations of a group.
    pub(crate) fn add_post_aggregations(&self, group: &mut Group) {
        for post in self.post_aggregations {
            let value = post::evaluate(post, &group.fields);
            group.fields.insert(post.name().to_owned(), value);
        }
    }

    fn bucket(&self, ms: i64) -> i64 {
        match self.granularity {
            Granularity::All => self.base.intervals.first().map_or(0, |i| i.start_ms),
            granularity => granularity.bucket_start(ms),
        }
    }

    /// The keys of a row: one, or several when dimensions hold several values. A dimension that is
    /// not included still multiplies them, as grouping sets are made from the finer groups.
    fn keys(&self, row: &OracleRow, included: &[usize]) -> Vec<Vec<Cell>> {
        let mut all = vec![Vec::new()];
        for (position, dimension) in self.dimensions.iter().enumerate() {
            let mut cells = column(self.base, row, &dimension.dimension);
            // Stored zeros are one value, also as text; an expression's text is its own.
            let virtual_columns = &self.base.virtual_columns;
            if !virtual_columns.iter().any(|column| column.name == dimension.dimension) {
                cells = cells.into_iter().map(Cell::with_one_zero).collect();
            }
            if !included.contains(&position) {
                cells.fill(Cell::Null);
            }
            all = all
                .into_iter()
                .flat_map(|keys| {
                    cells.iter().map(move |cell| {
                        let mut keys: Vec<Cell> = keys.clone();
                        keys.push(cell.cast(dimension.output_type).with_one_zero());
                        keys
                    })
                })
                .collect();
        }
        all
    }
}

/// Compares keys dimension by dimension.
pub(crate) fn compare_keys(left: &[Cell], right: &[Cell]) -> std::cmp::Ordering {
    let orders = left.iter().zip(right).map(|(a, b)| a.compare(b));
    orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}
