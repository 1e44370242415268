//! `cardinality`: distinct values of several dimensions, or distinct combinations of them.

use henge_query::AggregatorKind;
use henge_query::aggregate::{Cardinality, HyperUnique};
use henge_scan::{
    Batch, Dimension, DimensionIds, KeySpace, PartIds, PartSize, Result, Scalar, Selection, SlotId,
    Source,
};
use henge_sketch::{HllSketch, SketchError};
use henge_types::ValueType;

use crate::accumulator::{Accumulator, BlockInput};
use crate::function::{Accumulate, Scanned};
use crate::sketch::{
    DistinctValues, GroupSketches, KeepsSketches, NumberSketches, SketchInput, accumulator,
    selection_of,
};

impl Accumulate for Cardinality {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        let Scanned { name, columns, set, .. } = scanned;
        if let ([only], false) = (self.fields.as_slice(), self.by_row) {
            let source = columns.resolve(&only.dimension)?;
            if is_number_as_stored(&source, only.output_type) {
                let numbers = NumberSketches::new(set.stored(&only.dimension, &source));
                return Ok(accumulator(self, name, numbers));
            }
        }
        let dimensions = self.fields.iter().map(|spec| Dimension::new(spec, columns, set));
        let dimensions = dimensions.collect::<Result<Vec<_>>>()?;
        Ok(match self.by_row {
            true => accumulator(self, name, RowCardinality::new(dimensions)),
            false => accumulator(self, name, DistinctValues::new(dimensions)),
        })
    }
}

/// Whether values can be hashed as they are read, without a number for each: they are the same ones then.
fn is_number_as_stored(source: &Source<'_>, output_type: ValueType) -> bool {
    match (source, output_type) {
        (Source::Long(column), ValueType::Long) => !column.has_nulls(),
        (Source::Double(column), ValueType::Double) => !column.has_nulls(),
        _ => false,
    }
}

impl KeepsSketches for Cardinality {
    type Sketch = HllSketch;

    fn empty(&self) -> Result<HllSketch, SketchError> {
        HllSketch::hyper_unique()
    }

    fn rounds(&self) -> bool {
        self.round
    }

    fn over_stored(&self, column: &str) -> AggregatorKind {
        HyperUnique { field: column.to_owned(), round: self.round }.into()
    }
}

/// Counts distinct combinations. They are numbered first and hashed once at the end, each as its
/// values' bytes with lengths, so that every segment hashes a combination alike.
#[derive(Debug)]
struct RowCardinality<'a> {
    dimensions: Vec<Dimension<'a>>,
    /// Numbers combinations of group (part 0) and one list number a dimension.
    space: KeySpace,
    lists: Vec<ListNumbers>,
}

/// Numbers for the lists of ids that rows of a dimension hold.
#[derive(Debug, Default)]
struct ListNumbers {
    numbers: std::collections::HashMap<Box<[u32]>, u32>,
    lists: Vec<Box<[u32]>>,
    rows: Vec<u32>,
}

impl ListNumbers {
    fn number(&mut self, list: &[u32]) -> u32 {
        if let Some(number) = self.numbers.get(list) {
            return *number;
        }
        let number = self.lists.len() as u32;
        self.numbers.insert(list.into(), number);
        self.lists.push(list.into());
        number
    }
}

impl<'a> RowCardinality<'a> {
    fn new(dimensions: Vec<Dimension<'a>>) -> Self {
        // Nothing is dense: combinations must be few enough to be listed.
        let sizes = vec![PartSize::Growing(usize::MAX); dimensions.len() + 1];
        let space = KeySpace::new(&sizes, 0);
        let lists = dimensions.iter().map(|_| ListNumbers::default()).collect();
        Self { dimensions, space, lists }
    }

    /// The bytes that are hashed for each list of a dimension.
    fn texts(dimension: &Dimension<'_>, lists: &ListNumbers) -> Result<Vec<Vec<u8>>> {
        let mut values = vec![vec![0u8]; dimension.id_count()];
        dimension.for_each_value(None, &mut |id, value| {
            let text = &mut values[id as usize];
            text.clear();
            match value {
                Scalar::Text(value) => {
                    text.push(1);
                    text.extend((value.len() as u64).to_le_bytes());
                    text.extend(value.as_bytes());
                }
                Scalar::Long(value) => {
                    text.push(2);
                    text.extend(value.to_le_bytes());
                }
                Scalar::Double(value) => {
                    text.push(3);
                    text.extend(value.to_le_bytes());
                }
            }
        })?;
        let text = |list: &[u32]| {
            let mut texts: Vec<&[u8]> = list.iter().map(|&id| &values[id as usize][..]).collect();
            texts.sort_unstable();
            let mut bytes = (list.len() as u64).to_le_bytes().to_vec();
            texts.iter().for_each(|value| bytes.extend_from_slice(value));
            bytes
        };
        Ok(lists.lists.iter().map(|list| text(list)).collect())
    }
}

impl SketchInput<HllSketch> for RowCardinality<'_> {
    fn slots(&self) -> Vec<SlotId> {
        self.dimensions.iter().filter_map(Dimension::slot).collect()
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut GroupSketches<HllSketch>,
    ) -> Result<()> {
        let Self { dimensions, space, lists } = self;
        let mut distinct_rows = Vec::new();
        let selection = selection_of(batch, &mut distinct_rows);
        for (dimension, numbers) in dimensions.iter_mut().zip(lists.iter_mut()) {
            let (ids, _) = dimension.ids(input.window, selection, input.loaded)?;
            let mut rows = std::mem::take(&mut numbers.rows);
            rows.resize(input.window.capacity(), 0);
            selection.for_each(|row| {
                rows[row] = match ids {
                    DimensionIds::Constant(id) => numbers.number(&[id]),
                    DimensionIds::Rows(ids) => numbers.number(&[ids[row]]),
                    DimensionIds::Lists { offsets, ids } => {
                        match &ids[offsets[row] as usize..offsets[row + 1] as usize] {
                            [] => numbers.number(&[henge_segment::NULL_ID]),
                            list => numbers.number(list),
                        }
                    }
                };
            });
            numbers.rows = rows;
        }
        // One entry a visited row: its group, and the number of its list in each dimension.
        let mut columns = vec![Vec::new(); dimensions.len() + 1];
        batch.visit(|row, group| {
            columns[0].push(group as u32);
            for (column, numbers) in columns[1..].iter_mut().zip(lists.iter()) {
                column.push(numbers.rows[row]);
            }
        });
        let count = columns[0].len();
        let parts: Vec<PartIds<'_>> = columns.iter().map(|ids| PartIds::Rows(ids)).collect();
        space.groups(&parts, Selection::Range { start: 0, end: count }, count);
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        let dimensions: usize = self.dimensions.iter().map(Dimension::memory_bytes).sum();
        let lists: usize = self.lists.iter().map(|lists| lists.lists.len() * 64).sum();
        dimensions + lists + self.space.memory_bytes()
    }

    fn finish(self, sketches: &mut GroupSketches<HllSketch>) -> Result<()> {
        let Self { dimensions, space, lists } = self;
        let texts = dimensions
            .iter()
            .zip(&lists)
            .map(|(dimension, lists)| Self::texts(dimension, lists))
            .collect::<Result<Vec<_>>>()?;
        let count = space.group_limit(|_| 0) as u32;
        let parts: Vec<Vec<u32>> =
            (0..=dimensions.len()).map(|part| space.part_ids(part, 0..count)).collect();
        let mut bytes = Vec::new();
        for entry in 0..count as usize {
            bytes.clear();
            for (texts, numbers) in texts.iter().zip(&parts[1..]) {
                bytes.extend_from_slice(&texts[numbers[entry] as usize]);
            }
            sketches.get(parts[0][entry] as usize)?.update_bytes(&bytes);
        }
        Ok(())
    }
}
